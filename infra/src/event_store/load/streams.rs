//! Loads streams: from this node's cache, their snapshots, and their events.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::privacy::put_together;
use domain::{Event, EventId, TenantId};
use futures_util::TryStreamExt;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::cache::Cache;
use super::snapshot::Snapshots;
use super::state::{LoadError, Loaded, Stored, StreamState};
use crate::log::json::JsonText;
use crate::log::watermark::{NewestEvent, Watermark};
use crate::postgres::{Pool, Rows};

const LOAD: &str = include_str!("load.sql");
pub const LOAD_AFTER: &str = include_str!("load_after.sql");
const LOAD_AS_OF: &str = include_str!("load_as_of.sql");

/// How new a state must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// A state from this node's cache is enough.
    Cached,
    /// With every event that was committed before the call.
    Fresh,
}

pub struct Streams {
    pub pool: Pool,
    pub cache: Cache,
    pub snapshots: Snapshots,
    /// Knows the last event of each stream that is loaded.
    pub watermark: Watermark,
}

impl Streams {
    /// Whether the state is fresh, also if a cached one was enough.
    pub async fn load<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        freshness: Freshness,
    ) -> Result<(Loaded<A>, bool), LoadError> {
        let cached = self.cache.get(tenant, A::TYPE, stream).and_then(StreamState::typed);
        match cached {
            Some(loaded) if freshness == Freshness::Cached => Ok((loaded, false)),
            Some(loaded) => Ok((self.read_on(tenant, stream, loaded).await?, true)),
            None => Ok((self.read_whole(tenant, stream).await?, true)),
        }
    }

    /// Reads the events after the cached state.
    async fn read_on<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        cached: Loaded<A>,
    ) -> Result<Loaded<A>, LoadError> {
        let client = self.pool.get().await?;
        let query = client.prepare_cached(LOAD_AFTER).await?;
        let of: [&(dyn ToSql + Sync); 4] = [&stream, &tenant.0, &A::TYPE, &cached.version];
        let rows = client.query_raw(&query, of).await?;
        let mut fold = Fold::from(stream, cached);
        fold.apply_all(rows).await?;
        Ok(self.keep(tenant, fold))
    }

    /// Reads from the stream's snapshot on, or from the beginning.
    async fn read_whole<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
    ) -> Result<Loaded<A>, LoadError> {
        let mut fold = self.fold(tenant, stream, A::SNAPSHOT_VERSION).await?;
        if fold.snapshot == SnapshotUse::Unreadable {
            tracing::warn!(%stream, "a snapshot cannot be read: the events are read instead");
            fold = self.fold(tenant, stream, NO_SNAPSHOT).await?;
        }
        Ok(self.keep(tenant, fold))
    }

    async fn fold<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        snapshot_version: i16,
    ) -> Result<Fold<A>, LoadError> {
        let client = self.pool.get().await?;
        let query = client.prepare_cached(LOAD).await?;
        let of: [&(dyn ToSql + Sync); 4] = [&stream, &tenant.0, &A::TYPE, &snapshot_version];
        let rows = client.query_raw(&query, of).await?;
        let mut fold = Fold::from(stream, Loaded::empty());
        fold.apply_all(rows).await?;
        Ok(fold)
    }

    /// The state at a time: after the events that were recorded by then. Never from the cache.
    pub async fn load_as_of<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        at: DateTime<Utc>,
    ) -> Result<Loaded<A>, LoadError> {
        let client = self.pool.get().await?;
        let query = client.prepare_cached(LOAD_AS_OF).await?;
        let of: [&(dyn ToSql + Sync); 4] = [&stream, &tenant.0, &A::TYPE, &at];
        let rows = client.query_raw(&query, of).await?;
        let mut fold = Fold::from(stream, Loaded::empty());
        fold.apply_all(rows).await?;
        Ok(fold.loaded)
    }

    fn keep<A: Stored>(&self, tenant: TenantId, fold: Fold<A>) -> Loaded<A> {
        let loaded = fold.loaded;
        if let Some(last) = fold.last {
            self.watermark.raise(last);
        }
        if fold.events > 0 || fold.snapshot == SnapshotUse::Read {
            self.cache.put(tenant, A::TYPE, fold.stream, loaded.clone().into());
        }
        self.snapshots.take_if_due(fold.stream, fold.events, &loaded);
        loaded
    }
}

/// A snapshot version that no aggregate has.
const NO_SNAPSHOT: i16 = -1;

#[derive(Clone, Copy, PartialEq, Eq)]
enum SnapshotUse {
    None,
    Read,
    /// The snapshot has another shape under the same version: the events are read instead.
    Unreadable,
}

/// A state, and the version up to which the stream is applied to it.
struct Fold<A> {
    stream: Uuid,
    loaded: Loaded<A>,
    /// How many events were read for it.
    events: i64,
    snapshot: SnapshotUse,
    /// The last event that was read, in the snapshot or by itself.
    last: Option<NewestEvent>,
}

impl<A: Stored> Fold<A> {
    const fn from(stream: Uuid, loaded: Loaded<A>) -> Self {
        Self { stream, loaded, events: 0, snapshot: SnapshotUse::None, last: None }
    }

    /// What cannot be read ends the state, and not the rows: the connection of a statement that is given up
    /// is not used again.
    async fn apply_all(&mut self, mut rows: Rows<'_>) -> Result<(), LoadError> {
        let mut applied = Ok(());
        while let Some(row) = rows.try_next().await? {
            if applied.is_ok() && self.snapshot != SnapshotUse::Unreadable {
                applied = self.apply(&row);
            }
        }
        applied
    }

    fn apply(&mut self, row: &Row) -> Result<(), LoadError> {
        let version: i64 = row.try_get(0)?;
        self.last =
            Some(NewestEvent { position: row.try_get(5)?, event: EventId(row.try_get(6)?) });
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
                self.snapshot = SnapshotUse::Read;
            }
            Err(_) => self.snapshot = SnapshotUse::Unreadable,
        }
    }
}

/// An event of a row with the columns of `load_after.sql`.
pub fn decode<E: Event>(stream: Uuid, row: &Row) -> Result<E, LoadError> {
    let version = row.try_get(0)?;
    let data: JsonText<'_> = row.try_get(3)?;
    let sealed: Option<&[u8]> = row.try_get(4)?;
    let event = E::decode(row.try_get(1)?, row.try_get(2)?, data.0);
    let decoded = event.and_then(|mut event| {
        put_together(&mut event, sealed)?;
        Ok(event)
    });
    decoded.map_err(|reason| LoadError::Undecodable { stream, version, reason })
}
