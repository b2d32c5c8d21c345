//! Which node reads what. Readers move as a whole, from one node to another.

mod plan;
mod running;
mod stall;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::postgres::GenericClient;
use prometheus::{IntCounterVec, IntGaugeVec};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;

use super::activity::Activity;
use super::alarm::Alarms;
use super::checkpoint::{self, OwnedReader};
use super::follower::{Follower, Targets};
use super::poll::{News, Poller};
use super::tail::Tail;
use super::unknown::UnknownEvent;
use super::watermark::Watermark;
use super::{Heads, ReadPositions, Reader, ReaderOptions};
use crate::cluster::Lease;
use crate::cluster::nodes::{Membership, Part};
use crate::metrics::Metrics;
use crate::postgres::{PgError, Pool};
use crate::supervise;
use plan::{HeldReader, Seen};
use running::{Ended, Running};
use stall::Watched;

const RENEW: &str = include_str!("renew.sql");
const LIST: &str = include_str!("list.sql");
const TAKE: &str = include_str!("take.sql");
const NO_ANSWER: &str = "no answer within the length of a lease";

/// The readers of this node, at work.
pub struct Readers {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Readers {
    /// Makes what the readers need in the database, then takes this node's share of them. `wake`
    /// says the highest position known; the log is polled besides. `positions` says how far they are. They
    /// end once the log went back.
    ///
    /// # Errors
    /// The database does not answer while the tables and checkpoints are made.
    pub async fn start(
        pool: Pool,
        wake: impl Into<Heads>,
        readers: Vec<Reader>,
        options: ReaderOptions,
        metrics: Arc<Metrics>,
        positions: ReadPositions,
        watermark: Watermark,
    ) -> Result<Self, PgError> {
        for reader in &readers {
            checkpoint::install(&pool, reader).await?;
            // A counter that begins with its first restart would not be seen to rise.
            metrics.reader_restarts.with_label_values(&series(&label(reader)));
        }
        let (stop, stopped) = watch::channel(false);
        let (poller, news) = Poller::new(pool.clone(), wake.into(), &options, watermark.clone());
        let mut went_back = watermark.went_back();
        let node = Node {
            membership: Membership::new(pool.clone(), options.node, Part::Readers, options.lease),
            pool,
            news,
            readers: readers.into_iter().map(|reader| (label(&reader), reader)).collect(),
            options,
            alarms: Alarms::new(metrics.log_hole.clone(), metrics.log_damaged.clone()),
            tail: Arc::new(Tail::new(options.newest_version, watermark)),
            unknown: HashMap::new(),
            unknown_gauge: metrics.reader_unknown_event.clone(),
            stood_still: HashMap::new(),
            patience: HashMap::new(),
            restarts: metrics.reader_restarts.clone(),
            positions,
            running: HashMap::new(),
            ended: Arc::default(),
        };
        let task = supervise::spawn("readers", async move {
            tokio::select! {
                () = node.run(stopped) => {}
                () = poller.run() => {}
                _ = went_back.wait_for(Option::is_some) => {}
            }
        });
        Ok(Self { stop, task })
    }

    /// Lets each reader finish its transaction, then releases all of them to the other nodes.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the readers ended early");
        }
    }
}

fn label(reader: &Reader) -> String {
    format!("{}/{}", reader.name(), reader.version())
}

/// Its labels in metrics: name and version.
fn series(label: &str) -> [&str; 2] {
    let (name, version) = label.split_once('/').unwrap_or((label, ""));
    [name, version]
}

/// The loop that keeps this node's share of the readers.
struct Node {
    membership: Membership,
    pool: Pool,
    news: News,
    readers: HashMap<String, Reader>,
    options: ReaderOptions,
    alarms: Alarms,
    tail: Arc<Tail>,
    positions: ReadPositions,
    running: HashMap<String, Running>,
    /// The readers that this node leaves to newer ones, each with the event that it came to.
    unknown: HashMap<String, UnknownEvent>,
    unknown_gauge: IntGaugeVec,
    /// The readers that this node starts again, each with what it did.
    stood_still: HashMap<String, String>,
    /// Where a reader was started again, and for how long it may stand still there from then on: what really takes
    /// long ends at last.
    patience: HashMap<String, (i64, Duration)>,
    restarts: IntCounterVec,
    ended: Arc<Notify>,
}

impl Node {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let heartbeat = self.options.lease / 3;
        loop {
            // A connection that never answers must not keep it from trying another one.
            let ticked = tokio::time::timeout(self.options.lease, self.tick()).await;
            let ticked = ticked.unwrap_or_else(|_| Err(PgError::Database(NO_ANSWER.to_owned())));
            self.positions.note_renewal(&ticked);
            if let Err(error) = ticked {
                tracing::warn!(%error, "this node could not renew its readers' leases");
            }
            let ended = Arc::clone(&self.ended);
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => break,
                () = ended.notified() => {}
                () = tokio::time::sleep(heartbeat) => {}
            }
        }
        if let Err(error) = self.leave().await {
            tracing::warn!(%error, "this node's readers are free once their leases end");
        }
    }

    /// It waits for no reader: without a heartbeat the node would lose the others.
    async fn tick(&mut self) -> Result<(), PgError> {
        self.collect_ended();
        let (node, lease) = (self.options.node, self.options.lease.as_secs_f64());
        let serves = self.readers.keys().filter(|label| !self.unknown.contains_key(*label));
        let serves: Vec<_> = serves.cloned().collect();
        let mut client = self.pool.get().await?;
        let tx = client.transaction().await?;
        self.membership.heartbeat(&tx, &serves).await?;
        let (seen, head) = self.look(&tx).await?;
        // Last, since it locks rows that the readers write to.
        let renew = tx.prepare_cached(RENEW).await?;
        tx.execute(&renew, &[&node, &self.labels(), &lease]).await?;
        tx.commit().await?;
        self.take_up_again(&seen);
        self.restart_what_stands(&seen, head);
        let plan = seen.plan(node, |label| self.running.contains_key(label));
        // One at a time: to stop a reader takes as long as its transaction.
        if !self.running.values().any(|running| running.stops_by.is_some())
            && let Some(label) = plan.release.first()
            && let Some(running) = self.running.get_mut(label)
        {
            running.stop(self.options.lease);
        }
        if plan.take.is_empty() {
            return Ok(());
        }
        let take = client.prepare_cached(TAKE).await?;
        for row in client.query(&take, &[&node, &plan.take, &lease]).await? {
            self.follow(row.try_get("label")?, row.try_get("fence")?, row.try_get("position")?);
        }
        Ok(())
    }

    /// The next renewal releases what has ended.
    fn collect_ended(&mut self) {
        let (unknown, gauge) = (&mut self.unknown, &self.unknown_gauge);
        self.running.retain(|label, running| {
            match running.ended() {
                None => return true,
                Some(Ended::Stopped) => tracing::info!(reader = label, "this node no longer reads"),
                Some(Ended::Aborted) => tracing::error!(reader = label, "a reader ended early"),
                Some(Ended::Unknown(event)) => {
                    gauge.with_label_values(&series(label)).set(1);
                    unknown.insert(label.clone(), event);
                }
            }
            false
        });
    }

    /// From its next heartbeat on this node serves again what it need not leave to others any more.
    fn take_up_again(&mut self, seen: &Seen) {
        let (node, gauge) = (self.options.node, &self.unknown_gauge);
        self.unknown.retain(|label, event| {
            let leaves = seen.leaves(node, label, event.position);
            gauge.with_label_values(&series(label)).set(i64::from(leaves));
            leaves
        });
    }

    /// One that stands still, whatever it waits for, is rolled back and started again: a later tick takes it.
    fn restart_what_stands(&mut self, seen: &Seen, head: i64) {
        for reader in &seen.readers {
            let Some(running) = self.running.get_mut(&reader.label) else { continue };
            let at = reader.position;
            let patience = self.patience.get(&reader.label).filter(|(position, _)| *position == at);
            let limit = patience.map_or(self.options.stands_still, |(_, limit)| *limit);
            let Some(why) = running.stands_still((at, head), limit) else { continue };
            self.patience.insert(reader.label.clone(), (at, limit.saturating_mul(2)));
            tracing::error!(reader = reader.label, why, "a reader stands still");
            self.restarts.with_label_values(&series(&reader.label)).inc();
            running.abort();
            self.stood_still.insert(reader.label.clone(), why);
        }
    }

    /// The readers and the nodes, and the log's last position.
    async fn look(&self, client: &impl GenericClient) -> Result<(Seen, i64), PgError> {
        let (node, lease) = (self.options.node, self.options.lease.as_secs_f64());
        let list = client.prepare_cached(LIST).await?;
        let rows = client.query(&list, &[&node, &lease]).await?;
        let readers = rows.iter().map(|row| {
            let (label, node) = (row.try_get("label")?, row.try_get("node")?);
            let (waits, position) = (row.try_get("waits")?, row.try_get("position")?);
            Ok(HeldReader { label, node, waits, position })
        });
        let readers = readers.collect::<Result<_, tokio_postgres::Error>>()?;
        let head = rows.first().map_or(Ok(0), |row| row.try_get("head"))?;
        Ok((Seen { readers, nodes: self.membership.live(client).await? }, head))
    }

    fn labels(&self) -> Vec<String> {
        self.running.keys().cloned().collect()
    }

    fn follow(&mut self, label: &str, fence: i64, position: i64) {
        let Some(reader) = self.readers.get(label) else { return };
        let owned = OwnedReader {
            name: reader.name(),
            version: reader.version(),
            lease: Lease { node: self.options.node, fence },
            position,
            event: None,
            written: position,
            written_at: std::time::Instant::now(),
            length: self.options.lease,
        };
        tracing::info!(reader = label, fence, position, "this node reads");
        let (stop, stopped) = watch::channel(false);
        let (activity, id) = (Arc::<Activity>::default(), (reader.name(), reader.version()));
        let follower = Follower {
            reader: reader.clone(),
            owned,
            pool: self.pool.clone(),
            tail: Arc::clone(&self.tail),
            news: self.news.clone(),
            stop: stopped,
            options: self.options,
            alarms: self.alarms.for_reader(),
            targets: Targets::default(),
            waiters: self.positions.announce(id, position, Arc::clone(&activity)),
            activity: Arc::clone(&activity),
            stood_still: self.stood_still.remove(label),
        };
        let (end, ended) = oneshot::channel();
        let notify = Arc::clone(&self.ended);
        let task = supervise::spawn("reader", async move {
            // Nobody waits any more: the node is stopping.
            let _ = end.send(follower.run().await);
            notify.notify_one();
        });
        let (task, watched) = (task.abort_handle(), Watched::new(position));
        let running = Running { stop, ended, task, stops_by: None, watched, activity };
        self.running.insert(label.to_owned(), running);
    }

    /// Stops all readers after their transactions, within the length of a lease, then releases them.
    async fn leave(&mut self) -> Result<(), PgError> {
        let lease = self.options.lease;
        for running in self.running.values_mut() {
            running.stop(lease);
        }
        for (_, mut running) in self.running.drain() {
            running.wait().await;
        }
        let client = self.pool.get().await?;
        let renew = client.prepare_cached(RENEW).await?;
        let none = Vec::<String>::new();
        client.execute(&renew, &[&self.options.node, &none, &lease.as_secs_f64()]).await?;
        self.membership.leave().await
    }
}
