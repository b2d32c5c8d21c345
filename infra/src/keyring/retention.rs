//! What is past its time goes: a period's key at once for everybody, with no scan of the log.

use chrono::{DateTime, Days, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use domain::privacy::Class;
use uuid::Uuid;

use super::key::{self, KeyId, Kind};
use super::rotation::drop_keys;
use super::{Keyring, KeyringError, RootId, escrow, link, request_macs};

/// Nodes read the list every third of a second; one that is further behind forgets everything.
const DROPPED_KEPT: TimeDelta = TimeDelta::days(2);

/// How many keys of each kind came to their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    pub buckets: u64,
    pub request_macs: u64,
    pub links: u64,
    pub escrows: u64,
}

impl Keyring {
    /// Destroys the key of the bucket that `date` falls into, for everybody. False when it was
    /// destroyed before.
    pub async fn destroy_bucket(
        &self,
        class: Class,
        date: NaiveDate,
    ) -> Result<bool, KeyringError> {
        let start = key::bucket_start(class, date).ok_or(KeyringError::NoBucket)?;
        let until = self.kept_until(class, start).ok_or(KeyringError::Date)?;
        if until > self.inner.clock.now() {
            return Err(KeyringError::TooSoon { until });
        }
        self.bury(KeyId::bucket(class, key::day(start))).await
    }

    /// For how many days after its day content is kept.
    pub fn content_days(&self) -> u32 {
        self.inner.options.content_days
    }

    /// The end of what the configuration promises to keep.
    fn kept_until(&self, class: Class, start: NaiveDate) -> Option<DateTime<Utc>> {
        let end = key::bucket_end(class, start)?;
        let options = &self.inner.options;
        let until = match class {
            Class::Security => end.checked_add_days(Days::new(options.security_days.into())),
            Class::Content => end.checked_add_days(Days::new(options.content_days.into())),
            Class::Billing => end.checked_add_months(Months::new(options.billing_months)),
            Class::Account | Class::Tenant => None,
        };
        Some(until?.and_time(NaiveTime::MIN).and_utc())
    }

    /// Destroys what is past its time: buckets, day keys of request MACs, keys of mailed links, and
    /// escrowed roots. What a crash left of a destroyed root goes too.
    pub async fn retention(&self) -> Result<Retained, KeyringError> {
        let mut retained = Retained::default();
        let now = self.inner.clock.now();
        let today = key::day(now.date_naive());
        for class in Class::ALL.into_iter().filter(|class| class.bucket().is_some()) {
            for day in self.live(KeyId::bucket(class, today)).await? {
                let start = key::date(day).ok_or(KeyringError::Date)?;
                let due = self.kept_until(class, start).is_some_and(|until| until <= now);
                if due && self.bury(KeyId::bucket(class, day)).await? {
                    retained.buckets += 1;
                }
            }
        }
        retained.request_macs =
            self.bury_before(Kind::RequestMac, today - request_macs::DAYS_KEPT).await?;
        retained.links = self.bury_before(Kind::Link, today - link::DAYS_KEPT).await?;
        retained.escrows = self.end_escrows(now).await?;
        self.sweep_roots().await?;
        let client = self.inner.pool.get().await?;
        client.execute(include_str!("sql/trim_dropped.sql"), &[&(now - DROPPED_KEPT)]).await?;
        Ok(retained)
    }

    async fn bury_before(&self, kind: Kind, day: i64) -> Result<u64, KeyringError> {
        let mut buried = 0;
        for day in self.live(KeyId::named(kind, day)).await? {
            buried += u64::from(self.bury(KeyId::named(kind, day)).await?);
        }
        Ok(buried)
    }

    /// The live keys of the same family with a lower number.
    async fn live(&self, before: KeyId) -> Result<Vec<i64>, KeyringError> {
        let client = self.inner.pool.get().await?;
        let KeyId { kind, subject, class, number } = before;
        let list = include_str!("sql/list_live_numbers.sql");
        let rows = client.query(list, &[&kind.name(), &subject, &class, &number]).await?;
        rows.iter().map(|row| Ok(row.try_get("number")?)).collect()
    }

    /// Destroys a key that is nobody's. False when it was destroyed before.
    pub(super) async fn bury(&self, key: KeyId) -> Result<bool, KeyringError> {
        let now = self.inner.clock.now();
        let mut client = self.inner.pool.get().await?;
        let destruction = client.transaction().await?;
        let bury = include_str!("sql/bury_key.sql");
        let nobody = Uuid::nil();
        let row: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&key.kind.name(), &nobody, &key.class, &key.number, &now];
        if destruction.execute(bury, &row).await? == 0 {
            return Ok(false);
        }
        drop_keys(&destruction, &[key], now).await?;
        destruction.commit().await?;
        drop(client);
        self.inner.drop_here(&[key]).await;
        Ok(true)
    }

    async fn end_escrows(&self, now: DateTime<Utc>) -> Result<u64, KeyringError> {
        let Some(options) = &self.inner.options.escrow else { return Ok(0) };
        let mut client = self.inner.pool.get().await?;
        let end = client.transaction().await?;
        end.execute(include_str!("sql/lock_roots.sql"), &[]).await?;
        let due = end.query(include_str!("sql/list_due_escrows.sql"), &[&now]).await?;
        let mut ended = 0;
        for row in &due {
            let id: i64 = row.try_get("root_id")?;
            escrow::destroy(options, RootId(id)).await?;
            ended += end.execute(include_str!("sql/destroy_escrow.sql"), &[&id, &now]).await?;
        }
        end.commit().await?;
        Ok(ended)
    }

    /// A crash may have left the file or the memory of a root that the rows call destroyed.
    async fn sweep_roots(&self) -> Result<(), KeyringError> {
        let mut there: Vec<i64> =
            self.inner.roots.list().await?.iter().map(|root| root.0).collect();
        there.extend(self.inner.known_roots().keys().map(|root| root.0));
        let client = self.inner.pool.get().await?;
        let destroyed = include_str!("sql/list_destroyed_roots.sql");
        for row in client.query(destroyed, &[&there]).await? {
            let id = RootId(row.try_get("root_id")?);
            self.inner.known_roots().remove(&id);
            self.inner.roots.destroy(id).await?;
        }
        Ok(())
    }
}
