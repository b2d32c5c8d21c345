//! Runs commands: load, decide, seal, append; and again when others were faster.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use domain::{SubjectId, TenantId};
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::AbortHandle;
use uuid::Uuid;

use super::append::Answer;
use super::attempt::Attempt;
use super::batcher::{self, BatcherOptions};
use super::cache::Cache;
use super::config::check_all;
use super::queue::Queue;
use super::recall::recall;
use super::snapshot::Snapshots;
use super::streams::{Sight, Streams};
use super::{ExecuteError, ExecutorConfig, LoadError, Loaded, Receipt, Request, StartError, Step};
use super::{Stored, room};
use crate::keyring::{Keyring, RequestMacs};
use crate::log::Feed;
use crate::metrics::Metrics;
use crate::postgres::Pool;

/// Runs commands on the log. Cheap to clone.
#[derive(Clone)]
pub struct Executor(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub streams: Streams,
    pub queue: Queue,
    pub keyring: Keyring,
    metrics: Arc<Metrics>,
    appended: watch::Sender<i64>,
    /// Who met a conflict waits in line with the others of this node who did, by stream.
    lines: Vec<Mutex<()>>,
    room: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.room.abort();
    }
}

const ATTEMPTS_MAX: u32 = 32;
const LINES: usize = 256;

impl Executor {
    /// Checks that every event of the log can be read, opens the appending connection, and makes
    /// room in the log. `append_url` must not lead to a transaction-pooling proxy.
    pub async fn start(
        config: ExecutorConfig,
        pool: Pool,
        append_url: &str,
        keyring: Keyring,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StartError> {
        check_all()?;
        room::extend(&pool, config.partition_events).await.map_err(LoadError::from)?;
        let head = Feed::head(&pool.get().await.map_err(LoadError::from)?).await?;
        let appended = watch::Sender::new(head);
        let missing = Arc::new(Notify::new());
        let options = BatcherOptions {
            url: append_url.to_owned(),
            connect: config.connect,
            appends_max: config.appends_max,
            waiting_max: config.waiting_max,
        };
        let starting =
            batcher::start(options, Arc::clone(&metrics), appended.clone(), Arc::clone(&missing));
        let queue = starting.await.map_err(StartError::Append)?;
        let ahead =
            room::keep_ahead(pool.clone(), config.partition_events, appended.subscribe(), missing);
        let room = tokio::spawn(ahead).abort_handle();
        let snapshots = Snapshots::start(pool.clone(), config.snapshot_events);
        let streams = Streams { pool, cache: Cache::new(config.states_max), snapshots };
        let lines = (0..LINES).map(|_| Mutex::new(())).collect();
        Ok(Self(Arc::new(Inner { streams, queue, keyring, metrics, appended, lines, room })))
    }

    /// All steps are one append. The same command id with the same request is done once, however
    /// often it is asked.
    pub async fn execute(
        &self,
        request: &Request,
        steps: &[Step],
    ) -> Result<Receipt, ExecuteError> {
        let since = Instant::now();
        let macs = match &request.body {
            Some(body) => Some(self.macs(request.tenant, body).await?),
            None => None,
        };
        let done = match self.attempt(request, steps, macs, Sight::Cached).await? {
            Attempt::Stale => self.attempt(request, steps, macs, Sight::Fresh).await?,
            Attempt::Conflict => self.in_line(request, steps, macs).await?,
            done @ (Attempt::Done(_) | Attempt::Refused(_) | Attempt::Unchanged(_)) => done,
        };
        let done = match done {
            Attempt::Stale | Attempt::Conflict => self.in_line(request, steps, macs).await?,
            done @ (Attempt::Done(_) | Attempt::Refused(_) | Attempt::Unchanged(_)) => done,
        };
        let receipt = self.tell(request, steps, macs, done).await;
        self.0.metrics.append_seconds.observe(since.elapsed().as_secs_f64());
        receipt
    }

    /// The newest state of a stream. Its personal fields are sealed.
    pub async fn load<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
    ) -> Result<Loaded<A>, LoadError> {
        Ok(self.0.streams.load(tenant, stream, Sight::Fresh).await?.0)
    }

    /// A stream as it stood at a time: after the events that were recorded by then.
    pub async fn load_as_of<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        at: DateTime<Utc>,
    ) -> Result<Loaded<A>, LoadError> {
        self.0.streams.load_as_of(tenant, stream, at).await
    }

    pub async fn reservation_owner(
        &self,
        kind: &str,
        blind_index: &[u8],
    ) -> Result<Option<Uuid>, LoadError> {
        let client = self.0.streams.pool.get().await?;
        let find = client.prepare_cached(include_str!("find_reservation.sql")).await?;
        let found = client.query_opt(&find, &[&kind, &blind_index]).await?;
        Ok(found.map(|row| row.try_get(0)).transpose()?)
    }

    /// After it nothing about the subject is appended but the `closing` event types, for good; its
    /// reservations are given back in the same commit. Answers the last position before the fence.
    pub async fn fence(&self, subject: SubjectId, closing: &[&str]) -> Result<i64, LoadError> {
        let client = self.0.streams.pool.get().await?;
        let fence = client.prepare_cached(include_str!("fence.sql")).await?;
        Ok(client.query_one(&fence, &[&subject.0, &closing]).await?.try_get(0)?)
    }

    /// The highest position that this node knows of.
    pub fn appended(&self) -> watch::Receiver<i64> {
        self.0.appended.subscribe()
    }

    /// Waits until what was handed in is answered.
    pub async fn drain(&self, limit: Duration) {
        if tokio::time::timeout(limit, self.0.queue.drain()).await.is_err() {
            tracing::warn!("appends were still waiting when the time to drain was over");
        }
    }

    async fn macs(&self, tenant: TenantId, body: &[u8]) -> Result<RequestMacs, ExecuteError> {
        let macs = self.0.keyring.request_macs(tenant, body).await;
        macs.map_err(|error| ExecuteError::Unavailable(error.to_string()))
    }

    /// After a conflict: one at a time on this node, each on the newest state.
    async fn in_line(
        &self,
        request: &Request,
        steps: &[Step],
        macs: Option<RequestMacs>,
    ) -> Result<Attempt, ExecuteError> {
        let stream = steps.first().map_or(0, |step| step.stream.as_u128());
        let line = usize::try_from(stream % LINES as u128).unwrap_or_default();
        let line = self.0.lines.get(line).ok_or(ExecuteError::Conflict)?;
        let _turn = line.lock().await;
        for tried in 0..ATTEMPTS_MAX {
            match self.attempt(request, steps, macs, Sight::Fresh).await? {
                Attempt::Conflict | Attempt::Stale => tokio::time::sleep(jitter(tried)).await,
                done @ (Attempt::Done(_) | Attempt::Refused(_) | Attempt::Unchanged(_)) => {
                    return Ok(done);
                }
            }
        }
        Err(ExecuteError::Conflict)
    }

    /// Before a refusal is told, or that nothing changed: did this command do it itself?
    async fn tell(
        &self,
        request: &Request,
        steps: &[Step],
        macs: Option<RequestMacs>,
        done: Attempt,
    ) -> Result<Receipt, ExecuteError> {
        let (untold, unchanged) = match done {
            Attempt::Done(receipt) => return Ok(receipt),
            Attempt::Stale | Attempt::Conflict => return Err(ExecuteError::Conflict),
            Attempt::Refused(reason) => (Err(reason), Vec::new()),
            Attempt::Unchanged(versions) => {
                let receipt =
                    Receipt { first: 0, last: 0, versions: versions.clone(), replayed: false };
                (Ok(receipt), versions)
            }
        };
        match recall(&self.0.streams.pool, request, macs).await? {
            None => untold,
            Some(Answer::Replayed { first, last, streams }) => {
                let reached = |step: (usize, &Step)| {
                    let known = streams.iter().find(|known| known.stream_id == step.1.stream);
                    known.map_or(unchanged.get(step.0).copied(), |known| Some(known.version))
                };
                let versions = steps.iter().enumerate().map(reached);
                let versions = versions.map(Option::unwrap_or_default).collect();
                Ok(Receipt { first, last, versions, replayed: true })
            }
            Some(_) => Err(ExecuteError::Reused),
        }
    }
}

/// Up to a few milliseconds, longer with each try.
fn jitter(tried: u32) -> Duration {
    let drawn = RandomState::new().build_hasher().finish();
    let micros_max = 500 * u64::from(tried.min(16) + 1);
    Duration::from_micros(drawn % micros_max)
}
