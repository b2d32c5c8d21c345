//! Looks up rows of a projection by their keys: what is wanted at the same time is one statement.

use tokio::sync::{mpsc, oneshot};
use tokio_postgres::Row as SqlRow;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::Projection;
use super::any_projection::table_name;
use super::projection::Row;
use super::value::{Cell, Value};
use crate::postgres::{PgError, Pool};
use crate::supervise;

const FIND: &str = include_str!("find_rows.sql");
/// A longer statement costs each of its keys as much.
const KEYS_MAX: usize = 128;
/// Beyond these, who comes waits for a place in the queue.
const WAITING_MAX: usize = 1024;

/// Looks up rows of `P`, one statement after another. Who comes while one is under way is in the next one, which
/// begins afterwards: it sees every event that was committed before the call. Cheap to clone.
pub struct RowLookups<P: Projection> {
    pub(super) pool: Pool,
    queue: mpsc::Sender<Lookup<P>>,
}

impl<P: Projection> Clone for RowLookups<P> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), queue: self.queue.clone() }
    }
}

struct Lookup<P: Projection> {
    key: P::Key,
    stream: Uuid,
    answer: oneshot::Sender<Found>,
}

/// The columns of the row, all null without a row, and then the position of the last event of its stream in the
/// log's recent part. `None`: no reader has made the table yet.
pub(super) type Found = Result<Option<SqlRow>, PgError>;

impl<P: Projection> RowLookups<P> {
    /// Its task ends when every clone is dropped. `pool` leads to the log's database.
    pub fn start(pool: Pool) -> Self {
        let (queue, lookups) = mpsc::channel(WAITING_MAX);
        supervise::spawn("look-ups of rows", answer_all(pool.clone(), lookups));
        Self { pool, queue }
    }

    pub(super) async fn find(&self, key: P::Key, stream: Uuid) -> Found {
        let (answer, found) = oneshot::channel();
        let ends = || PgError::Database("this node is stopping".to_owned());
        self.queue.send(Lookup { key, stream, answer }).await.map_err(|_| ends())?;
        found.await.map_err(|_| ends())?
    }
}

async fn answer_all<P: Projection>(pool: Pool, mut queue: mpsc::Receiver<Lookup<P>>) {
    let find = statement::<P>();
    let mut lookups = Vec::new();
    while queue.recv_many(&mut lookups, KEYS_MAX).await > 0 {
        // Those who were cancelled want nothing any more.
        lookups.retain(|lookup| !lookup.answer.is_closed());
        if lookups.is_empty() {
            continue;
        }
        let found = find_rows::<P>(&pool, &find, &lookups).await;
        answer(lookups.drain(..), found);
    }
}

async fn find_rows<P: Projection>(
    pool: &Pool,
    find: &str,
    lookups: &[Lookup<P>],
) -> Result<Option<Vec<SqlRow>>, PgError> {
    let client = pool.get().await?;
    let keys: Vec<_> = lookups.iter().map(|lookup| Cell(lookup.key.sql())).collect();
    let streams: Vec<_> = lookups.iter().map(|lookup| lookup.stream).collect();
    let found = match client.prepare_cached(find).await {
        Ok(find) => client.query(&find, &[&keys, &streams]).await,
        Err(error) => Err(error),
    };
    match found {
        Ok(rows) => Ok(Some(rows)),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Each key has its row in the answer, in its place.
fn answer<P: Projection>(
    lookups: impl Iterator<Item = Lookup<P>>,
    found: Result<Option<Vec<SqlRow>>, PgError>,
) {
    // Who does not wait any more is not answered.
    match found {
        Ok(Some(rows)) => {
            for (lookup, row) in lookups.zip(rows) {
                let _ = lookup.answer.send(Ok(Some(row)));
            }
        }
        Ok(None) => lookups.for_each(|lookup| drop(lookup.answer.send(Ok(None)))),
        Err(error) => lookups.for_each(|lookup| drop(lookup.answer.send(Err(error.clone())))),
    }
}

fn statement<P: Projection>() -> String {
    let columns = P::Row::columns();
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    let found: Vec<_> = names.iter().map(|name| format!("found.{name}")).collect();
    FIND.replace("{table}", &table_name(P::NAME, P::VERSION))
        .replace("{key}", names.first().copied().unwrap_or_default())
        .replace("{key_type}", P::Key::TYPE.name())
        .replace("{columns}", &found.join(", "))
}
