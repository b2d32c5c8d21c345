//! Accounts as their owners see them. The row of an erased one keeps ids and times only.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::account::{AccountEvent, Consent};
use domain::privacy::{AccountEmail, AccountName, AccountUsername, Field, Purpose, sealed_bytes};
use domain::{AccountId, Event, TenantId};
use infra::log::{Json, Origin, Poison, Projection, Reads, Recorded, Row};
use infra::postgres::{PgError, Pool};
use uuid::Uuid;

const FIND_ALL: &str = include_str!("find_all.sql");

/// The events that end a change of address, by the table of the account.
const ENDS_EMAIL_CHANGE: &[&str] = &[
    "account.email_change_requested",
    "account.email_change_cancelled",
    "account.email_changed",
    "account.password_changed",
    "account.erasure_requested",
    "account.erasure_completed",
];

pub struct Accounts;

infra::row! {
    /// One account.
    pub struct Account {
        pub account_id: AccountId,
        pub tenant_id: TenantId,
        /// The version of the account's stream: the `ETag`.
        pub version: i64,
        /// Sealed, as are the other names and addresses.
        pub email: Option<Vec<u8>>,
        pub email_verified: bool,
        /// The address of a change that waits, with the time of its request and its end.
        pub pending_email: Option<Vec<u8>>,
        pub pending_email_since: Option<DateTime<Utc>>,
        pub pending_email_until: Option<DateTime<Utc>>,
        pub name: Option<Vec<u8>>,
        pub username: Option<Vec<u8>>,
        pub consents: Json<BTreeMap<Purpose, Consent>>,
        pub registered_at: DateTime<Utc>,
        /// The registration, the newest sign-in, or the cancellation of an erasure, whichever came last. `None` once the
        /// address is verified, and while an erasure is requested.
        pub unverified_used_at: Option<DateTime<Utc>>,
        pub erasure_requested_at: Option<DateTime<Utc>>,
        pub erasure_due: Option<DateTime<Utc>>,
        pub erased_at: Option<DateTime<Utc>>,
        pub position: i64,
    }
}

impl Projection for Accounts {
    const NAME: &'static str = "accounts";
    const VERSION: i16 = 4;
    const EVENT_TYPES: &'static [&'static str] = &[
        "account.registered",
        "account.verification_requested",
        "account.email_verified",
        "account.email_change_requested",
        "account.email_change_cancelled",
        "account.email_changed",
        "account.rectified",
        "account.username_removed",
        "account.password_changed",
        "account.password_reset_requested",
        "account.sessions_ended",
        "account.api_tokens_ended",
        "account.login_succeeded",
        "account.login_failed",
        "account.logins_failed",
        "account.consent_given",
        "account.consent_withdrawn",
        "account.erasure_requested",
        "account.erasure_cancelled",
        "account.erasure_completed",
        "account.erasure_backup_proven",
    ];
    const TABLE: &'static str = include_str!("table.sql");
    const INDEXES: &'static str = "\
        create index on {table} (erasure_due) where erasure_due is not null and erased_at is null;
        create index on {table} (unverified_used_at, account_id) where unverified_used_at is not null";
    const READS: Reads = Reads::CONTENT;
    type Key = AccountId;
    type Row = Account;

    fn key(event: &Recorded) -> AccountId {
        AccountId(event.stream_id())
    }

    fn origin(row: &Account) -> Origin {
        Origin::Stream(row.account_id.0)
    }

    fn begins(event: &Recorded) -> bool {
        event.version() == 1
    }

    fn fold(row: &mut Option<Account>, event: &Recorded) -> Result<(), Poison> {
        match row {
            None if event.event_type() == "account.registered" => *row = Some(registered(event)?),
            None => return Err(Poison::no_row()),
            Some(account) => account.fold(event)?,
        }
        Ok(())
    }
}

fn copied<F: Field>(event: &Recorded) -> Option<Vec<u8>> {
    sealed_bytes::<F>(event.sealed()).map(<[u8]>::to_vec)
}

fn sealed<F: Field>(event: &Recorded) -> Result<Option<Vec<u8>>, Poison> {
    let missing = || Poison::Unfit(format!("{} is not in its row", F::DECLARATION.name));
    copied::<F>(event).ok_or_else(missing).map(Some)
}

/// Most events change only what stands next to the JSON, so they are not parsed.
fn decode(event: &Recorded) -> Result<AccountEvent, Poison> {
    Ok(AccountEvent::decode(event.event_type(), event.schema_version(), event.data())?)
}

fn registered(event: &Recorded) -> Result<Account, Poison> {
    Ok(Account {
        account_id: AccountId(event.stream_id()),
        tenant_id: event.tenant(),
        version: event.version(),
        email: sealed::<AccountEmail>(event)?,
        email_verified: false,
        pending_email: None,
        pending_email_since: None,
        pending_email_until: None,
        name: sealed::<AccountName>(event)?,
        username: copied::<AccountUsername>(event),
        consents: Json(BTreeMap::new()),
        registered_at: event.recorded_at(),
        unverified_used_at: Some(event.recorded_at()),
        erasure_requested_at: None,
        erasure_due: None,
        erased_at: None,
        position: event.position(),
    })
}

impl Account {
    /// Between the request and its end, and afterwards, nothing is done with the person's data.
    pub const fn restricted(&self) -> bool {
        self.erasure_due.is_some() || self.erased_at.is_some()
    }

    fn fold(&mut self, event: &Recorded) -> Result<(), Poison> {
        if ENDS_EMAIL_CHANGE.contains(&event.event_type()) {
            (self.pending_email, self.pending_email_since, self.pending_email_until) =
                (None, None, None);
        }
        match event.event_type() {
            "account.email_verified" => self.verified(),
            "account.email_changed" => {
                self.email = sealed::<AccountEmail>(event)?;
                self.verified();
            }
            // Not of the others: it stands in an index, which would move with each sign-in.
            "account.login_succeeded" if self.unverified_used_at.is_some() => {
                self.unverified_used_at = Some(event.recorded_at());
            }
            "account.email_change_requested" => {
                self.pending_email = sealed::<AccountEmail>(event)?;
                self.apply(decode(event)?, event.recorded_at());
            }
            "account.rectified" => {
                self.name = copied::<AccountName>(event).or_else(|| self.name.take());
                self.username = copied::<AccountUsername>(event).or_else(|| self.username.take());
            }
            "account.username_removed" => self.username = None,
            "account.consent_given"
            | "account.consent_withdrawn"
            | "account.erasure_requested"
            | "account.erasure_cancelled"
            | "account.erasure_completed" => self.apply(decode(event)?, event.recorded_at()),
            _ => {}
        }
        self.version = event.version();
        Ok(())
    }

    fn verified(&mut self) {
        (self.email_verified, self.unverified_used_at) = (true, None);
    }

    fn apply(&mut self, decoded: AccountEvent, at: DateTime<Utc>) {
        match decoded {
            AccountEvent::EmailChangeRequested { verification, .. } => {
                self.pending_email_since = Some(at);
                self.pending_email_until = Some(verification.until);
            }
            AccountEvent::ConsentGiven { purpose, policy_version } => {
                self.consents.0.insert(purpose, Consent { policy_version, given: true });
            }
            AccountEvent::ConsentWithdrawn { purpose } => {
                if let Some(consent) = self.consents.0.get_mut(&purpose) {
                    consent.given = false;
                }
            }
            AccountEvent::ErasureRequested { requested_at, due } => {
                self.erasure_requested_at = Some(requested_at);
                self.erasure_due = Some(due);
                self.unverified_used_at = None;
            }
            AccountEvent::ErasureCancelled {} => {
                (self.erasure_requested_at, self.erasure_due) = (None, None);
                self.unverified_used_at = (!self.email_verified).then_some(at);
            }
            AccountEvent::ErasureCompleted { .. } => {
                self.erased_at = Some(at);
                (self.email, self.name, self.username) = (None, None, None);
                self.consents.0.clear();
            }
            AccountEvent::Registered { .. }
            | AccountEvent::VerificationRequested { .. }
            | AccountEvent::EmailVerified {}
            | AccountEvent::EmailChangeCancelled {}
            | AccountEvent::EmailChanged { .. }
            | AccountEvent::Rectified { .. }
            | AccountEvent::UsernameRemoved {}
            | AccountEvent::PasswordChanged { .. }
            | AccountEvent::PasswordResetRequested { .. }
            | AccountEvent::SessionsEnded {}
            | AccountEvent::ApiTokensEnded {}
            | AccountEvent::LoginSucceeded { .. }
            | AccountEvent::LoginFailed { .. }
            | AccountEvent::LoginsFailed { .. }
            | AccountEvent::ErasureBackupProven {} => {}
        }
    }
}

/// Those of the accounts that are there, in no order.
///
/// # Errors
/// The database does not answer.
pub async fn by_ids(pool: &Pool, accounts: &[AccountId]) -> Result<Vec<Account>, PgError> {
    let client = pool.get().await?;
    let find = client.prepare_cached(FIND_ALL).await?;
    let accounts: Vec<Uuid> = accounts.iter().map(|account| account.0).collect();
    let rows = client.query(&find, &[&accounts]).await?;
    rows.iter().map(|row| Ok(Account::read(row)?)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::account::Holding;

    use super::*;

    #[test]
    fn every_event_of_an_account_moves_its_version() {
        let types = AccountEvent::TYPES.iter().map(|(name, _)| *name);

        assert_eq!(types.collect::<Vec<_>>(), Accounts::EVENT_TYPES);
    }

    #[test]
    fn what_ends_a_change_of_address_by_the_table_of_the_account_ends_it_here() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../domain/src/account/golden");
        let mut ends = BTreeSet::new();
        for file in std::fs::read_dir(golden).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let (event_type, version) = name.rsplit_once('.').unwrap();
            let data = std::fs::read_to_string(&path).unwrap();
            let event = AccountEvent::decode(event_type, version.parse().unwrap(), data.trim_end());
            if event.unwrap().ends().contains(&Holding::EmailChange) {
                ends.insert(event_type.to_owned());
            }
        }
        assert_eq!(
            ends,
            ENDS_EMAIL_CHANGE.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>()
        );
    }
}
