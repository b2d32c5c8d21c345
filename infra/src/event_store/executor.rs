//! Executes commands: load, decide, append; again after a conflict.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{SubjectId, TenantId};
use tokio::sync::{Mutex, MutexGuard, Notify, watch};
use tokio::task::AbortHandle;
use uuid::Uuid;

use super::append::batcher::{self, ANSWER_WITHIN, BatcherOptions, RESEND_FOR};
use super::append::lookup::look_up;
use super::append::partitions::{create_partitions_ahead, keep_partitions_ahead};
use super::append::writes::Writes;
use super::config::{ExecutorConfig, StartError, check_all};
use super::decide::{Appender, Decision, receipt};
use super::error::ExecuteError;
use super::guard::{Guard, GuardedStream};
use super::load::cache::Cache;
use super::load::snapshot::Snapshots;
use super::load::state::{LoadError, Loaded, Stored, Until};
use super::load::streams::{Freshness, Streams};
use super::receipt::{AppendedEvent, Receipt};
use super::request::Request;
use super::step::Step;
use crate::ids::hashed;
use crate::keyring::{RequestMacKeys, RequestMacs, Sealer};
use crate::log::Feed;
use crate::metrics::Metrics;
use crate::postgres::{Pool, ToDatabaseUrl};
use crate::supervise;

pub(super) const FENCE: &str = "select event_log.fence($1, $2)";
pub(super) const FENCE_AT: &str = "select event_log.fence_at($1, $2, $3)";

/// Runs commands on the log. Cheap to clone.
#[derive(Clone)]
pub struct Executor(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub appender: Appender,
    request_macs: RequestMacKeys,
    metrics: Arc<Metrics>,
    appended: watch::Sender<i64>,
    /// Locks by stream: commands of this node that met a conflict run one after another.
    conflict_locks: Vec<Mutex<()>>,
    partitions: AbortHandle,
    writes: Writes,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.partitions.abort();
    }
}

/// Attempts of a command, the first one included.
const ATTEMPTS_MAX: u32 = 33;
const CONFLICT_LOCKS: usize = 256;

impl Executor {
    /// Checks that every event of the log can be decoded, creates the log's next partition when it
    /// is near, and opens the appending connection. `append_url` leads to PostgreSQL itself, not to
    /// a transaction-pooling proxy: the connection's settings and statements must last.
    ///
    /// # Errors
    /// `Upcaster` when this version of Lethe lacks a step between two versions of an event; `Append` when
    /// the connection cannot be opened; `Load` or `Feed` when the log cannot be read.
    pub async fn start(
        config: ExecutorConfig,
        pool: Pool,
        append_url: &(impl ToDatabaseUrl + ?Sized),
        sealer: Sealer,
        request_macs: RequestMacKeys,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StartError> {
        check_all()?;
        create_partitions_ahead(&pool, config.partition_events).await.map_err(LoadError::from)?;
        let head = Feed::head(&pool.get().await.map_err(LoadError::from)?).await?;
        let appended = watch::Sender::new(head);
        let missing = Arc::new(Notify::new());
        let url = append_url.to_database_url();
        let writes = Writes::new(metrics.log_writable.clone());
        let options = BatcherOptions {
            url: url.map_err(|error| StartError::Append(error.to_string()))?.into_owned(),
            connect: config.connect,
            appends_max: config.appends_max,
            waiting_max: config.waiting_max,
            answer_within: ANSWER_WITHIN,
            resend_for: RESEND_FOR,
            watermark: config.watermark.clone(),
            writes: writes.clone(),
            ask_every: config.ask_every,
        };
        let starting =
            batcher::start(options, Arc::clone(&metrics), appended.clone(), Arc::clone(&missing));
        let queue = starting.await.map_err(StartError::Append)?;
        let (size, head) = (config.partition_events, appended.subscribe());
        let ahead = keep_partitions_ahead(pool.clone(), size, head, missing);
        let partitions = supervise::spawn("partitions", ahead).abort_handle();
        let snapshots = Snapshots::start(pool.clone(), config.snapshot_events);
        let cache = Cache::new(config.states_max);
        let streams = Streams { pool, cache, snapshots, watermark: config.watermark };
        let conflict_locks = (0..CONFLICT_LOCKS).map(|_| Mutex::new(())).collect();
        Ok(Self(Arc::new(Inner {
            appender: Appender { streams, queue, sealer },
            request_macs,
            metrics,
            appended,
            conflict_locks,
            partitions,
            writes,
        })))
    }

    /// Runs a command: all its steps are one append. It may be sent again with the same command id:
    /// it is executed once, and each call returns the same events.
    ///
    /// # Errors
    /// See `ExecuteError`.
    pub async fn execute(
        &self,
        request: &Request,
        steps: &[Step],
    ) -> Result<Receipt, ExecuteError> {
        let since = Instant::now();
        let answer = self.attempt(request, steps).await;
        self.0.metrics.append_seconds.observe(since.elapsed().as_secs_f64());
        answer
    }

    /// The receipt of an earlier call with this command id; `None` when there was none, or it is
    /// older than 30 days. Ask before a side effect that comes ahead of the append: a repeated command must
    /// not have it again. Its `versions` are those of the streams of its events, in their order.
    ///
    /// # Errors
    /// `Reused` when that call had another body; `Unavailable`.
    pub async fn find_earlier(&self, request: &Request) -> Result<Option<Receipt>, ExecuteError> {
        let macs = self.request_macs(request).await?;
        Ok(self.earlier(request, macs).await?.map(Receipt::of_earlier))
    }

    /// An id derived from a request with its body: the same request gets the same id for the rest of the
    /// day (UTC), and another body another one. Nobody can test a guess of the body on it once the key
    /// of that day is erased.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn id_of(&self, request: &Request, label: &str) -> Result<Uuid, ExecuteError> {
        let mac = self.request_macs(request).await?.map_or([0; 32], |macs| macs.today);
        Ok(hashed(&[request.command.0.as_bytes(), label.as_bytes(), &mac]))
    }

    /// Decides on the cached states first. Before a refusal is returned, and after a conflict, decides on
    /// the newest states; after a conflict one command of this node at a time.
    async fn attempt(&self, request: &Request, steps: &[Step]) -> Result<Receipt, ExecuteError> {
        let macs = self.request_macs(request).await?;
        let mut freshness = Freshness::Cached;
        let mut stream_lock: Option<MutexGuard<'_, ()>> = None;
        let mut conflicts = 0;
        loop {
            let decision = self.0.appender.decide(request, steps, freshness).await?;
            freshness = Freshness::Fresh;
            if !decision.appends() {
                if decision.is_fresh() {
                    return self.answer_without_append(request, steps, macs, decision).await;
                }
                continue;
            }
            let Decision { draft, loaded, .. } = decision;
            let appended = match self.0.appender.append(draft, macs).await {
                Err(ExecuteError::Reused) => {
                    self.earlier(request, macs).await?.map(|events| (events, true))
                }
                appended => appended?,
            };
            if let Some(appended) = appended {
                let receipt = receipt(steps, &loaded, Some(appended));
                if !receipt.replayed() {
                    self.0.appender.cache(request.tenant, steps, loaded, &receipt);
                }
                return Ok(receipt);
            }
            conflicts += 1;
            if conflicts >= ATTEMPTS_MAX {
                return Err(ExecuteError::Conflict);
            }
            if stream_lock.is_some() {
                tokio::time::sleep(jitter(conflicts)).await;
            } else if let Some(lock) = self.conflict_lock(steps) {
                stream_lock = Some(lock.lock().await);
            }
        }
    }

    /// A command that is refused, or changes nothing, may have been executed before: looks for its
    /// events.
    async fn answer_without_append(
        &self,
        request: &Request,
        steps: &[Step],
        macs: Option<RequestMacs>,
        decision: Decision<'_>,
    ) -> Result<Receipt, ExecuteError> {
        let earlier = self.earlier(request, macs).await?;
        match (earlier, decision.refused) {
            (None, Some(refused)) => Err(refused),
            (earlier, _) => {
                Ok(receipt(steps, &decision.loaded, earlier.map(|events| (events, true))))
            }
        }
    }

    /// The events of an earlier call, also of one that a former version has executed.
    async fn earlier(
        &self,
        request: &Request,
        macs: Option<RequestMacs>,
    ) -> Result<Option<Vec<AppendedEvent>>, ExecuteError> {
        let pool = &self.0.appender.streams.pool;
        let found = look_up(pool, request, macs).await;
        if let (Err(ExecuteError::Reused), Some(former)) = (&found, &request.former_body) {
            let macs = self.macs_of(request, former).await?;
            return look_up(pool, request, Some(macs)).await;
        }
        found
    }

    fn conflict_lock(&self, steps: &[Step]) -> Option<&Mutex<()>> {
        let stream = steps.first()?.stream.as_u128();
        self.0.conflict_locks.get(usize::try_from(stream % CONFLICT_LOCKS as u128).ok()?)
    }

    /// Decides guards on the newest states, and says which, for what appends nothing: after it they may fail at any time.
    ///
    /// # Errors
    /// See `ExecuteError`.
    pub async fn check(&self, guards: &[Guard]) -> Result<Vec<GuardedStream>, ExecuteError> {
        let mut on = Vec::with_capacity(guards.len());
        for guard in guards {
            on.push(guard.decided_on(&self.0.appender.streams).await?);
        }
        Ok(on)
    }

    /// The newest state of a stream.
    ///
    /// # Errors
    /// See `LoadError`.
    pub async fn load<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
    ) -> Result<Loaded<A>, LoadError> {
        Ok(self.0.appender.streams.load(tenant, stream, Freshness::Fresh).await?.loaded)
    }

    /// The state that a stream had.
    ///
    /// # Errors
    /// See `LoadError`.
    pub async fn load_until<A: Stored>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        until: Until,
    ) -> Result<Loaded<A>, LoadError> {
        self.0.appender.streams.load_until(tenant, stream, until).await
    }

    /// Who has reserved this; `None` when it is free.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn reservation_owner(
        &self,
        kind: &str,
        blind_index: &[u8],
    ) -> Result<Option<Uuid>, LoadError> {
        self.0.appender.reservation_owner(kind, blind_index).await
    }

    /// Fences an erased subject for good: after it, no event about the subject is appended but those
    /// of the types `closing`. Its reservations are deleted in the same commit. Returns the log's
    /// last position before the fence; a repeated call returns the same one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn fence(&self, subject: SubjectId, closing: &[&str]) -> Result<i64, LoadError> {
        let client = self.0.appender.streams.pool.get().await?;
        let fence = client.prepare_cached(FENCE).await?;
        Ok(client.query_one(&fence, &[&subject.0, &closing]).await?.try_get(0)?)
    }

    /// As [`Self::fence`], if the subject's own stream is at this version still. `None`: it has moved, and
    /// there is no fence.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn fence_at(
        &self,
        subject: SubjectId,
        closing: &[&str],
        version: i64,
    ) -> Result<Option<i64>, LoadError> {
        let client = self.0.appender.streams.pool.get().await?;
        let fence = client.prepare_cached(FENCE_AT).await?;
        Ok(client.query_one(&fence, &[&subject.0, &closing, &version]).await?.try_get(0)?)
    }

    /// The log's last position, as far as this node knows it from its own appends.
    pub fn appended(&self) -> watch::Receiver<i64> {
        self.0.appended.subscribe()
    }

    /// Whether the server takes what this node appends. After a refusal that any append would meet it is
    /// asked each second, by a write that leaves nothing behind.
    ///
    /// # Errors
    /// Why not: a full disk, a server that is read-only, a right that is gone, …
    pub fn check_writes(&self) -> Result<(), String> {
        self.0.writes.check()
    }

    /// Waits until every earlier append is answered, at most `limit`.
    pub async fn drain(&self, limit: Duration) {
        if tokio::time::timeout(limit, self.0.appender.queue.drain()).await.is_err() {
            tracing::warn!("appends were still waiting when the time for the drain had passed");
        }
    }

    async fn request_macs(&self, request: &Request) -> Result<Option<RequestMacs>, ExecuteError> {
        let Some(body) = &request.body else { return Ok(None) };
        self.macs_of(request, body).await.map(Some)
    }

    async fn macs_of(&self, request: &Request, body: &[u8]) -> Result<RequestMacs, ExecuteError> {
        let macs = self.0.request_macs.macs(request.tenant, body).await;
        macs.map_err(|error| ExecuteError::Unavailable(error.to_string()))
    }
}

/// Up to a few milliseconds, longer with each conflict.
fn jitter(conflicts: u32) -> Duration {
    let drawn = RandomState::new().build_hasher().finish();
    let micros_max = 500 * u64::from(conflicts.min(16) + 1);
    Duration::from_micros(drawn % micros_max)
}
