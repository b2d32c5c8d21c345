//! Gathers the appends of a node into batches, and writes them on one connection, one at a time.
//!
//! It has a thread of its own: the connection and the batches wake nobody else.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use tokio::sync::{mpsc, oneshot, watch};

use super::append::{Answer, Append};
use super::link::{Link, Silence, Told};
use super::pace::Pace;
use super::queue::{Message, Queue, Reply, Unanswered};
use crate::metrics::Metrics;
use crate::postgres::ConnectOptions;

/// Events of one batch at most, unless one append alone has more.
const EVENTS_MAX: usize = 4096;
/// How long a batch whose answer was lost is asked about.
const ASK_AGAIN_FOR: Duration = Duration::from_secs(10);
const RECONNECT_EVERY: Duration = Duration::from_millis(100);
/// A sleep takes about twice this; a shorter wait is yielded away.
const SLEEP: Duration = Duration::from_micros(50);
const SLEEP_FROM: Duration = Duration::from_micros(200);

#[derive(Clone, Debug)]
pub(super) struct BatcherOptions {
    pub url: String,
    pub connect: ConnectOptions,
    pub appends_max: usize,
    pub waiting_max: usize,
}

/// Opens the appending connection, and starts the thread that owns it. The thread ends when every
/// `Queue` is gone.
pub(super) async fn start(
    options: BatcherOptions,
    metrics: Arc<Metrics>,
    head: watch::Sender<i64>,
    room: Arc<tokio::sync::Notify>,
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
            let link = match Link::open(&options.url, &options.connect).await {
                Ok(link) => Some(link),
                Err(error) => return drop(opened.send(Err(error.to_string()))),
            };
            let _ = opened.send(Ok(()));
            let outcomes = Answer::NAMES.map(|name| metrics.appends.with_label_values(&[name]));
            let deferred = VecDeque::new();
            let drains = Vec::new();
            let batcher = Batcher {
                options,
                receiver,
                deferred,
                drains,
                link,
                pace: Pace::new(),
                metrics,
                outcomes,
                head,
                room,
            };
            batcher.run().await;
        });
    };
    thread.spawn(run).map_err(|error| error.to_string())?;
    started.await.unwrap_or_else(|_| Err("the batcher did not start".to_owned()))?;
    Ok(Queue(sender))
}

struct Batcher {
    options: BatcherOptions,
    receiver: mpsc::Receiver<Message>,
    /// Waiting for the next batch, since a batch had their stream, reservation or command already.
    deferred: VecDeque<(Append, Reply)>,
    /// Answered once nothing of what came before them waits.
    drains: Vec<oneshot::Sender<()>>,
    link: Option<Link>,
    pace: Pace,
    metrics: Arc<Metrics>,
    outcomes: [IntCounter; 6],
    head: watch::Sender<i64>,
    room: Arc<tokio::sync::Notify>,
}

#[derive(Default)]
struct Batch {
    members: Vec<(Append, Reply)>,
    keys: HashSet<u64>,
    events: usize,
}

impl Batch {
    /// Hands it back when the batch has its stream, reservation or command already.
    fn take(&mut self, append: Append, reply: Reply) -> Option<(Append, Reply)> {
        let fits = self.members.is_empty() || self.events + append.events.len() <= EVENTS_MAX;
        if !fits || append.keys().any(|key| self.keys.contains(&key)) {
            return Some((append, reply));
        }
        self.keys.extend(append.keys());
        self.events += append.events.len();
        self.members.push((append, reply));
        None
    }
}

impl Batcher {
    async fn run(mut self) {
        while let Some(batch) = self.gather().await {
            let (members, since) = (batch.members.len(), Instant::now());
            self.write(batch.members).await;
            self.pace.answered(members, since.elapsed());
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
            let message = self.receiver.recv().await?;
            self.sort(&mut batch, message);
        }
        self.fill(&mut batch);
        self.linger(&mut batch);
        Some(batch)
    }

    fn fill(&mut self, batch: &mut Batch) {
        let max = self.options.appends_max;
        while batch.members.len() < max && self.deferred.len() < max && self.drains.is_empty() {
            let Ok(message) = self.receiver.try_recv() else { break };
            self.sort(batch, message);
        }
    }

    /// Nothing is on its way to the server now, so the thread may wait.
    fn linger(&mut self, batch: &mut Batch) {
        let waiting = batch.members.len();
        let wait = self.pace.wait(waiting);
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
        self.pace.learn(batch.members.len() - waiting);
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
        // Whoever gave up waiting is not written for.
        members.retain(|(_, reply)| !reply.is_closed());
        if members.is_empty() {
            return;
        }
        self.metrics.batch_appends.observe(count(members.len()));
        let mut appends: Vec<&mut Append> = members.iter_mut().map(|(append, _)| append).collect();
        match self.write_once(&mut appends).await {
            Ok(told) => self.answer(members, told),
            Err(Silence::Lost(reason)) => {
                self.link = None;
                tracing::warn!(reason, "the appending connection was lost: asking again");
                self.one_by_one(members, true).await;
            }
            Err(Silence::Failed(reason)) => {
                tracing::warn!(reason, "a batch failed: writing its members one by one");
                self.one_by_one(members, false).await;
            }
            Err(Silence::NotNow(reason)) => refuse(members, &reason),
            Err(Silence::NoRoom) => {
                self.alarm();
                refuse(members, NO_ROOM);
            }
        }
    }

    async fn write_once(&mut self, batch: &mut [&mut Append]) -> Result<Told, Silence> {
        if self.link.as_ref().is_none_or(Link::is_closed) {
            let opened = Link::open(&self.options.url, &self.options.connect).await;
            self.link = Some(opened.map_err(|error| Silence::NotNow(error.to_string()))?);
        }
        let link = self.link.as_ref().ok_or(Silence::NotNow(String::new()))?;
        link.write(batch).await
    }

    /// `asked` says that they may stand already.
    async fn one_by_one(&mut self, members: Vec<(Append, Reply)>, asked: bool) {
        let until = Instant::now() + ASK_AGAIN_FOR;
        for (mut append, reply) in members {
            match self.ask(&mut append, asked, until).await {
                Ok(told) => self.answer(vec![(append, reply)], told),
                Err(reason) => drop(reply.send(Err(Unanswered::Unavailable(reason)))),
            }
        }
    }

    async fn ask(
        &mut self,
        append: &mut Append,
        asked: bool,
        until: Instant,
    ) -> Result<Told, String> {
        let mut asked = asked;
        loop {
            match self.write_once(&mut [append]).await {
                Ok(mut told) if asked => {
                    told.answers.iter_mut().for_each(|answer| stands(append, answer));
                    return Ok(told);
                }
                Ok(told) => return Ok(told),
                Err(Silence::Failed(reason)) => return Err(reason),
                Err(Silence::NoRoom) => {
                    self.alarm();
                    return Err(NO_ROOM.to_owned());
                }
                Err(Silence::NotNow(reason)) if !asked || Instant::now() > until => {
                    return Err(reason);
                }
                Err(Silence::Lost(reason)) if Instant::now() > until => return Err(reason),
                Err(Silence::Lost(_)) => {
                    asked = true;
                    self.link = None;
                }
                Err(Silence::NotNow(_)) => {}
            }
            tokio::time::sleep(RECONNECT_EVERY).await;
        }
    }

    fn answer(&self, members: Vec<(Append, Reply)>, told: Told) {
        self.head.send_if_modified(|head| {
            let grown = told.head > *head;
            *head = told.head.max(*head);
            grown
        });
        let mut events = 0;
        for ((append, reply), answer) in members.into_iter().zip(told.answers) {
            if let Some(outcome) = self.outcomes.get(answer.number()) {
                outcome.inc();
            }
            match &answer {
                Answer::Appended { .. } => events += append.events.len(),
                Answer::Conflict => self.metrics.conflicts.inc(),
                Answer::Replayed { .. } | Answer::Reused | Answer::Fenced | Answer::Reserved => {}
            }
            let _ = reply.send(Ok(answer));
        }
        self.metrics.lock_wait_seconds.observe(told.waited_seconds);
        if events > 0 {
            self.metrics.events.inc_by(u64::try_from(events).unwrap_or_default());
            self.metrics.transaction_events.observe(count(events));
        }
    }

    fn alarm(&self) {
        tracing::error!("{NO_ROOM}");
        self.room.notify_one();
    }
}

const NO_ROOM: &str = "the log has no partition for its next position";

/// The answer to a first asking was lost, and this is the answer to the second. What stands is this
/// very append when it brought its streams to the same versions; else it is an earlier one.
fn stands(append: &Append, answer: &mut Answer) {
    if let Answer::Replayed { first, last, streams } = answer
        && streams.iter().all(|reached| append.reaches(reached))
    {
        *answer = Answer::Appended { first: *first, last: *last };
    }
}

fn refuse(members: Vec<(Append, Reply)>, reason: &str) {
    for (_, reply) in members {
        let _ = reply.send(Err(Unanswered::Unavailable(reason.to_owned())));
    }
}

fn count(of: usize) -> f64 {
    u32::try_from(of).map_or(f64::MAX, f64::from)
}
