//! Moves the reservations of addresses to the next key of the e-mail index, a batch at a time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::AccountId;
use domain::account::Account;
use domain::privacy::{AccountEmail, EmailAddress};
use futures_util::future::try_join_all;
use infra::event_store::LoadError;
use infra::keyring::{AddressReservations, IndexRotation, IndexTurn, KeyringError};
use infra::reservations::{Batch, Index, MoveProgress, MovedRow, UNREADABLE};
use uuid::Uuid;

use super::timer::{Timers, Wake};
use crate::unseal::{UnknownField, Unsealer};
use crate::wiring::App;

const MINUTE: Duration = Duration::from_mins(1);
/// Appends wait while so many reservations are written: some milliseconds.
pub(super) const BATCH: i64 = 100;
/// Of a start, which nobody can use meanwhile.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// So many accounts are opened at once: the pool of connections is shared with the requests.
const OPENED_AT_ONCE: usize = 8;

pub(super) const ROTATION: IndexRotation = IndexRotation {
    // Half of the longest time that the key may be used: a week of failures does no harm.
    every: TimeDelta::days(7),
    unreadable_wait: TimeDelta::days(6),
    // The longest time that a command may take.
    command_max: Duration::from_secs(30),
    batches_max: 20,
};

pub(super) fn start_timers(timers: &mut Timers) {
    let index = Wake::default();
    let again = index.clone();
    timers.on_one_node("e-mail index", MINUTE, Some(index), move |app| {
        let again = again.clone();
        async move {
            if rotate_when_due(app).await? {
                again.notify_one();
            }
            Ok::<(), KeyringError>(())
        }
    });
    timers.on_one_node("unreadable addresses", 10 * MINUTE, None, reserve_unreadable);
}

/// Answers whether there is more to do at once.
async fn rotate_when_due(app: App) -> Result<bool, KeyringError> {
    let turn = app.keyring.email_index.rotate(ROTATION, &Accounts::of(&app)).await?;
    if turn == IndexTurn::Rotated {
        tracing::info!("the key of the e-mail index was rotated");
    }
    Ok(turn == IndexTurn::Moved)
}

/// Reserves the addresses of accounts that could not be read during a rotation, and can be now.
pub(super) async fn reserve_unreadable(app: App) -> Result<(), KeyringError> {
    let accounts = Accounts::of(&app);
    let mut after = Vec::new();
    loop {
        let page = app.reservations.page(UNREADABLE, &after, BATCH).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after.clone_from(last);
        for (index, owner) in page {
            let mark = (UNREADABLE.to_owned(), index);
            if accounts.restore(owner, &mark).await? == Restored::Done {
                app.reservations.delete_unreadable(&mark.1, owner).await?;
            }
        }
    }
}

/// A restored log brings back reservations under index keys that are erased, and no look-up finds
/// them. Reserves the addresses of their owners under the current key; returns the number of owners.
/// An account that cannot be read is marked as unreadable.
pub(super) async fn reserve_restored(app: &App) -> Result<u64, KeyringError> {
    let kinds = app.keyring.email_index.kinds().await?;
    let Some(newest) = kinds.written.first() else { return Ok(0) };
    let mut reserved = 0;
    for old in app.reservations.kinds().await? {
        if old == UNREADABLE || kinds.written.contains(&old) {
            continue;
        }
        let is_retiring = kinds.retiring.as_ref() == Some(&old);
        if is_retiring
            && app.reservations.progress(&old, newest).await?.is_some_and(|of| of.is_complete)
        {
            continue;
        }
        reserved += Accounts::of(app).restore_kind(&old, newest).await?;
        if !is_retiring {
            app.reservations.delete_kind(&old).await?;
        }
    }
    Ok(reserved)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Restored {
    Done,
    /// The account cannot be read.
    Unreadable,
}

/// What is known of an account's own address.
enum OwnAddress {
    Is(EmailAddress),
    /// The account has ended, or its keys are erased.
    Gone,
    Unreadable,
}

pub(super) struct Accounts<'a> {
    app: &'a App,
}

impl<'a> Accounts<'a> {
    pub(super) const fn of(app: &'a App) -> Self {
        Self { app }
    }

    async fn restore_kind(&self, old: &str, newest: &str) -> Result<u64, KeyringError> {
        let (mut after, mut reserved, mut looked_at) = (Vec::new(), 0, 0);
        let mut said = Instant::now();
        loop {
            let page = self.app.reservations.page(old, &after, BATCH).await?;
            let Some((last, _)) = page.last() else { return Ok(reserved) };
            after.clone_from(last);
            let looked = u64::try_from(page.len()).unwrap_or_default();
            looked_at += looked;
            if said.elapsed() > SAY_EVERY {
                said = Instant::now();
                let done = MoveProgress { through: after.clone(), is_complete: false }.ratio();
                tracing::info!(
                    looked_at,
                    reserved,
                    done = format!("{:.0} %", 100.0 * done),
                    "addresses of restored accounts are reserved again under the key of today"
                );
            }
            for rows in page.chunks(OPENED_AT_ONCE) {
                let restored = rows.iter().map(|(index, owner)| async {
                    let of_owner = self.app.reservations.of_owner(*owner).await?;
                    if of_owner.iter().any(|(kind, _)| kind == newest) {
                        return Ok(0);
                    }
                    let old = (old.to_owned(), index.clone());
                    if self.restore(*owner, &old).await? == Restored::Done {
                        return Ok(1);
                    }
                    let mark = (UNREADABLE.to_owned(), index.clone());
                    self.app.reservations.reserve_again(&mark, &old, *owner).await?;
                    Ok::<u64, KeyringError>(0)
                });
                reserved += try_join_all(restored).await?.iter().sum::<u64>();
            }
            self.app.metrics.addresses_restored.inc_by(looked);
        }
    }

    /// Reserves the account's own address again, which it had reserved under the erased key of `old`.
    async fn restore(&self, owner: Uuid, old: &Index) -> Result<Restored, KeyringError> {
        let address = match self.own_address(owner).await? {
            OwnAddress::Is(address) => address,
            OwnAddress::Gone => return Ok(Restored::Done),
            OwnAddress::Unreadable => return Ok(Restored::Unreadable),
        };
        let reserved = self.app.keyring.email_index.indexes_of_all_forms(&address).await?;
        let kinds: BTreeSet<&String> = reserved.iter().map(|(kind, _)| kind).collect();
        for kind in kinds {
            // The canonical one, or where another has that, the first form that is free.
            let mut is_reserved = false;
            for form in reserved.iter().filter(|(of, _)| of == kind) {
                is_reserved =
                    is_reserved || self.app.reservations.reserve_again(form, old, owner).await?;
            }
            if !is_reserved {
                tracing::warn!(%owner, "the address of a restored account now belongs to another account");
            }
        }
        Ok(Restored::Done)
    }

    async fn own_address(&self, owner: Uuid) -> Result<OwnAddress, KeyringError> {
        let account = AccountId(owner);
        let unreadable = |error: &dyn std::fmt::Display| {
            tracing::error!(%owner, %error, "the address of an account cannot be read: it is not reserved again");
            Ok(OwnAddress::Unreadable)
        };
        let loaded = match self.app.executor.load::<Account>(account.into(), owner).await {
            Ok(loaded) => loaded,
            Err(LoadError::Postgres(error)) => return Err(error.into()),
            Err(
                error @ (LoadError::Undecodable { .. }
                | LoadError::Missing { .. }
                | LoadError::WrongType { .. }),
            ) => return unreadable(&error),
        };
        let Account::Live(live) = &*loaded.state else { return Ok(OwnAddress::Gone) };
        let person = Unsealer::of_account(&self.app.keyring.sealer, account);
        match person.optional::<AccountEmail>(Some(&live.email)).await {
            Ok(address) => Ok(address.map_or(OwnAddress::Gone, OwnAddress::Is)),
            Err(
                error @ (UnknownField::Damaged | UnknownField::Unavailable(KeyringError::Damaged)),
            ) => unreadable(&error),
            Err(UnknownField::Unavailable(error)) => Err(error),
        }
    }

    /// What is reserved in addition to a reservation of the kind `old`. `None`: nothing, since it is not of
    /// the address that its owner has.
    async fn moved(
        &self,
        (old, new): (&str, &str),
        index: Vec<u8>,
        owner: Uuid,
    ) -> Result<Option<MovedRow>, KeyringError> {
        let address = match self.own_address(owner).await? {
            OwnAddress::Is(address) => address,
            OwnAddress::Gone => return Ok(None),
            OwnAddress::Unreadable => {
                let mark = (UNREADABLE.to_owned(), index.clone());
                return Ok(Some(MovedRow { old: index, new: mark, owner }));
            }
        };
        let reserved = self.app.keyring.email_index.indexes_of_all_forms(&address).await?;
        let is_its = reserved.iter().any(|(kind, of)| kind == old && *of == index);
        // By form: the canonical one comes first, and is the only one that moves.
        let kinds: BTreeSet<&String> = reserved.iter().map(|(kind, _)| kind).collect();
        let mut forms = reserved.chunks(kinds.len().max(1));
        let is_shared = forms.len() > 1 && self.is_shared(old, &reserved, owner).await?;
        let form = if is_shared {
            forms.find(|form| form.iter().any(|(kind, of)| kind == old && *of == index))
        } else {
            forms.next()
        };
        let next = form.and_then(|form| form.iter().find(|(kind, _)| kind == new)).cloned();
        Ok(next.filter(|_| is_its).map(|new| MovedRow { old: index, new, owner }))
    }

    /// Whether another account has a form of this address, from before it had one canonical form: then
    /// each keeps the form that it has, and is found by its spelling.
    async fn is_shared(
        &self,
        old: &str,
        reserved: &[Index],
        owner: Uuid,
    ) -> Result<bool, KeyringError> {
        for (kind, index) in reserved.iter().filter(|(kind, _)| kind == old) {
            if self.app.reservations.owner(kind, index).await?.is_some_and(|other| other != owner) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[async_trait]
impl AddressReservations for Accounts<'_> {
    async fn has_begun(&self, old: &str, new: &str) -> Result<bool, KeyringError> {
        Ok(self.app.reservations.progress(old, new).await?.is_some())
    }

    async fn move_batch(&self, old: &str, new: &str) -> Result<bool, KeyringError> {
        let reservations = &self.app.reservations;
        let progress = reservations.progress(old, new).await?;
        if progress.as_ref().is_some_and(|progress| progress.is_complete) {
            return Ok(false);
        }
        let after = progress.map(|progress| progress.through).unwrap_or_default();
        let page = reservations.page(old, &after, BATCH).await?;
        let through = page.last().map_or_else(|| after.clone(), |(last, _)| last.clone());
        let is_last = i64::try_from(page.len()).is_ok_and(|read| read < BATCH);
        let mut batch = Batch { after, through, is_last, rows: Vec::with_capacity(page.len()) };
        for rows in page.chunks(OPENED_AT_ONCE) {
            let moved =
                rows.iter().map(|(index, owner)| self.moved((old, new), index.clone(), *owner));
            batch.rows.extend(try_join_all(moved).await?.into_iter().flatten());
        }
        let is_ours = reservations.move_batch(old, new, &batch).await?;
        Ok(!(is_ours && is_last))
    }

    async fn count_unreadable(&self) -> Result<i64, KeyringError> {
        Ok(self.app.reservations.count_unreadable().await?)
    }

    async fn delete_kind(&self, kind: &str) -> Result<(), KeyringError> {
        Ok(self.app.reservations.delete_kind(kind).await?)
    }
}
