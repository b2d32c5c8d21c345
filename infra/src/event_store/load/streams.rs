//! Loads streams: from this node's cache, their snapshots, and their events.

use std::sync::Arc;

use domain::privacy::put_together;
use domain::{Event, EventId, TenantId};
use futures_util::TryStreamExt;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::cache::Cache;
use super::snapshot::Snapshots;
use super::state::{LoadError, Loaded, Stored, StreamState, Until};
use crate::log::json::JsonText;
use crate::log::watermark::{NewestEvent, Watermark};
use crate::postgres::{Pool, PoolClient, Rows};

pub const LOAD: &str = include_str!("load.sql");
pub const LOAD_AFTER: &str = include_str!("load_after.sql");
const LOAD_AS_OF: &str = include_str!("load_as_of.sql");
const LOAD_AT: &str = include_str!("load_at.sql");

/// How new a state must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// A state from this node's cache is enough.
    Cached,
    /// With every event that was committed before the call.
    Fresh,
}

/// A state that was loaded, or was cached.
pub struct Known<A> {
    pub loaded: Loaded<A>,
    /// Whether it is the newest, also if a cached one was enough.
    pub fresh: bool,
    /// The log has no other event of the stream at or before this position.
    pub through: i64,
}

pub struct Streams {
    pub pool: Pool,
    pub cache: Cache,
    pub snapshots: Snapshots,
    /// Knows the last event of each stream that is loaded.
    pub watermark: Watermark,
}

impl Streams {
    pub async fn load<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        freshness: Freshness,
    ) -> Result<Known<A>, LoadError> {
        let cached = self.cache.get(tenant, A::TYPE, stream);
        let through = cached.as_ref().map_or(0, |cached| cached.through);
        let cached = cached.and_then(StreamState::typed);
        // What the log held before it was read has been read.
        let head = self.watermark.position();
        let fold = match cached {
            Some(loaded) if freshness == Freshness::Cached => {
                return Ok(Known { loaded, fresh: false, through });
            }
            Some(loaded) => self.read_on(tenant, stream, loaded).await?,
            None => self.read_whole(tenant, stream).await?,
        };
        let through = head.max(fold.loaded.position);
        Ok(Known { loaded: self.keep(tenant, fold, through), fresh: true, through })
    }

    /// Reads the events after the cached state.
    async fn read_on<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        cached: Loaded<A>,
    ) -> Result<Fold<A>, LoadError> {
        let client = self.pool.get().await?;
        let (version, position) = (cached.version, cached.position);
        let mut fold = Fold::from(stream, cached);
        fold.apply_all(read_after::<A>(&client, tenant, stream, version, position).await?).await?;
        Ok(fold)
    }

    /// Reads from the stream's snapshot on, or from the beginning.
    async fn read_whole<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
    ) -> Result<Fold<A>, LoadError> {
        if let Some(fold) = self.fold(tenant, stream, A::SNAPSHOT_VERSION).await? {
            return Ok(fold);
        }
        let whole = self.fold(tenant, stream, NO_SNAPSHOT).await?;
        let whole = whole.unwrap_or_else(|| Fold::from(stream, Loaded::empty()));
        Ok(Fold { unusable_snapshot: true, ..whole })
    }

    /// `None`: there is a snapshot, but the log lacks its event, or it cannot be read.
    async fn fold<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        snapshot_version: i16,
    ) -> Result<Option<Fold<A>>, LoadError> {
        let client = self.pool.get().await?;
        let query = client.prepare_cached(LOAD).await?;
        let of: [&(dyn ToSql + Sync); 4] = [&stream, &tenant.0, &A::TYPE, &snapshot_version];
        let mut rows = client.query_raw(&query, of).await?;
        let mut fold = Fold::from(stream, Loaded::empty());
        let Some(first) = rows.try_next().await? else { return Ok(Some(fold)) };
        let start = Start::of(&first)?;
        if !start.recent {
            // Nothing follows: what begins earlier is read from there.
            drain(rows).await?;
            let (version, position) = (start.version - 1, start.position);
            rows = read_after::<A>(&client, tenant, stream, version, position).await?;
        }
        if start.version > 0 {
            let Some(event) = rows.try_next().await? else { return Ok(None) };
            let Some((loaded, last)) = start.snapshot(stream, &event)? else {
                drain(rows).await?;
                return Ok(None);
            };
            fold = Fold { loaded, last: Some(last), ..fold };
        }
        fold.apply_all(rows).await?;
        Ok(Some(fold))
    }

    /// The state that the stream had. Never from the cache.
    pub async fn load_until<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        until: Until,
    ) -> Result<Loaded<A>, LoadError> {
        let client = self.pool.get().await?;
        let (sql, until): (_, &(dyn ToSql + Sync)) = match &until {
            Until::Time(at) => (LOAD_AS_OF, at),
            Until::Version(version) => (LOAD_AT, version),
        };
        let query = client.prepare_cached(sql).await?;
        let of: [&(dyn ToSql + Sync); 4] = [&stream, &tenant.0, &A::TYPE, until];
        let rows = client.query_raw(&query, of).await?;
        let mut fold = Fold::from(stream, Loaded::empty());
        fold.apply_all(rows).await?;
        Ok(fold.loaded)
    }

    fn keep<A: Stored>(&self, tenant: TenantId, fold: Fold<A>, through: i64) -> Loaded<A> {
        let loaded = fold.loaded;
        if let Some(last) = fold.last {
            self.watermark.raise(last);
        }
        if loaded.version > 0 {
            let state = StreamState { through, ..loaded.clone().into() };
            self.cache.put(tenant, A::TYPE, fold.stream, state);
        }
        let of = (tenant, fold.stream);
        self.snapshots.take_after_load(of, &loaded, fold.events, fold.unusable_snapshot);
        loaded
    }
}

/// A snapshot version that no aggregate has.
const NO_SNAPSHOT: i16 = -1;

async fn read_after<A: Stored>(
    client: &PoolClient,
    tenant: TenantId,
    stream: Uuid,
    version: i64,
    position: i64,
) -> Result<Rows<'_>, LoadError> {
    let query = client.prepare_cached(LOAD_AFTER).await?;
    let of: [&(dyn ToSql + Sync); 5] = [&stream, &tenant.0, &A::TYPE, &version, &position];
    Ok(client.query_raw(&query, of).await?)
}

/// A statement that is given up costs its connection.
async fn drain(mut rows: Rows<'_>) -> Result<(), LoadError> {
    while rows.try_next().await?.is_some() {}
    Ok(())
}

/// The first row of `load.sql`.
struct Start<'a> {
    /// Of the snapshot; 0 without one.
    version: i64,
    state: Option<JsonText<'a>>,
    position: i64,
    recent: bool,
}

impl<'a> Start<'a> {
    fn of(row: &'a Row) -> Result<Self, LoadError> {
        Ok(Self {
            version: row.try_get(0)?,
            state: row.try_get(3)?,
            position: row.try_get(5)?,
            recent: row.try_get(7)?,
        })
    }

    /// The state, if this is its event.
    fn snapshot<A: Stored>(
        &self,
        stream: Uuid,
        event: &Row,
    ) -> Result<Option<(Loaded<A>, NewestEvent)>, LoadError> {
        let (version, last) = (event.try_get::<_, i64>(0)?, mark(event)?);
        if (version, last.position) != (self.version, self.position) {
            return Ok(None);
        }
        let state = self.state.as_ref().and_then(|state| serde_json::from_str(state.0).ok());
        if state.is_none() {
            tracing::warn!(%stream, "a snapshot cannot be read: the events are read instead");
        }
        let loaded = |state| Loaded { state: Arc::new(state), version, position: last.position };
        Ok(state.map(|state| (loaded(state), last)))
    }
}

fn mark(row: &Row) -> Result<NewestEvent, LoadError> {
    Ok(NewestEvent { position: row.try_get(5)?, event: EventId(row.try_get(6)?) })
}

/// A state, and the version up to which the stream is applied to it.
struct Fold<A> {
    stream: Uuid,
    loaded: Loaded<A>,
    /// How many events were applied.
    events: i64,
    /// There is a snapshot that was read around.
    unusable_snapshot: bool,
    /// The last event that was read.
    last: Option<NewestEvent>,
}

impl<A: Stored> Fold<A> {
    const fn from(stream: Uuid, loaded: Loaded<A>) -> Self {
        Self { stream, loaded, events: 0, unusable_snapshot: false, last: None }
    }

    /// What cannot be read ends the state, and not the rows: the connection of a statement that is given up
    /// is not used again.
    async fn apply_all(&mut self, mut rows: Rows<'_>) -> Result<(), LoadError> {
        let mut applied = Ok(());
        while let Some(row) = rows.try_next().await? {
            if applied.is_ok() {
                applied = self.apply(&row);
            }
        }
        applied
    }

    fn apply(&mut self, row: &Row) -> Result<(), LoadError> {
        let (version, last) = (row.try_get::<_, i64>(0)?, mark(row)?);
        self.last = Some(last);
        if version != self.loaded.version + 1 {
            let version = self.loaded.version + 1;
            return Err(LoadError::Missing { stream: self.stream, version });
        }
        let event = decode(self.stream, row)?;
        Arc::make_mut(&mut self.loaded.state).apply(event);
        self.loaded.version = version;
        self.loaded.position = last.position;
        self.events += 1;
        Ok(())
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
