//! What is done in a large installation, and in an empty one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use domain::CommandId;
use domain::operator::{Operator, OperatorCommand, Scope};
use infra::clock::Clock;
use infra::event_store::{Request, Step};
use infra::ids::Ids;
use infra::reservations::{Batch, MovedRow, Reservations};
use infra::run_queue::{ClaimRound, RunLimits, RunQueue};
use serde_json::json;
use test_support::{TENANT, TestNode, export};
use tests::bench::{Cpu, Run};
use tests::{Installation, Person, TestServer, database_of, until};
use uuid::Uuid;

use super::fill::{LIVE_KIND, OLD_KIND, inner_node};

const LIMITS: RunLimits = RunLimits { per_server: 4, per_workspace: 20, per_node: 50 };
/// As the worker does.
const CLAIMED_AT_ONCE: u32 = 8;
const MOVED_AT_ONCE: i64 = 200;
const BATCHES: u32 = 10;
const APPENDING: usize = 8;

/// In milliseconds.
pub async fn timed(what: impl Future) -> Run {
    let since = Instant::now();
    what.await;
    Run::of(since.elapsed().as_secs_f64() * 1e3)
}

/// Starts a node, until it says that it is ready.
pub async fn start(installation: &Installation) -> TestServer {
    let node = installation.node().await;
    ready(&node).await;
    node
}

pub async fn ready(node: &TestServer) {
    let client = node.client();
    until("the node is ready", async || {
        let answer = client.get("/readyz").await;
        if answer.status == 200 { Ok(()) } else { Err(node.readiness().await.to_string()) }
    })
    .await;
}

/// Registers somebody; what is timed later is the erasure.
pub async fn settle(installation: &Installation, node: &TestServer, name: &str) -> Erasing {
    let person = Person::named(name);
    let signed_in = person.settle(&node.client(), installation).await;
    Erasing { person, signed_in }
}

pub struct Erasing {
    person: Person,
    signed_in: tests::Client,
}

impl Erasing {
    /// From the command until the keys are erased.
    pub async fn erase(&self, installation: &Installation) {
        let keyring = installation.keyring().await;
        let asks = json!({ "password": self.person.password, "grace_days": 0 });
        let since = Clock::system().now();
        self.signed_in.ask_for_erasure(asks).await.expect(202);
        let erased = "select exists (select from keyring.erasures
            where state in ('destroyed', 'completed', 'backup_proven') and requested_at >= $1)";
        until("the keys are erased", async || {
            keyring.query_one(erased, &[&since]).await.unwrap().get::<_, bool>(0)
        })
        .await;
    }
}

/// Milliseconds for which PostgreSQL worked for a node that nobody asks anything, in each second.
pub async fn idle(installation: &Installation, time: Duration) -> Run {
    let worked = async || {
        let client = installation.keyring().await;
        let urls = [installation.log_url(), installation.keyring_url()];
        let databases = urls.map(|url| database_of(&url));
        let worked = "select sum(active_time) from pg_stat_database where datname = any ($1)";
        client.query_one(worked, &[&databases.as_slice()]).await.unwrap().get::<_, f64>(0)
    };
    let (before, since) = (worked().await, Instant::now());
    let mut elapsed = tokio::time::interval(time);
    elapsed.tick().await;
    elapsed.tick().await;
    let log = installation.log().await;
    let has_run = "select exists (select from working.run_tasks where fence > 0)";
    let has_run: bool = log.query_one(has_run, &[]).await.unwrap().get(0);
    assert!(!has_run, "a node that takes runs is not idle");
    Run::of((worked().await - before) / since.elapsed().as_secs_f64())
}

const NEW_KIND: &str = "account.email.2";

/// A node without readers and workers, in this process.
pub struct Inner {
    node: TestNode,
    queue: RunQueue,
    reservations: Reservations,
    ids: Ids,
    moved: Vec<u8>,
}

impl Inner {
    pub async fn of(installation: &Installation) -> Self {
        let node = inner_node(installation).await;
        let queue = RunQueue::new(node.pool.clone(), Duration::from_mins(1));
        let reservations = Reservations::new(node.pool.clone());
        let progress = reservations.progress(LIVE_KIND, NEW_KIND).await.unwrap();
        let moved = progress.map(|progress| progress.through).unwrap_or_default();
        Self { node, queue, reservations, ids: Ids::system(), moved }
    }

    pub async fn claim(&self) {
        let (node, mut round) = (Uuid::from_u128(7), ClaimRound::default());
        let claimed = self.queue.claim(node, CLAIMED_AT_ONCE, LIMITS, &mut round).await.unwrap();
        assert_eq!(claimed.len(), usize::try_from(CLAIMED_AT_ONCE).unwrap());
        for task in claimed {
            self.queue.finish(task.run, task.lease).await.unwrap();
        }
    }

    /// A turn of the rotation of the address index, without the accounts' own streams: they do not grow.
    pub async fn move_reservations(&mut self) {
        for _ in 0..BATCHES {
            let page = self.reservations.page(LIVE_KIND, &self.moved, MOVED_AT_ONCE).await.unwrap();
            let through = page.last().unwrap().0.clone();
            let rows = page.into_iter().map(|(old, owner)| {
                let index = ring::digest::digest(&ring::digest::SHA256, &old).as_ref().to_vec();
                MovedRow { old, new: (NEW_KIND.to_owned(), index), owner }
            });
            let rows = rows.collect();
            let after = std::mem::replace(&mut self.moved, through.clone());
            let batch = Batch { after, through, is_last: false, rows };
            assert!(self.reservations.move_batch(LIVE_KIND, NEW_KIND, &batch).await.unwrap());
        }
    }

    /// Deletes the reservations of an old key.
    pub async fn release(&self) {
        self.reservations.delete_kind(OLD_KIND).await.unwrap();
    }

    /// Appends by several callers while this goes on.
    pub async fn append_during(&self, what: impl Future) -> Run {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = (0..APPENDING).map(|_| {
            let (node, ids, stop) = (self.node.clone(), self.ids.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let token = issue(&node, &ids).await;
                let mut took = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let since = Instant::now();
                    append(&node, &ids, export(token, 1)).await;
                    took.push(since.elapsed());
                }
                took
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let since = Instant::now();
        what.await;
        stop.store(true, Ordering::Relaxed);
        let mut took = Vec::new();
        for task in tasks {
            took.extend(task.await.unwrap());
        }
        Run::of_operations(took, since.elapsed(), Cpu::default())
    }
}

async fn issue(node: &TestNode, ids: &Ids) -> Uuid {
    let token = ids.uuid();
    let expires_at = Clock::system().now() + Duration::from_hours(24);
    let issue = OperatorCommand::IssueToken { scope: Scope::Admin, expires_at };
    append(node, ids, Step::new::<Operator>(token, issue)).await;
    token
}

async fn append(node: &TestNode, ids: &Ids, step: Step) {
    let request = Request::new(TENANT, CommandId(ids.uuid()));
    node.executor.execute(&request, &[step]).await.unwrap();
}
