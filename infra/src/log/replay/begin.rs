//! The beginning of a replay: a generation of its own, or one that another replay of the same programme has left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fold_state::FoldState;
use super::lease::keep_lease;
use super::{DELETE_PARKED, DROP_TABLE, Replay, ReplayError, ReplayOptions};
use crate::build_id::Build;
use crate::cluster::Lease;
use crate::log::any_projection::AnyProjection;
use crate::log::checkpoint::LOCK_TABLES;
use crate::log::generation::{self, table_of};
use crate::log::watermark::Watermark;
use crate::log::{Reader, parked};
use crate::postgres::{Pool, PooledClient as Client, Transaction};

const FIND_BUILDING: &str = include_str!("find_building.sql");
const LOCK_BUILDING: &str = concat!(include_str!("find_building.sql"), " for update");
const FIND_TABLE: &str = "select to_regclass($1) is not null";
const BEGIN: &str = include_str!("begin.sql");
const TAKE_OVER: &str = include_str!("take_over.sql");

/// What a replay is doing, or has left.
struct Building {
    generation: i32,
    position: i64,
    ceiling: i64,
    indexed: bool,
    build: String,
    error: Option<String>,
    is_over: bool,
}

impl Building {
    /// What another programme has built may have other rows.
    fn is_of(&self, build: Build) -> bool {
        build != Build::UNKNOWN && build.to_string() == self.build
    }
}

/// A generation, and under which fence it is built.
struct Begun {
    generation: i32,
    fence: i64,
    written: i64,
    indexed: bool,
}

impl<'a> Replay<'a> {
    pub(super) async fn begin(
        pool: &'a Pool,
        mut client: Client,
        reader: &'a Reader,
        projection: &'a Arc<dyn AnyProjection>,
        options: ReplayOptions,
        ceiling: i64,
    ) -> Result<Self, ReplayError> {
        let (name, version) = (reader.name(), reader.version());
        let tx = client.transaction().await?;
        tx.execute(LOCK_TABLES, &[]).await?;
        let left = building(&tx, (name, version), options.lease).await?;
        if let Some(Building { position, ceiling, is_over: false, .. }) = left {
            return Err(ReplayError::Running { name, position, ceiling });
        }
        let begun = match &left {
            Some(left) => resume(&tx, (name, version), left, &options, ceiling).await?,
            None => None,
        };
        let (begun, failed) = match begun {
            Some(begun) => (begun, None),
            None => (anew(&tx, projection.as_ref(), &options, ceiling).await?, left),
        };
        let Begun { generation, fence, written, indexed } = begun;
        let table = table_of(name, version, generation);
        let mut fold = FoldState::new(projection.rows(&table));
        let rows = parked::load(&tx, (name, version)).await?;
        let own = rows.iter().filter(|row| row.generation == generation);
        fold.parked = own.map(|row| row.stream).collect();
        tx.commit().await?;
        if let Some(Building { generation, .. }) = failed {
            generation::drop_now_or_later(&mut client, (name, version, generation)).await;
        }
        let lease = Lease { node: options.node, fence };
        Ok(Self {
            pool,
            client,
            reader,
            projection,
            options,
            generation,
            table,
            lease,
            written,
            folded: written,
            indexed,
            whole: written == 0,
            fold,
            started: Instant::now(),
            first: written,
            cancel: None,
            watermark: Watermark::default(),
            renewal: keep_lease(pool.clone(), (name, version), generation, lease, options.lease),
        })
    }
}

/// The generation that is built, if there is one. Its row is locked if the lease is over.
async fn building(
    tx: &Transaction<'_>,
    (name, version): (&str, i16),
    lease: Duration,
) -> Result<Option<Building>, ReplayError> {
    let mut found = None;
    // First without a lock, which would wait for one that makes its indexes.
    for sql in [FIND_BUILDING, LOCK_BUILDING] {
        let find = tx.prepare_cached(sql).await?;
        let row = tx.query_opt(&find, &[&name, &version, &lease.as_secs_f64()]).await?;
        let Some(row) = row else { return Ok(None) };
        let building = Building {
            generation: row.try_get(0)?,
            position: row.try_get(1)?,
            ceiling: row.try_get(2)?,
            indexed: row.try_get(3)?,
            build: row.try_get(4)?,
            error: row.try_get(5)?,
            is_over: row.try_get(6)?,
        };
        let is_over = building.is_over;
        found = Some(building);
        if !is_over {
            break;
        }
    }
    Ok(found)
}

/// Goes on with what is left, or fails it: its table is to be dropped.
async fn resume(
    tx: &Transaction<'_>,
    (name, version): (&str, i16),
    left: &Building,
    options: &ReplayOptions,
    ceiling: i64,
) -> Result<Option<Begun>, ReplayError> {
    let &Building { generation, position: written, indexed, .. } = left;
    let table = table_of(name, version, generation);
    // Without its table there is nothing to continue.
    let found: bool = tx.query_one(FIND_TABLE, &[&table]).await?.try_get(0)?;
    if found && options.resume && left.is_of(options.build) {
        let take_over = tx.prepare_cached(TAKE_OVER).await?;
        let length = options.lease.as_secs_f64();
        let row = tx
            .query_one(
                &take_over,
                &[&name, &version, &generation, &options.node, &length, &ceiling],
            )
            .await?;
        return Ok(Some(Begun { generation, fence: row.try_get(0)?, written, indexed }));
    }
    let why = left.error.as_deref().unwrap_or("its replay ended before it was built");
    generation::fail(tx, (name, version), generation, why).await?;
    Ok(None)
}

async fn anew(
    tx: &Transaction<'_>,
    projection: &dyn AnyProjection,
    options: &ReplayOptions,
    ceiling: i64,
) -> Result<Begun, ReplayError> {
    let (name, version) = (projection.name(), projection.version());
    let (build, length) = (options.build.to_string(), options.lease.as_secs_f64());
    let begin = tx.prepare_cached(BEGIN).await?;
    let row =
        tx.query_one(&begin, &[&name, &version, &build, &options.node, &length, &ceiling]).await?;
    let generation: i32 = row.try_get(0)?;
    let table = table_of(name, version, generation);
    // Its number may have been given before, to one whose row was deleted since.
    tx.batch_execute(&DROP_TABLE.replace("{table}", &table)).await?;
    tx.execute(DELETE_PARKED, &[&name, &version, &generation]).await?;
    tx.batch_execute(&projection.table_sql().replace("{table}", &table)).await?;
    Ok(Begun { generation, fence: row.try_get(1)?, written: 0, indexed: false })
}
