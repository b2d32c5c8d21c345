//! Keys from their rows, several in one round trip, made where they are missing.

use std::time::Instant;

use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::cache::{Gone, LEASE};
use super::key::{KeyId, Kind};
use super::lease::LOST;
use super::{Inner, KeyringError, RootId, Secret, crypto};

/// How often rows are read again after a race with a switch of the root or with another maker.
const ATTEMPTS_MAX: usize = 5;

/// A key that is asked for. A subject's newest generation has no number yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub kind: Kind,
    pub subject: Uuid,
    pub class: i16,
    pub number: Option<i64>,
    /// Whether to make it where there is none.
    pub make: bool,
}

impl Wanted {
    pub const fn named(kind: Kind, number: i64, make: bool) -> Self {
        Self { kind, subject: Uuid::nil(), class: 0, number: Some(number), make }
    }

    fn id(&self, number: i64) -> KeyId {
        KeyId { kind: self.kind, subject: self.subject, class: self.class, number }
    }
}

pub(super) enum Found {
    Live { number: i64, key: Secret },
    Gone(Gone),
}

/// The keys, as they were when the list of destroyed keys ended at `sequence`.
pub(super) struct Fetched {
    pub keys: Vec<Found>,
    pub sequence: i64,
}

impl Inner {
    /// The keys in the order they were asked for, to be used at once.
    pub(super) async fn fetch(&self, wanted: &[Wanted]) -> Result<Fetched, KeyringError> {
        for _ in 0..ATTEMPTS_MAX {
            if let Some((asked, fetched)) = self.obtain(wanted).await? {
                // The rows are as old as the request: a lease's length is the limit here too.
                return if asked.elapsed() < LEASE { Ok(fetched) } else { Err(LOST) };
            }
            self.read_current_root().await?;
        }
        Err(KeyringError::RootMissing(self.current_root()))
    }

    /// The keys, and when they were asked for. None when a key was not made, or went to another root
    /// meanwhile.
    async fn obtain(&self, wanted: &[Wanted]) -> Result<Option<(Instant, Fetched)>, KeyringError> {
        let current = self.current_root();
        let candidates = self.candidates(wanted, current).await?;
        let kinds: Vec<&str> = wanted.iter().map(|wanted| wanted.kind.name()).collect();
        let subjects: Vec<Uuid> = wanted.iter().map(|wanted| wanted.subject).collect();
        let classes: Vec<i16> = wanted.iter().map(|wanted| wanted.class).collect();
        let numbers: Vec<Option<i64>> = wanted.iter().map(|wanted| wanted.number).collect();
        let client = self.pool.get().await?;
        // Whoever waited long for a connection has asked for nothing yet.
        let asked = Instant::now();
        let now = self.clock.now();
        let query = async {
            let obtain = client.prepare_cached(include_str!("sql/obtain_keys.sql")).await?;
            let of: [&(dyn ToSql + Sync); 7] =
                [&kinds, &subjects, &classes, &numbers, &candidates, &current.0, &now];
            client.query(&obtain, &of).await
        };
        let rows = timeout(LEASE, query).await.map_err(|_| LOST)??;
        drop(client);
        Ok(self.read(wanted, &rows).await?.map(|fetched| (asked, fetched)))
    }

    async fn candidates(
        &self,
        wanted: &[Wanted],
        current: RootId,
    ) -> Result<Vec<Option<Vec<u8>>>, KeyringError> {
        if !wanted.iter().any(|wanted| wanted.make) {
            return Ok(vec![None; wanted.len()]);
        }
        let Some(root) = self.root(current).await? else { return Ok(vec![None; wanted.len()]) };
        let candidate = |wanted: &Wanted| {
            let identity = wanted.id(wanted.number.unwrap_or(1)).identity();
            crypto::wrap(&root, &identity, &Secret::random()?)
        };
        wanted.iter().map(|wanted| wanted.make.then(|| candidate(wanted)).transpose()).collect()
    }

    async fn read(&self, wanted: &[Wanted], rows: &[Row]) -> Result<Option<Fetched>, KeyringError> {
        let first = rows.first().ok_or(KeyringError::Damaged)?;
        if first.try_get("standby")? {
            return Err(KeyringError::Standby);
        }
        let mut keys = Vec::with_capacity(wanted.len());
        for (n, wanted) in (1_i64..).zip(wanted) {
            let row = rows.iter().find(|row| row.get::<_, Option<i64>>("n") == Some(n));
            let found = match row {
                Some(row) => self.unwrap(wanted, row).await?,
                None if wanted.make => None,
                None => Some(Found::Gone(Gone::Absent)),
            };
            let Some(found) = found else { return Ok(None) };
            keys.push(found);
        }
        Ok(Some(Fetched { keys, sequence: first.try_get("last")? }))
    }

    /// None when the row's root is gone: the row has been wrapped under a later one since.
    async fn unwrap(&self, wanted: &Wanted, row: &Row) -> Result<Option<Found>, KeyringError> {
        let number: i64 = row.try_get("number")?;
        let Some(wrapped) = row.try_get::<_, Option<&[u8]>>("wrapped")? else {
            let gone = if wanted.kind == Kind::Bucket { Gone::Expired } else { Gone::Erased };
            return Ok(Some(Found::Gone(gone)));
        };
        let Some(root) = self.root(RootId(row.try_get("root_id")?)).await? else {
            return Ok(None);
        };
        let key = crypto::unwrap(&root, &wanted.id(number).identity(), wrapped)?;
        Ok(Some(Found::Live { number, key }))
    }

    pub(super) async fn read_current_root(&self) -> Result<(), KeyringError> {
        let client = self.pool.get().await?;
        let row = client.query_opt(include_str!("sql/read_current_root.sql"), &[]).await?;
        if let Some(row) = row {
            self.set_current_root(RootId(row.try_get("root_id")?));
        }
        Ok(())
    }
}
