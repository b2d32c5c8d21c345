//! Generations: a projection's rows are in the table of one, and its view shows the live one. The reader writes also those
//! that are joined and kept, in the same transaction; the checkpoint's row is the lock of them all.

mod compare;
mod discard;
mod error;
mod first;
mod promote;
mod state;
mod sweep;

use std::time::Duration;

use tokio_postgres::Error;

use super::Reader;
use super::reader::ReaderKind;
use crate::postgres::{GenericClient, PgError, Pool, Transaction};
pub use compare::compare;
pub use discard::discard;
pub(super) use discard::drop_all;
pub use error::GenerationError;
use error::Refused;
pub(super) use error::is_busy;
pub(super) use first::make_first;
pub(super) use promote::show_table;
pub use promote::{promote, roll_back};
pub use state::{Generation, GenerationState};
pub(super) use sweep::drop_now_or_later;
pub use sweep::sweep_generations;

const LIST: &str = include_str!("list.sql");
const FIND_TARGETS: &str = include_str!("find_targets.sql");
const LOCK_CHECKPOINT: &str = "select position, generation from readers.checkpoints \
    where name = $1 and version = $2 for update";
/// A page is written within it. Whoever waits for the checkpoint alone holds up nobody.
const LIMIT_CHECKPOINT_WAIT: &str = "set local lock_timeout = '2s'";
/// So long everybody else waits behind whoever waits for the lock of a view or of a table.
pub(super) const LIMIT_TABLE_WAIT: &str = "set local lock_timeout = '100ms'";
const HAVE_SAME_COLUMNS: &str = include_str!("have_same_columns.sql");
const FREE_CHECKPOINT: &str = include_str!("free_checkpoint.sql");
const FAIL: &str = include_str!("fail.sql");

/// How long a generation is kept after another one is live in its place; `None`: it is dropped with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep(pub Option<Duration>);

/// In what a generation differs from the live one, at the same position.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct Comparison {
    pub generation: i32,
    pub live: i32,
    /// Both have the events up to here.
    pub position: i64,
    /// How many rows were compared: of the live one, and of the other.
    pub rows: [i64; 2],
    pub differing: Vec<Difference>,
    /// Whether all rows were compared; else it has stopped where enough differed.
    pub is_complete: bool,
}

/// A row in which two generations differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct Difference {
    pub key: String,
    pub is: Differs,
}

/// How a row differs from that of the live generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Differs {
    /// Only the live one has it.
    Missing,
    /// The live one does not have it.
    More,
    /// Both have it.
    Changed {
        /// Those that differ, without what they hold.
        columns: Vec<String>,
    },
}

/// The generations of every version of a projection, the newest first: at most 100, the last of those that have ended.
///
/// # Errors
/// The database does not answer.
pub async fn generations(pool: &Pool, name: &str) -> Result<Vec<Generation>, PgError> {
    let client = pool.get().await?;
    let list = client.prepare_cached(LIST).await?;
    client.query(&list, &[&name]).await?.iter().map(Generation::from_row).collect()
}

/// The name and the version of a projection.
fn id_of(reader: &Reader) -> Result<(&'static str, i16), GenerationError> {
    match reader.0 {
        ReaderKind::Projection(_) => Ok((reader.name(), reader.version())),
        ReaderKind::Worker(_) => Err(GenerationError::Worker),
    }
}

/// The generations of one version, the newest first.
async fn of_version(
    client: &impl GenericClient,
    (name, version): (&str, i16),
) -> Result<Vec<Generation>, GenerationError> {
    let list = client.prepare_cached(LIST).await?;
    let mut found = Vec::new();
    for row in client.query(&list, &[&name]).await? {
        found.push(Generation::from_row(&row)?);
    }
    found.retain(|generation| generation.version == version);
    Ok(found)
}

async fn find(
    client: &impl GenericClient,
    id: (&str, i16),
    generation: i32,
) -> Result<Generation, GenerationError> {
    let found = of_version(client, id).await?.into_iter().find(|it| it.generation == generation);
    found.ok_or(GenerationError::NotFound)
}

/// Whether two relations have the same columns in the same order. One that is not there has those of the other.
async fn have_same_columns(
    client: &impl GenericClient,
    one: &str,
    other: &str,
) -> Result<bool, Error> {
    let have = client.prepare_cached(HAVE_SAME_COLUMNS).await?;
    client.query_one(&have, &[&one, &other]).await?.try_get(0)
}

/// As [`lock_checkpoint`], for at most as long as a page takes, and first in its transaction.
async fn lock(tx: &Transaction<'_>, (name, version): (&str, i16)) -> Result<(), Refused> {
    tx.batch_execute(LIMIT_CHECKPOINT_WAIT).await?;
    let lock = tx.prepare_cached(LOCK_CHECKPOINT).await?;
    match tx.query_opt(&lock, &[&name, &version]).await? {
        Some(_) => Ok(()),
        None => Err(GenerationError::NotFound.into()),
    }
}

/// A table that a reader writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub generation: i32,
    /// With its schema.
    pub table: String,
    pub is_live: bool,
}

/// The table of a generation, with its schema.
pub(super) fn table_of(name: &str, version: i16, generation: i32) -> String {
    format!("read_models.{name}_v{version}_g{generation}")
}

/// The tables that a reader writes, the live one first. They stay the same for as long as the checkpoint's fence does.
pub(super) async fn targets(
    client: &impl GenericClient,
    (name, version): (&str, i16),
) -> Result<Vec<Target>, Error> {
    let find = client.prepare_cached(FIND_TARGETS).await?;
    let found = client.query(&find, &[&name, &version]).await?;
    let targets = found.into_iter().map(|row| {
        let generation = row.try_get(0)?;
        let table = table_of(name, version, generation);
        Ok(Target { generation, table, is_live: row.try_get(1)? })
    });
    targets.collect()
}

/// Waits for the page that the reader writes, and lets it write none until the commit. Where it stands, and its live
/// generation. Whoever changes what a reader writes locks this first, before any table.
pub(super) async fn lock_checkpoint(
    tx: &Transaction<'_>,
    (name, version): (&str, i16),
) -> Result<(i64, i32), Error> {
    let lock = tx.prepare_cached(LOCK_CHECKPOINT).await?;
    let row = tx.query_one(&lock, &[&name, &version]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Takes the reader from its node: whoever takes it next finds what it writes now.
pub(super) async fn free_checkpoint(
    tx: &Transaction<'_>,
    (name, version): (&str, i16),
) -> Result<(), Error> {
    let free = tx.prepare_cached(FREE_CHECKPOINT).await?;
    tx.execute(&free, &[&name, &version]).await?;
    Ok(())
}

/// A generation that is not live is written no more, and its parked streams wait for nothing.
pub(super) async fn fail(
    tx: &Transaction<'_>,
    (name, version): (&str, i16),
    generation: i32,
    error: &str,
) -> Result<(), Error> {
    let fail = tx.prepare_cached(FAIL).await?;
    tx.execute(&fail, &[&name, &version, &generation, &error]).await?;
    Ok(())
}
