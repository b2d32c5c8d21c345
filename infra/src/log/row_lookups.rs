//! Looks up rows of a projection by their keys: what is wanted at the same time is one statement.

use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tokio_postgres::Row as SqlRow;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::Projection;
use super::any_projection::view_name;
use super::projection::Row;
use super::value::{Cell, Value};
use crate::metrics::Metrics;
use crate::postgres::{PgError, Pool};
use crate::supervise;

const FIND: &str = include_str!("find_rows.sql");
/// A longer statement costs each of its keys as much.
const KEYS_MAX: usize = 128;
/// Beyond these, who comes waits for a place in the queue.
const WAITING_MAX: usize = 1024;
const STATEMENTS_MAX: usize = 2;
/// While a statement has not taken so long, whoever comes shares the next one.
const SLOW_AFTER: Duration = Duration::from_millis(100);
const TASK: &str = "look-ups of rows";

/// How long a statement may take that looks up rows: then it is an error of all who share it.
pub const LOOKUP_LIMIT: Duration = Duration::from_secs(2);

/// Looks up rows of `P`, one statement after another, and beside one that takes long another one. Who comes while
/// one is under way is in the next one, which begins afterwards: it sees every event that was committed before the
/// call. Cheap to clone.
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

/// What `find_rows.sql` says of one key. `None`: no reader has made the table yet.
pub(super) type Found = Result<Option<SqlRow>, PgError>;

impl<P: Projection> RowLookups<P> {
    /// Its task ends when every clone is dropped. `pool` leads to the log's database; `limit` is for one
    /// statement, beside the pool's own for a connection: [`LOOKUP_LIMIT`].
    pub fn start(pool: Pool, metrics: &Metrics, limit: Duration) -> Self {
        let (queue, lookups) = mpsc::channel(WAITING_MAX);
        // A counter that begins with the first one would not be seen to rise.
        let version = P::VERSION.to_string();
        let series = [P::NAME, version.as_str()];
        let given_up = metrics.row_lookups_given_up.with_label_values(&series);
        let finder = Finder { pool: pool.clone(), find: statement::<P>(), limit, given_up };
        supervise::spawn(TASK, answer_all(Arc::new(finder), lookups));
        Self { pool, queue }
    }

    pub(super) async fn find(&self, key: P::Key, stream: Uuid) -> Found {
        let (answer, found) = oneshot::channel();
        let ends = || PgError::Database("this node is stopping".to_owned());
        self.queue.send(Lookup { key, stream, answer }).await.map_err(|_| ends())?;
        found.await.map_err(|_| ends())?
    }
}

async fn answer_all<P: Projection>(finder: Arc<Finder>, mut queue: mpsc::Receiver<Lookup<P>>) {
    let places = Arc::new(Semaphore::new(STATEMENTS_MAX));
    while let Ok(place) = places.clone().acquire_owned().await {
        let mut lookups = Vec::new();
        if queue.recv_many(&mut lookups, KEYS_MAX).await == 0 {
            return;
        }
        // Those who were cancelled want nothing any more.
        lookups.retain(|lookup| !lookup.answer.is_closed());
        if lookups.is_empty() {
            continue;
        }
        let mut answering = Box::pin(answer(finder.clone(), lookups, place));
        // What holds it up, such as a lost connection, is nothing to those who come later.
        if timeout(SLOW_AFTER, &mut answering).await.is_err() {
            supervise::spawn(TASK, answering);
        }
    }
}

/// Who does not wait any more is not answered.
async fn answer<P: Projection>(
    finder: Arc<Finder>,
    lookups: Vec<Lookup<P>>,
    _place: OwnedSemaphorePermit,
) {
    match finder.find(&lookups).await {
        Ok(Some(rows)) => {
            let found = by_key::<P>(rows, lookups.len());
            lookups.into_iter().zip(found).for_each(|(it, found)| drop(it.answer.send(found)));
        }
        Ok(None) => lookups.into_iter().for_each(|it| drop(it.answer.send(Ok(None)))),
        Err(error) => lookups.into_iter().for_each(|it| drop(it.answer.send(Err(error.clone())))),
    }
}

/// The row of each key, in the order of the keys. One that is there twice is an error of its key.
fn by_key<P: Projection>(rows: Vec<SqlRow>, keys: usize) -> Vec<Found> {
    let mut found: Vec<Vec<SqlRow>> = (0..keys).map(|_| Vec::new()).collect();
    for row in rows {
        // The first key has number 1.
        let number = row.try_get::<_, i64>("key_number").unwrap_or_default();
        if let Some(of) = usize::try_from(number - 1).ok().and_then(|at| found.get_mut(at)) {
            of.push(row);
        }
    }
    let only = |mut rows: Vec<SqlRow>| {
        if let (Some(row), true) = (rows.pop(), rows.is_empty()) {
            return Ok(Some(row));
        }
        let name = P::NAME;
        let why = format!("{name} has two rows of a key: build it again with `lethe replay`");
        Err(PgError::Database(why))
    };
    found.into_iter().map(only).collect()
}

struct Finder {
    pool: Pool,
    find: String,
    limit: Duration,
    given_up: IntCounter,
}

impl Finder {
    async fn find<P: Projection>(
        &self,
        lookups: &[Lookup<P>],
    ) -> Result<Option<Vec<SqlRow>>, PgError> {
        let client = self.pool.get().await?;
        let keys: Vec<_> = lookups.iter().map(|lookup| Cell(lookup.key.sql())).collect();
        let streams: Vec<_> = lookups.iter().map(|lookup| lookup.stream).collect();
        let finding = async {
            let find = client.prepare_cached(&self.find).await?;
            client.query(&find, &[&keys, &streams]).await
        };
        match timeout(self.limit, finding).await {
            Ok(Ok(rows)) => Ok(Some(rows)),
            Ok(Err(error)) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(None),
            Ok(Err(error)) => Err(error.into()),
            // The server is asked to cancel it, and the connection is used by nobody.
            Err(_) => {
                self.given_up.inc();
                let within = self.limit.as_secs_f32();
                Err(PgError::Database(format!("a row was not looked up within {within} s")))
            }
        }
    }
}

fn statement<P: Projection>() -> String {
    let columns = P::Row::columns();
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    let found: Vec<_> = names.iter().map(|name| format!("found.{name}")).collect();
    FIND.replace("{table}", &view_name(P::NAME, P::VERSION))
        .replace("{name}", P::NAME)
        .replace("{version}", &P::VERSION.to_string())
        .replace("{key}", names.first().copied().unwrap_or_default())
        .replace("{key_type}", P::Key::TYPE.name())
        .replace("{columns}", &found.join(", "))
}
