//! Erases accounts whose address nobody has verified: a notice by mail comes first, and a week later the request.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use domain::account::{Account, LiveAccount};
use domain::log::LOG;
use domain::{AccountId, ActorId, CommandId, EventId};
use infra::event_store::{ExecuteError, LoadError, Request};
use infra::ids::hashed;
use infra::keyring::KeyringError;
use infra::log::{Feed, FeedError, Recorded};
use infra::mail::RefusalKind;
use infra::outbox::{MailKind, MailRequest};
use infra::postgres::PgError;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::operations::erase_account::request_of_unverified;
use crate::operations::owners::{OwnersError, check_nobody_depends};
use crate::operations::request_erasure::RequestErasureError;
use crate::wiring::App;

const UNVERIFIED: &str = include_str!("unverified.sql");
/// In the trail: Lethe itself, since nobody has verified the address. No person and no token has this id.
pub(super) const UNVERIFIED_ACCOUNTS: ActorId =
    ActorId(Uuid::from_u128(0x8000_8000_0000_0000_0002));
/// From the notice to the request. One that nobody was given is followed by another after as long.
const NOTICE: TimeDelta = TimeDelta::days(7);
/// After so many notices that the mail server refused for the address, nobody will verify it.
const REFUSED_MAX: i64 = 3;
/// Notices and requests of a turn. Not more erasures than these wait because of it.
pub(super) const AT_A_TURN: i64 = 10;
/// Erasures that have been due for longer cannot go on: the eraser is not busy with them.
const WAITING: TimeDelta = TimeDelta::hours(1);
/// Accounts that a turn loads; those that stay are among them.
pub(super) const LOOKS_AT_A_TURN: usize = 100;
const AT_ONCE: i64 = 256;
const PAGES_MAX: usize = 40;

#[derive(Debug, thiserror::Error)]
pub(super) enum UnverifiedError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Request(#[from] RequestErasureError),
}

impl UnverifiedError {
    /// The account stays as it should: others depend on it, or something has happened to it since it was listed.
    const fn keeps(&self) -> bool {
        matches!(
            self,
            Self::Request(
                RequestErasureError::Owners(OwnersError::OwnsWorkspaces | OwnersError::OwnsTooMany)
                    | RequestErasureError::InProgress { .. }
                    | RequestErasureError::Execute(
                        ExecuteError::Refused(_)
                            | ExecuteError::Stale { .. }
                            | ExecuteError::Fenced
                    )
            )
        )
    }

    /// Whether it is about one account; all others can go on.
    const fn is_of_account(&self) -> bool {
        match self {
            Self::Load(error)
            | Self::Request(RequestErasureError::Owners(OwnersError::Load(error))) => {
                error.is_of_stream()
            }
            Self::Request(RequestErasureError::Execute(error)) => error.is_of_stream(),
            Self::Request(RequestErasureError::Earlier(_)) => true,
            Self::Postgres(_) | Self::Keyring(_) | Self::Feed(_) | Self::Request(_) => false,
        }
    }
}

/// An account that nobody has used for long enough, and the notices of this period.
struct UnverifiedRow {
    account: AccountId,
    version: i64,
    used_at: DateTime<Utc>,
    /// When the period began.
    begins: DateTime<Utc>,
    /// When the account is erased, as the notices say.
    notice_until: Option<DateTime<Utc>>,
    is_sent: bool,
    refused: i64,
    /// A notice, or the request.
    is_due: bool,
}

/// What was done about an account.
#[derive(Clone, Copy)]
enum Turn {
    Noticed,
    Requested,
    Failed,
    Stays,
}

/// Where the next turn of this node goes on; as at first: with those that were unused for longest.
#[derive(Clone, Debug, Default)]
pub(super) struct UnverifiedSweep(Arc<Mutex<Place>>);

/// After the account that was used last at this time.
type Place = (DateTime<Utc>, Uuid);

impl UnverifiedSweep {
    /// Gives the notices that are due, and requests the erasures whose notice is over. None while as many erasures wait
    /// as a turn requests: the eraser goes on with what people have requested.
    pub(super) async fn run(self, app: App) -> Result<(), UnverifiedError> {
        if app.config.unverified_accounts_days == 0 {
            return Ok(());
        }
        let (now, restored_at) = (app.clock.now(), restored_at(&app).await?);
        // This clock is behind that of the restore: a notice of now would not count.
        if restored_at.is_some_and(|at| at >= now) {
            return Ok(());
        }
        let mut left =
            AT_A_TURN - app.keyring.ledger.count_due((now - WAITING, now), AT_A_TURN).await?;
        let mut looks = LOOKS_AT_A_TURN;
        for number in 0..PAGES_MAX {
            let from = self.place();
            let page = list(&app, restored_at, from).await?;
            let Some(last) = page.last() else {
                self.go_on_after(Place::default());
                // The turn before came as far as the last one: this one begins with the first.
                if number == 0 && from != Place::default() {
                    continue;
                }
                return Ok(());
            };
            for row in page.iter().filter(|row| row.is_due) {
                if left == 0 || looks == 0 {
                    return Ok(());
                }
                // Whatever comes of it: it keeps no other waiting.
                self.go_on_after(row.place());
                looks -= 1;
                let turn = row.take_turn(&app).await?;
                left -= i64::from(matches!(turn, Turn::Noticed | Turn::Requested));
            }
            self.go_on_after(last.place());
        }
        Ok(())
    }

    fn place(&self) -> Place {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn go_on_after(&self, place: Place) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}

/// When the log was restored last. What has happened to an account may have been lost by that, a verification too.
async fn restored_at(app: &App) -> Result<Option<DateTime<Utc>>, UnverifiedError> {
    let client = app.pool.get().await.map_err(PgError::from)?;
    let types: &[&str] = &["log.restored"];
    let restores = Feed::newest_of(&client, (LOG, types), 0..i64::MAX, 1).await?;
    Ok(restores.first().map(Recorded::recorded_at))
}

/// A page of those that were unused for longest, from the first after this place.
async fn list(
    app: &App,
    restored_at: Option<DateTime<Utc>>,
    (used_at, account): Place,
) -> Result<Vec<UnverifiedRow>, PgError> {
    let now = app.clock.now();
    let since = now - TimeDelta::days(app.config.unverified_accounts_days.into());
    let signed_in = since - TimeDelta::days(app.config.session_absolute_days.into());
    let (over, kind) = (now - NOTICE, MailKind::AccountUnverified.as_str());
    let of: [&(dyn ToSql + Sync); 9] = [
        &since,
        &restored_at,
        &over,
        &kind,
        &signed_in,
        &used_at,
        &account,
        &AT_ONCE,
        &RefusalKind::Recipient.as_str(),
    ];
    let rows = app.pool.get().await?.query(UNVERIFIED, &of).await;
    let rows = match rows {
        // The projection has not created its table yet.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(vec![]),
        rows => rows?,
    };
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<UnverifiedRow, PgError> {
    Ok(UnverifiedRow {
        account: AccountId(row.try_get("account_id")?),
        version: row.try_get("version")?,
        used_at: row.try_get("unverified_used_at")?,
        begins: row.try_get("begins")?,
        notice_until: row.try_get("until")?,
        is_sent: row.try_get("is_sent")?,
        refused: row.try_get("refused")?,
        is_due: row.try_get("is_due")?,
    })
}

impl UnverifiedRow {
    const fn place(&self) -> Place {
        (self.used_at, self.account.0)
    }

    async fn take_turn(&self, app: &App) -> Result<Turn, UnverifiedError> {
        let account = self.account;
        let turn = match self.act(app).await {
            Err(error) if error.keeps() => {
                tracing::debug!(%account, %error, "an account whose address nobody has verified stays");
                Turn::Stays
            }
            Err(error) if error.is_of_account() => {
                tracing::warn!(%account, %error, "an account whose address nobody has verified stays for now: a later turn tries it again");
                Turn::Failed
            }
            turn => turn?,
        };
        let outcome = match turn {
            Turn::Noticed => "noticed",
            Turn::Requested => "requested",
            Turn::Failed => "failed",
            Turn::Stays => return Ok(turn),
        };
        app.metrics.unverified_accounts.with_label_values(&[outcome]).inc();
        Ok(turn)
    }

    async fn act(&self, app: &App) -> Result<Turn, UnverifiedError> {
        let loaded = app.executor.load::<Account>(self.account.into(), self.account.0).await?;
        let Account::Live(live) = &*loaded.state else { return Ok(Turn::Stays) };
        // What the projection has not come to may be a verification, or a sign-in.
        if live.email_verified || loaded.version != self.version {
            return Ok(Turn::Stays);
        }
        if self.is_sent || self.refused >= REFUSED_MAX {
            self.request(app, live).await
        } else {
            self.give_notice(app, live).await
        }
    }

    async fn give_notice(&self, app: &App, live: &LiveAccount) -> Result<Turn, UnverifiedError> {
        let account = self.account;
        check_nobody_depends(app, account).await.map_err(RequestErasureError::from)?;
        let Some(address) = live.email.sealed().cloned() else { return Ok(Turn::Stays) };
        let notice = MailRequest {
            cause: EventId(self.notice_id(app.clock.now())),
            kind: MailKind::AccountUnverified,
            tenant: account.into(),
            subject: account.into(),
            address,
            reference: None,
            until: Some(app.clock.now() + NOTICE + grace(app)),
        };
        let mut client = app.pool.get().await.map_err(PgError::from)?;
        let tx = client.transaction().await.map_err(PgError::from)?;
        let is_given = app.outbox.put(&tx, &notice).await?;
        tx.commit().await.map_err(PgError::from)?;
        // Otherwise another node was faster, or the person is erased.
        Ok(if is_given { Turn::Noticed } else { Turn::Stays })
    }

    async fn request(&self, app: &App, live: &LiveAccount) -> Result<Turn, UnverifiedError> {
        let account = self.account;
        let request = Request {
            actor: Some(UNVERIFIED_ACCOUNTS),
            ..Request::new(account.into(), request_id(account, self.version))
        };
        // Not before the time of the notice, whatever the settings say since.
        let (least, now) = (grace(app), app.clock.now());
        let grace = self.notice_until.map_or(least, |until| least.max(until - now));
        let requests = request_of_unverified(app, account, (live, self.version), grace, &request);
        Box::pin(requests).await?;
        tracing::info!(%account, "the erasure of an account was requested: nobody has verified its address");
        Ok(Turn::Requested)
    }

    /// Of two nodes that give the same notice at once, one does. That of another week has another id.
    fn notice_id(&self, now: DateTime<Utc>) -> Uuid {
        let week = (now - self.begins).num_weeks();
        hashed(&[
            b"account.unverified",
            b"notice",
            self.account.0.as_bytes(),
            &self.begins.timestamp_micros().to_be_bytes(),
            &week.to_be_bytes(),
        ])
    }
}

/// The command that requests the erasure of an account at this version.
pub(super) fn request_id(account: AccountId, version: i64) -> CommandId {
    let version = version.to_be_bytes();
    CommandId(hashed(&[b"account.unverified", b"request", account.0.as_bytes(), &version]))
}

/// The notice was the time to think it over: no more than the settings ask of every request.
fn grace(app: &App) -> TimeDelta {
    TimeDelta::days(app.config.erasure_grace_days_min.into())
}
