//! Erases keys: a subject's, a period's, and expired ones.

use std::sync::Arc;

use chrono::{DateTime, Days, Months, NaiveDate, NaiveTime, Utc};
use domain::SubjectId;
use domain::privacy::Class;
use tokio_postgres::Row;

use super::key::{self, KeyId, KeyKind};
use super::keys::Keys;
use super::options::KeyringOptions;
use super::root_rotation::RootRotation;
use super::{KeyringError, RootId, invalidations, link_tokens, request_mac_keys};
use crate::clock::Clock;
use crate::postgres::Pool;

const ERASE_SUBJECT: &str = include_str!("sql/erase_subject.sql");
const ERASE_GENERATIONS: &str = include_str!("sql/erase_generations.sql");
const SUM_UP_SUBJECT: &str = "select count(root_id) as keys, max(root_id) as root from keyring.keys
where kind = 'subject' and subject = $1 and class = any($2::smallint[])";
const ERASE_KEY: &str = include_str!("sql/erase_key.sql");
const LIST_LIVE_NUMBERS: &str = include_str!("sql/list_live_numbers.sql");

/// The erased keys of a subject. A repeated call returns the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedSubject {
    /// The classes whose keys are erased with the subject.
    pub classes: Vec<Class>,
    /// How many keys the subject ever had.
    pub keys: i64,
    /// The youngest root key that ever wrapped one of them, or a shard key of one, as far as this database knows; `None`
    /// when there were no keys.
    pub last_root: Option<RootId>,
}

/// How many expired keys of each kind were erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpiredKeys {
    /// Keys of a day or a month.
    pub buckets: u64,
    /// Keys of a day that recognised repeated requests.
    pub request_macs: u64,
    /// Keys of a day for mailed links.
    pub links: u64,
    /// Root keys whose escrow files were deleted.
    pub escrows: u64,
}

/// Erases keys for good: the row of an erased key stays, without the key, so that no new key is made
/// in its place. This node stops using an erased key at once, other nodes within [`super::Keyring::LEASE`].
///
/// Every method fails with [`KeyringError::Database`] when the database does not answer.
#[derive(Clone)]
pub struct KeyEraser {
    keys: Arc<Keys>,
    pool: Pool,
    clock: Clock,
    root_rotation: RootRotation,
    security_days: u32,
    content_days: u32,
    billing_months: u32,
}

impl KeyEraser {
    pub(super) fn new(
        keys: Arc<Keys>,
        pool: Pool,
        clock: Clock,
        root_rotation: RootRotation,
        options: &KeyringOptions,
    ) -> Self {
        let &KeyringOptions { security_days, content_days, billing_months, .. } = options;
        Self { keys, pool, clock, root_rotation, security_days, content_days, billing_months }
    }

    /// Erases the subject's keys of every class that ends with the person, and prevents new ones.
    pub async fn erase_subject(&self, subject: SubjectId) -> Result<ErasedSubject, KeyringError> {
        let dying = Class::ALL.into_iter().filter(|class| class.is_erased_with_person());
        let classes: Vec<Class> = dying.collect();
        let numbers: Vec<i16> = classes.iter().map(|class| class.number()).collect();
        let now = self.clock.now();
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        // Whoever makes a key of a class takes its first generation's row: first come, first served.
        let first = transaction.query(ERASE_SUBJECT, &[&subject.0, &numbers, &now]).await?;
        let later = transaction.query(ERASE_GENERATIONS, &[&subject.0, &numbers, &now]).await?;
        let erased = first.iter().chain(&later).map(|row| subject_key(subject, row));
        let erased = erased.collect::<Result<Vec<_>, _>>()?;
        let sum = transaction.query_one(SUM_UP_SUBJECT, &[&subject.0, &numbers]).await?;
        invalidations::append(&transaction, &erased, now).await?;
        transaction.commit().await?;
        drop(client);
        self.keys.evict(&erased).await;
        let last_root: Option<i64> = sum.try_get("root")?;
        Ok(ErasedSubject { classes, keys: sum.try_get("keys")?, last_root: last_root.map(RootId) })
    }

    /// Erases expired keys: of buckets, request MACs, mailed links, and escrowed roots. Also deletes
    /// what a crash left of an erased root.
    pub async fn erase_expired(&self) -> Result<ExpiredKeys, KeyringError> {
        let mut expired = ExpiredKeys::default();
        let now = self.clock.now();
        let today = key::day(now.date_naive());
        for class in Class::ALL.into_iter().filter(|class| class.bucket().is_some()) {
            for day in self.live_before(KeyId::bucket(class, today)).await? {
                let start = key::date(day).ok_or(KeyringError::Date)?;
                let is_due = self.kept_until(class, start).is_some_and(|until| until <= now);
                if is_due && self.erase_key(KeyId::bucket(class, day)).await? {
                    expired.buckets += 1;
                }
            }
        }
        let first_mac_day = today - request_mac_keys::DAYS_KEPT;
        expired.request_macs = self.erase_before(KeyKind::RequestMac, first_mac_day).await?;
        let first_link_day = today - link_tokens::DAYS_KEPT;
        expired.links = self.erase_before(KeyKind::Link, first_link_day).await?;
        let client = self.pool.get().await?;
        invalidations::delete_old(&client, now).await?;
        drop(client);
        // Last: a disk that is not mounted, or a Vault that does not answer, holds back nothing else.
        let erased = self.root_rotation.eraser.erase_leftovers().await;
        expired.escrows = self.root_rotation.eraser.expire_escrows().await?;
        erased?;
        Ok(expired)
    }

    /// Erases a key that belongs to no subject. `false` when it was erased before.
    pub(super) async fn erase_key(&self, key: KeyId) -> Result<bool, KeyringError> {
        let KeyId { kind, subject, class, number } = key;
        let now = self.clock.now();
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        let row: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&kind.as_str(), &subject, &class, &number, &now];
        if transaction.execute(ERASE_KEY, &row).await? == 0 {
            return Ok(false);
        }
        invalidations::append(&transaction, &[key], now).await?;
        transaction.commit().await?;
        drop(client);
        self.keys.evict(&[key]).await;
        Ok(true)
    }

    async fn erase_before(&self, kind: KeyKind, day: i64) -> Result<u64, KeyringError> {
        let mut erased = 0;
        for day in self.live_before(KeyId::numbered(kind, day)).await? {
            erased += u64::from(self.erase_key(KeyId::numbered(kind, day)).await?);
        }
        Ok(erased)
    }

    /// The numbers of the live keys of the family that are lower than this one.
    async fn live_before(&self, key: KeyId) -> Result<Vec<i64>, KeyringError> {
        let client = self.pool.get().await?;
        let KeyId { kind, subject, class, number } = key;
        let list = client.prepare_cached(LIST_LIVE_NUMBERS).await?;
        let rows = client.query(&list, &[&kind.as_str(), &subject, &class, &number]).await?;
        rows.iter().map(|row| Ok(row.try_get("number")?)).collect()
    }

    /// The end of the configured retention.
    fn kept_until(&self, class: Class, start: NaiveDate) -> Option<DateTime<Utc>> {
        let end = key::bucket_end(class, start)?;
        let until = match class {
            Class::Security => end.checked_add_days(Days::new(self.security_days.into())),
            Class::Content => end.checked_add_days(Days::new(self.content_days.into())),
            Class::Billing => end.checked_add_months(Months::new(self.billing_months)),
            Class::Account | Class::Tenant => None,
        };
        Some(until?.and_time(NaiveTime::MIN).and_utc())
    }
}

fn subject_key(subject: SubjectId, row: &Row) -> Result<KeyId, KeyringError> {
    let (class, number) = (row.try_get("class")?, row.try_get("number")?);
    Ok(KeyId { kind: KeyKind::Subject, subject: subject.0, class, number })
}
