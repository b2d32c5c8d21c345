//! Gathers the appends of a node into batches, and writes them on one connection, one at a time.
//!
//! It has its own thread, so that its wake-ups do not disturb the runtime of the requests.

mod probing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::timeout;

use super::batch::Batch;
use super::connection::{Connection, Observers};
use super::linger::Linger;
use super::outcome::{AppendError, AppendOutcome};
use super::queue::{Message, Queue, Reply};
use super::rows::Append;
use super::writes::Writes;
use crate::event_store::error::ExecuteError;
use crate::failpoint;
use crate::log::watermark::Watermark;
use crate::metrics::Metrics;
use crate::postgres::{ConnectOptions, DatabaseUrl};
use crate::supervise;

/// How long a node sends a batch again.
pub const RESEND_FOR: Duration = Duration::from_secs(10);
const RECONNECT_EVERY: Duration = Duration::from_millis(100);
/// A sleep takes about twice this; for a shorter wait the thread yields.
const SLEEP: Duration = Duration::from_micros(50);
const SLEEP_FROM: Duration = Duration::from_micros(200);
/// How long the thread looks for the next append before it sleeps: a caller who was answered often
/// comes straight back, and a wake-up costs about as much time.
const AWAKE: Duration = Duration::from_micros(100);

#[derive(Clone, Debug)]
pub struct BatcherOptions {
    pub url: DatabaseUrl,
    pub connect: ConnectOptions,
    pub appends_max: usize,
    pub waiting_max: usize,
    /// How long a batch whose answer was lost is sent again.
    pub resend_for: Duration,
    pub watermark: Watermark,
    /// What the last append or probe has found.
    pub writes: Writes,
    /// After so long without an append the server is asked whether it would take one.
    pub ask_every: Duration,
}

/// Opens the appending connection, and starts the thread that owns it. The thread ends when every
/// `Queue` is dropped.
pub async fn start(
    options: BatcherOptions,
    metrics: Arc<Metrics>,
    head: watch::Sender<i64>,
    partition_missing: Arc<Notify>,
) -> Result<Queue, String> {
    let (sender, receiver) = mpsc::channel(options.waiting_max);
    let (opened, started) = oneshot::channel();
    let thread = std::thread::Builder::new().name("lethe-append".to_owned());
    let run = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(opened.send(Err(error.to_string()))),
        };
        runtime.block_on(async move {
            let outcomes =
                AppendOutcome::NAMES.map(|name| metrics.appends.with_label_values(&[name]));
            let watermark = options.watermark.clone();
            let mut batcher = Batcher {
                options,
                receiver,
                deferred: VecDeque::new(),
                drains: Vec::new(),
                connection: None,
                linger: Linger::new(),
                tried_at: Instant::now(),
                observers: Observers { metrics, head, watermark },
                outcomes,
                partition_missing,
            };
            match batcher.open().await {
                Ok(connection) => batcher.connection = Some(connection),
                Err(error) => return drop(opened.send(Err(error.to_string()))),
            }
            let _ = opened.send(Ok(()));
            batcher.run().await;
        });
    };
    thread.spawn(|| supervise::run("append", run)).map_err(|error| error.to_string())?;
    started.await.unwrap_or_else(|_| Err("the batcher did not start".to_owned()))?;
    Ok(Queue(sender))
}

struct Batcher {
    options: BatcherOptions,
    receiver: mpsc::Receiver<Message>,
    /// Waiting for the next batch, since a batch had their stream, reservation or command already.
    deferred: VecDeque<(Append, Reply)>,
    /// Answered when every earlier append is answered.
    drains: Vec<oneshot::Sender<()>>,
    connection: Option<Connection>,
    linger: Linger,
    /// When the last batch was written, or the last probe made.
    tried_at: Instant,
    observers: Observers,
    /// By `AppendOutcome::number`.
    outcomes: [IntCounter; 6],
    partition_missing: Arc<Notify>,
}

impl Batcher {
    async fn run(mut self) {
        while let Some(batch) = self.gather().await {
            if self.probe_in().is_zero() {
                self.probe().await;
            }
            let (members, since) = (batch.members.len(), Instant::now());
            self.write(batch.members).await;
            self.linger.answered(members, since.elapsed());
            if self.deferred.is_empty() {
                for drained in self.drains.drain(..) {
                    let _ = drained.send(());
                }
            }
        }
    }

    async fn gather(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        for (append, reply) in std::mem::take(&mut self.deferred) {
            self.place(&mut batch, append, reply);
        }
        if batch.members.is_empty() {
            let message = match self.look() {
                Some(message) => message,
                None => match timeout(self.probe_in(), self.receiver.recv()).await {
                    Ok(message) => message?,
                    Err(_) => return Some(batch),
                },
            };
            self.sort(&mut batch, message);
        }
        self.fill(&mut batch);
        self.wait_for_more(&mut batch);
        Some(batch)
    }

    /// Call it only between batches: nothing is on its way to the server then.
    fn look(&mut self) -> Option<Message> {
        let until = Instant::now() + AWAKE;
        loop {
            match self.receiver.try_recv() {
                Ok(message) => return Some(message),
                Err(_) if Instant::now() > until => return None,
                Err(_) => std::thread::yield_now(),
            }
        }
    }

    fn fill(&mut self, batch: &mut Batch) {
        let max = self.options.appends_max;
        while batch.members.len() < max && self.deferred.len() < max && self.drains.is_empty() {
            let Ok(message) = self.receiver.try_recv() else { break };
            self.sort(batch, message);
        }
    }

    /// Call it only between batches: the thread may block here.
    fn wait_for_more(&mut self, batch: &mut Batch) {
        let waiting = batch.members.len();
        let wait = self.linger.wait_for(waiting);
        let members = wait.members.min(self.options.appends_max);
        let mut left = wait.until.saturating_duration_since(Instant::now());
        if left.is_zero() || members <= waiting {
            return;
        }
        while batch.members.len() < members && !left.is_zero() && self.drains.is_empty() {
            if left > SLEEP_FROM {
                std::thread::sleep(SLEEP);
            } else {
                std::thread::yield_now();
            }
            self.fill(batch);
            left = wait.until.saturating_duration_since(Instant::now());
        }
        self.linger.adapt(batch.members.len() - waiting);
    }

    fn sort(&mut self, batch: &mut Batch, message: Message) {
        match message {
            Message::Append(append, reply) => self.place(batch, append, reply),
            Message::Drain(drained) => self.drains.push(drained),
        }
    }

    fn place(&mut self, batch: &mut Batch, append: Append, reply: Reply) {
        if batch.members.len() >= self.options.appends_max {
            self.deferred.push_back((append, reply));
        } else if let Some(later) = batch.take(append, reply) {
            self.deferred.push_back(later);
        }
    }

    async fn write(&mut self, mut members: Vec<(Append, Reply)>) {
        // The append of a caller that has stopped waiting is not written.
        members.retain(|(_, reply)| !reply.is_closed());
        if members.is_empty() {
            return;
        }
        self.observers.metrics.batch_appends.observe(count(members.len()));
        let mut appends: Vec<&mut Append> = members.iter_mut().map(|(append, _)| append).collect();
        match self.write_once(&mut appends).await {
            Ok(outcomes) => {
                failpoint!(AppendCommitted);
                self.reply(members, outcomes);
            }
            Err(AppendError::AnswerLost(reason)) => {
                tracing::warn!(reason, "the answer to a batch was lost: it is sent again");
                self.one_by_one(members, true).await;
            }
            Err(AppendError::Failed(reason)) => {
                tracing::warn!(reason, "a batch failed: its appends are written one by one");
                self.one_by_one(members, false).await;
            }
            Err(AppendError::Unavailable(reason) | AppendError::Refused(reason)) => {
                refuse(members, &reason);
            }
            Err(AppendError::NoPartition) => {
                self.alarm();
                refuse(members, NO_PARTITION);
            }
        }
    }

    /// Uses the open connection or opens one. A connection whose answer was lost is closed.
    async fn write_once(
        &mut self,
        batch: &mut [&mut Append],
    ) -> Result<Vec<AppendOutcome>, AppendError> {
        let connection = self.connect().await?;
        let written = connection.write(batch).await;
        self.note_write(&written);
        if !matches!(written, Err(AppendError::AnswerLost(_))) {
            self.connection = Some(connection);
        }
        written
    }

    /// `sent`: they may be written already.
    async fn one_by_one(&mut self, members: Vec<(Append, Reply)>, sent: bool) {
        let until = Instant::now() + self.options.resend_for;
        for (mut append, reply) in members {
            match self.write_alone(&mut append, sent, until).await {
                Ok(outcomes) => self.reply(vec![(append, reply)], outcomes),
                Err(reason) => drop(reply.send(Err(ExecuteError::Unavailable(reason)))),
            }
        }
    }

    async fn write_alone(
        &mut self,
        append: &mut Append,
        mut sent: bool,
        until: Instant,
    ) -> Result<Vec<AppendOutcome>, String> {
        loop {
            match self.write_once(&mut [append]).await {
                Ok(mut outcomes) => {
                    if sent {
                        for outcome in &mut outcomes {
                            resolve(append, outcome);
                        }
                    }
                    return Ok(outcomes);
                }
                Err(AppendError::Failed(reason) | AppendError::Refused(reason)) => {
                    return Err(reason);
                }
                Err(AppendError::NoPartition) => {
                    self.alarm();
                    return Err(NO_PARTITION.to_owned());
                }
                Err(AppendError::Unavailable(reason))
                    if !sent || Instant::now() > until || self.went_back() =>
                {
                    return Err(reason);
                }
                Err(AppendError::AnswerLost(reason)) if Instant::now() > until => {
                    return Err(reason);
                }
                Err(AppendError::AnswerLost(_)) => sent = true,
                Err(AppendError::Unavailable(_)) => {}
            }
            tokio::time::sleep(RECONNECT_EVERY).await;
        }
    }

    fn reply(&self, members: Vec<(Append, Reply)>, outcomes: Vec<AppendOutcome>) {
        let metrics = &self.observers.metrics;
        let mut events = 0;
        for ((append, reply), outcome) in members.into_iter().zip(outcomes) {
            if let Some(counter) = self.outcomes.get(outcome.number()) {
                counter.inc();
            }
            match &outcome {
                AppendOutcome::Appended { .. } => events += append.events.len(),
                AppendOutcome::Conflict => metrics.conflicts.inc(),
                AppendOutcome::Replayed { .. }
                | AppendOutcome::Reused
                | AppendOutcome::Fenced
                | AppendOutcome::Reserved => {}
            }
            failpoint!(BatchPartlyAnswered if append.place() > 0);
            let _ = reply.send(Ok(outcome));
        }
        if events > 0 {
            metrics.events.inc_by(u64::try_from(events).unwrap_or_default());
            metrics.transaction_events.observe(count(events));
        }
    }
}

const NO_PARTITION: &str = "the log has no partition for its next position";

/// The batch was sent twice, since the first answer was lost; `outcome` is the second answer. The log
/// holds this append, and not an earlier one, if its streams are at the versions that it leads to.
fn resolve(append: &Append, outcome: &mut AppendOutcome) {
    if let AppendOutcome::Replayed { first, last, streams } = outcome
        && streams.iter().all(|reached| append.reaches(reached))
    {
        *outcome = AppendOutcome::Appended { first: *first, last: *last };
    }
}

fn refuse(members: Vec<(Append, Reply)>, reason: &str) {
    for (_, reply) in members {
        let _ = reply.send(Err(ExecuteError::Unavailable(reason.to_owned())));
    }
}

fn count(of: usize) -> f64 {
    u32::try_from(of).map_or(f64::MAX, f64::from)
}
