//! The streams as this node sees them: its cache, their snapshots, their events.

use std::pin::pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use domain::privacy::put_together;
use domain::{Event, TenantId};
use futures_util::TryStreamExt;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, RowStream};
use uuid::Uuid;

use super::cache::Cache;
use super::snapshot::Snapshots;
use super::step::Standing;
use super::{LoadError, Loaded, Stored};
use crate::log::json::JsonText;
use crate::postgres::Pool;

/// Whether what this node saw last will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Cached,
    Fresh,
}

pub(super) struct Streams {
    pub pool: Pool,
    pub cache: Cache,
    pub snapshots: Snapshots,
}

impl Streams {
    /// Answers also whether it is as fresh as the call.
    pub async fn load<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        sight: Sight,
    ) -> Result<(Loaded<A>, bool), LoadError> {
        let cached = self.cache.get(tenant, A::TYPE, stream).and_then(|standing| {
            let state = standing.state.downcast::<A>().ok()?;
            Some(Loaded { state, version: standing.version })
        });
        match cached {
            Some(loaded) if sight == Sight::Cached => Ok((loaded, false)),
            Some(loaded) => Ok((self.follow(tenant, stream, loaded).await?, true)),
            None => Ok((self.read(tenant, stream).await?, true)),
        }
    }

    /// Reads on from what the cache has.
    async fn follow<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        cached: Loaded<A>,
    ) -> Result<Loaded<A>, LoadError> {
        let client = self.pool.get().await?;
        let query = client.prepare_cached(include_str!("load_after.sql")).await?;
        let of: [&(dyn ToSql + Sync); 4] = [&stream, &tenant.0, &A::TYPE, &cached.version];
        let rows = client.query_raw(&query, of).await?;
        let mut fold = Fold::from(stream, cached);
        fold.apply_all(rows).await?;
        Ok(self.keep(tenant, fold))
    }

    /// Reads from the stream's snapshot on, or from its beginning.
    async fn read<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
    ) -> Result<Loaded<A>, LoadError> {
        let client = self.pool.get().await?;
        let query = client.prepare_cached(include_str!("load.sql")).await?;
        for snapshots in [A::SNAPSHOT_VERSION, NO_SNAPSHOT] {
            let of: [&(dyn ToSql + Sync); 4] = [&stream, &tenant.0, &A::TYPE, &snapshots];
            let rows = client.query_raw(&query, of).await?;
            let mut fold = Fold::from(stream, Loaded { state: Arc::new(A::default()), version: 0 });
            fold.apply_all(rows).await?;
            if fold.snapshot != Snapshot::Unreadable {
                return Ok(self.keep(tenant, fold));
            }
            tracing::warn!(%stream, "a snapshot cannot be read: reading the events");
        }
        Err(LoadError::Missing { stream, version: 1 })
    }

    /// As it stood at a time: from the events that were recorded by then.
    pub async fn load_as_of<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        at: DateTime<Utc>,
    ) -> Result<Loaded<A>, LoadError> {
        let client = self.pool.get().await?;
        let query = client.prepare_cached(include_str!("load_as_of.sql")).await?;
        let of: [&(dyn ToSql + Sync); 4] = [&stream, &tenant.0, &A::TYPE, &at];
        let rows = client.query_raw(&query, of).await?;
        let mut fold = Fold::from(stream, Loaded { state: Arc::new(A::default()), version: 0 });
        fold.apply_all(rows).await?;
        Ok(fold.loaded)
    }

    fn keep<A: Stored>(&self, tenant: TenantId, fold: Fold<A>) -> Loaded<A> {
        let loaded = fold.loaded;
        if fold.events > 0 || fold.snapshot == Snapshot::Read {
            let state = Arc::clone(&loaded.state);
            let standing = Standing { state, version: loaded.version };
            self.cache.put(tenant, A::TYPE, fold.stream, standing);
        }
        self.snapshots.consider::<A>(fold.stream, fold.events, &loaded);
        loaded
    }
}

/// A version that no state has.
const NO_SNAPSHOT: i16 = -1;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Snapshot {
    None,
    Read,
    /// Another shape under the same version: the events tell the same.
    Unreadable,
}

/// A state on its way through its stream.
struct Fold<A> {
    stream: Uuid,
    loaded: Loaded<A>,
    /// How many events were read for it.
    events: i64,
    snapshot: Snapshot,
}

impl<A: Stored> Fold<A> {
    const fn from(stream: Uuid, loaded: Loaded<A>) -> Self {
        Self { stream, loaded, events: 0, snapshot: Snapshot::None }
    }

    async fn apply_all(&mut self, rows: RowStream) -> Result<(), LoadError> {
        let mut rows = pin!(rows);
        while let Some(row) = rows.try_next().await? {
            self.apply(&row)?;
            if self.snapshot == Snapshot::Unreadable {
                break;
            }
        }
        Ok(())
    }

    fn apply(&mut self, row: &Row) -> Result<(), LoadError> {
        let version: i64 = row.try_get(0)?;
        if row.try_get::<_, Option<&str>>(1)?.is_none() {
            self.start_from(version, row.try_get::<_, JsonText<'_>>(3)?.0);
            return Ok(());
        }
        if version != self.loaded.version + 1 {
            let version = self.loaded.version + 1;
            return Err(LoadError::Missing { stream: self.stream, version });
        }
        let event = decode(self.stream, row)?;
        Arc::make_mut(&mut self.loaded.state).apply(event);
        self.loaded.version = version;
        self.events += 1;
        Ok(())
    }

    fn start_from(&mut self, version: i64, state: &str) {
        match serde_json::from_str::<A>(state) {
            Ok(state) => {
                self.loaded = Loaded { state: Arc::new(state), version };
                self.snapshot = Snapshot::Read;
            }
            Err(_) => self.snapshot = Snapshot::Unreadable,
        }
    }
}

/// An event of a row with the columns of `load_after.sql`.
pub(super) fn decode<E: Event>(stream: Uuid, row: &Row) -> Result<E, LoadError> {
    let version = row.try_get(0)?;
    let data: JsonText<'_> = row.try_get(3)?;
    let sealed: Option<&[u8]> = row.try_get(4)?;
    let event = E::decode(row.try_get(1)?, row.try_get(2)?, data.0);
    let whole = event.and_then(|mut event| {
        put_together(&mut event, sealed)?;
        Ok(event)
    });
    whole.map_err(|reason| LoadError::Undecodable { stream, version, reason })
}
