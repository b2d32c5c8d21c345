//! Runs commands: load, decide, seal, append; and again when others were faster.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::GenericClient;
use domain::account::AccountEvent;
use domain::operator::OperatorEvent;
use domain::session::SessionEvent;
use domain::{SubjectId, TenantId, check_upcasters};
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::AbortHandle;
use uuid::Uuid;

use super::append::{Answer, Append};
use super::batcher::{self, BatcherOptions, Queue, Unanswered};
use super::cache::Cache;
use super::draft::Draft;
use super::recall::recall;
use super::snapshot::Snapshots;
use super::step::Standing;
use super::streams::{Sight, Streams};
use super::{Claim, ExecuteError, LoadError, Loaded, Receipt, Request, Step, Stored, room};
use crate::keyring::{Keyring, RequestMacs};
use crate::log::Feed;
use crate::metrics::Metrics;
use crate::postgres::{ConnectOptions, Pool};

#[derive(Clone, Debug)]
pub struct ExecutorConfig {
    /// How the appending connection is made.
    pub connect: ConnectOptions,
    /// Appends in one batch.
    pub appends_max: usize,
    /// Appends that may wait; more are refused as overloaded.
    pub waiting_max: usize,
    /// States kept in memory.
    pub states_max: usize,
    pub snapshot_events: i64,
    pub partition_events: i64,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        Self {
            connect: ConnectOptions { application: "lethe append", ..ConnectOptions::app() },
            appends_max: 256,
            waiting_max: 4096,
            states_max: 65_536,
            snapshot_events: 100,
            partition_events: 100_000_000,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{event_type} has no step up from version {version}")]
    Upcaster { event_type: &'static str, version: i16 },
    #[error("the appending connection: {0}")]
    Append(String),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Feed(#[from] crate::log::FeedError),
}

/// Runs commands on the log. Cheap to clone.
#[derive(Clone)]
pub struct Executor(Arc<Inner>);

struct Inner {
    streams: Streams,
    queue: Queue,
    keyring: Keyring,
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

/// What one attempt came to.
enum Attempt {
    Done(Receipt),
    /// Decided on what the cache had: to be decided again before it is told.
    Stale,
    Conflict,
    /// Decided on the newest state. Told, unless the command was answered before.
    Refused(ExecuteError),
    Unchanged(Vec<i64>),
}

/// A stream that a command touches.
struct Touched {
    stream: Uuid,
    before: i64,
    fresh: bool,
    standing: Standing,
}

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
        check::<AccountEvent>()?;
        check::<SessionEvent>()?;
        check::<OperatorEvent>()?;
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

    pub async fn claim_owner(
        &self,
        kind: &str,
        blind_index: &[u8],
    ) -> Result<Option<Uuid>, LoadError> {
        let client = self.0.streams.pool.get().await?;
        let find = client.prepare_cached(include_str!("find_claim.sql")).await?;
        let found = client.query_opt(&find, &[&kind, &blind_index]).await?;
        Ok(found.map(|row| row.try_get(0)).transpose()?)
    }

    /// After it nothing about the subject is appended but the `closing` event types, for good; its
    /// claims are given back in the same commit. Answers the last position before the fence.
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

    async fn attempt(
        &self,
        request: &Request,
        steps: &[Step],
        macs: Option<RequestMacs>,
        sight: Sight,
    ) -> Result<Attempt, ExecuteError> {
        let Inner { streams, keyring, .. } = &*self.0;
        let mut draft = Draft { keyring, request, events: Vec::with_capacity(steps.len()) };
        let mut touched: Vec<Touched> = Vec::with_capacity(steps.len());
        for step in steps {
            if !touched.iter().any(|known| known.stream == step.stream) {
                let standing = step.ask.stand(streams, request.tenant, step.stream, sight).await?;
                let (standing, fresh) = standing;
                let (stream, before) = (step.stream, standing.version);
                touched.push(Touched { stream, before, fresh, standing });
            }
            let known = touched.iter_mut().find(|known| known.stream == step.stream);
            let Some(known) = known else { return Ok(Attempt::Conflict) };
            let refused = match step.expecting {
                Some(version) if version != known.before => {
                    Err(ExecuteError::Stale { version: known.before })
                }
                _ => {
                    let decided =
                        step.ask.decide(&mut draft, step.stream, known.before, &mut known.standing);
                    decided.await
                }
            };
            if let Err(refused) = refused {
                let fresh = touched.iter().all(|known| known.fresh);
                return Ok(if fresh { Attempt::Refused(refused) } else { Attempt::Stale });
            }
        }
        if draft.events.is_empty() {
            let fresh = touched.iter().all(|known| known.fresh);
            let versions = versions(steps, &touched, &[]);
            return Ok(if fresh { Attempt::Unchanged(versions) } else { Attempt::Stale });
        }
        let append = draft.append(macs)?;
        self.append(request, steps, append, touched).await
    }

    async fn append(
        &self,
        request: &Request,
        steps: &[Step],
        append: Append,
        touched: Vec<Touched>,
    ) -> Result<Attempt, ExecuteError> {
        match self.0.queue.append(append).await? {
            Answer::Appended { first, last } => {
                let versions = versions(steps, &touched, &[]);
                self.keep(request.tenant, steps, touched);
                Ok(Attempt::Done(Receipt { first, last, versions, replayed: false }))
            }
            Answer::Replayed { first, last, streams } => {
                let versions = versions(steps, &touched, &streams);
                Ok(Attempt::Done(Receipt { first, last, versions, replayed: true }))
            }
            Answer::Reused => Err(ExecuteError::Reused),
            Answer::Fenced => Err(ExecuteError::Fenced),
            Answer::Conflict => Ok(Attempt::Conflict),
            Answer::Claimed => Err(self.claimed(request).await?),
        }
    }

    fn keep(&self, tenant: TenantId, steps: &[Step], touched: Vec<Touched>) {
        for Touched { stream, before, standing, .. } in touched {
            let events = standing.version - before;
            if let Some(step) = steps.iter().find(|step| step.stream == stream) {
                step.ask.keep(&self.0.streams, tenant, stream, events, standing);
            }
        }
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

    /// Whose claim it was that is another's.
    async fn claimed(&self, request: &Request) -> Result<ExecuteError, LoadError> {
        let mut taken = None;
        for claim in &request.claims {
            if let Claim::Take { kind, blind_index, owner } = claim {
                let other = self.claim_owner(kind, blind_index).await?;
                if other.is_some_and(|other| other != *owner) {
                    return Ok(ExecuteError::Claimed { kind: kind.clone() });
                }
                taken = taken.or(Some(kind));
            }
        }
        Ok(ExecuteError::Claimed { kind: taken.cloned().unwrap_or_default() })
    }
}

impl From<Unanswered> for ExecuteError {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Overloaded => Self::Overloaded,
            Unanswered::Unavailable(reason) => Self::Unavailable(reason),
        }
    }
}

fn check<E: domain::Event>() -> Result<(), StartError> {
    let checked = check_upcasters::<E>();
    checked.map_err(|(event_type, version)| StartError::Upcaster { event_type, version })
}

/// For each step its stream's version: what it `reached` then, else where it stands now.
fn versions(steps: &[Step], touched: &[Touched], reached: &[super::append::Reached]) -> Vec<i64> {
    let version = |step: &Step| {
        let then = reached.iter().find(|known| known.stream_id == step.stream);
        let now = touched.iter().find(|known| known.stream == step.stream);
        then.map(|known| known.version).or(now.map(|known| known.standing.version))
    };
    steps.iter().map(|step| version(step).unwrap_or_default()).collect()
}

/// Up to a few milliseconds, longer with each try.
fn jitter(tried: u32) -> Duration {
    let drawn = RandomState::new().build_hasher().finish();
    let micros_max = 500 * u64::from(tried.min(16) + 1);
    Duration::from_micros(drawn % micros_max)
}
