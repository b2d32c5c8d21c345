//! Gathers the appends of a node into batches, and writes them on one connection, one at a time.
//!
//! It has its own thread, so that its wake-ups do not disturb the runtime of the requests.

mod probing;
mod writing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::timeout;

use self::writing::refuse;
use super::batch::Batch;
use super::connection::{Connection, Observers};
use super::linger::Linger;
use super::outcome::{AppendError, AppendOutcome};
use super::queue::{Message, Queue, Reply};
use super::rows::Append;
use super::writes::Writes;
use crate::log::watermark::Watermark;
use crate::metrics::Metrics;
use crate::postgres::{ConnectOptions, DatabaseUrl};
use crate::supervise;

/// Longer than any statement may take.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(40);
/// How long a node sends a batch again.
pub const RESEND_FOR: Duration = Duration::from_secs(10);
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
    /// A server that has not answered by then counts as lost.
    pub answer_within: Duration,
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
            let mut batcher = Batcher::new(options, receiver, metrics, head, partition_missing);
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
    /// Waiting for the next batch, since a batch had their stream, reservation or command already, or a guard
    /// and a write would have met in it.
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
    fn new(
        options: BatcherOptions,
        receiver: mpsc::Receiver<Message>,
        metrics: Arc<Metrics>,
        head: watch::Sender<i64>,
        partition_missing: Arc<Notify>,
    ) -> Self {
        let outcomes = AppendOutcome::NAMES.map(|name| metrics.appends.with_label_values(&[name]));
        let watermark = options.watermark.clone();
        Self {
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
        }
    }

    async fn run(mut self) {
        while let Some(batch) = self.gather().await {
            self.serve(batch.members).await;
            if self.deferred.is_empty() {
                for drained in self.drains.drain(..) {
                    let _ = drained.send(());
                }
            }
        }
    }

    async fn serve(&mut self, members: Vec<(Append, Reply)>) {
        // While the server takes appends, a batch is as good a question.
        let asks = members.is_empty() || self.options.writes.check().is_err();
        if asks
            && self.probe_in().is_zero()
            && let Err(AppendError::AnswerLost(reason)) = self.probe().await
        {
            // Who has waited for one answer is not made to wait for another.
            return refuse(members, &reason);
        }
        let (count, since) = (members.len(), Instant::now());
        self.write(members).await;
        self.linger.answered(count, since.elapsed());
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
}

const NO_PARTITION: &str = "the log has no partition for its next position";
