//! What is done in a large installation, and in an empty one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use domain::CommandId;
use domain::operator::{Operator, OperatorCommand, Scope};
use infra::clock::Clock;
use infra::event_store::{Request, Step};
use infra::ids::Ids;
use infra::keyring::{CopyUpdate, RotatedRoot};
use infra::metrics::Metrics;
use infra::reservations::{Batch, MovedRow, Reservations};
use infra::run_queue::{ClaimRound, RunLimits, RunQueue};
use serde_json::json;
use services::config::{Config, Layers};
use services::databases::Databases;
use services::gauges;
use services::wiring::{App, Creation};
use test_support::{TENANT, TestNode, export};
use tests::bench::{Cpu, Run};
use tests::{Installation, Person, TestServer, database_of, until};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::fill::{LIVE_KIND, OLD_KIND, inner_node};
use super::shards::erase_in_first_shard;

const LIMITS: RunLimits =
    RunLimits { per_server: 4, per_workspace: 20, per_account: 20, per_node: 200 };
const MOVED_AT_ONCE: i64 = 100;
const BATCHES: i64 = 20;
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
    let account = signed_in.account().await.parse().unwrap();
    Erasing { person, signed_in, account }
}

pub struct Erasing {
    person: Person,
    signed_in: tests::Client,
    account: Uuid,
}

impl Erasing {
    /// From the command until the keys are erased.
    pub async fn erase(&self, installation: &Installation) {
        let keyring = installation.keyring().await;
        let asks = json!({ "password": self.person.password, "grace_days": 0 });
        self.signed_in.ask_for_erasure(asks).await.expect(202);
        // By the subject: a look must not read all erasures.
        let erased = "select exists (select from keyring.erasures
            where subject = $1 and state in ('destroyed', 'completed', 'backup_proven'))";
        until("the keys are erased", async || {
            keyring.query_one(erased, &[&self.account]).await.unwrap().get::<_, bool>(0)
        })
        .await;
    }
}

/// Waits until none is under way. One that is asked for meanwhile begins after the node's turn, which waits for the leases
/// of the other's keys: how long says nothing of the installation's size.
pub async fn erasures_end(installation: &Installation) {
    let keyring = installation.keyring().await;
    let ended = "select not exists (
        select from keyring.erasures where state in ('fenced', 'destroyed'))";
    until("the erasures have ended", async || {
        keyring.query_one(ended, &[]).await.unwrap().get::<_, bool>(0)
    })
    .await;
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
    /// The parts of another one, which has the settings of the installation.
    app: App,
    queue: RunQueue,
    reservations: Reservations,
    ids: Ids,
    moved: Mutex<Vec<u8>>,
}

impl Inner {
    pub async fn of(installation: &Installation) -> Self {
        let node = inner_node(installation).await;
        let queue = RunQueue::new(node.pool.clone(), Duration::from_mins(1));
        let reservations = Reservations::new(node.pool.clone());
        let progress = reservations.progress(LIVE_KIND, NEW_KIND).await.unwrap();
        let moved = progress.map(|progress| progress.through).unwrap_or_default();
        let (app, moved) = (app(installation).await, Mutex::new(moved));
        Self { node, app, queue, reservations, ids: Ids::system(), moved }
    }

    /// Claims as much as at once, and finishes it. Returns how long the claim took.
    pub async fn claim(&self) -> Duration {
        let (node, mut round) = (Uuid::from_u128(7), ClaimRound::default());
        let slots = LIMITS.free_slots(0).unwrap();
        let since = Instant::now();
        let claimed = self.queue.claim(node, slots, LIMITS, &mut round).await.unwrap();
        let took = since.elapsed();
        assert_eq!(claimed.len(), usize::try_from(slots.most).unwrap());
        for task in claimed {
            self.queue.finish(task.run, task.lease).await.unwrap();
        }
        took
    }

    /// All of them, as every ten seconds.
    pub async fn refresh_gauges(&self) {
        gauges::refresh(&self.app, &mut gauges::Rounds::default()).await;
    }

    /// What [`Self::refresh_gauges`] has found.
    pub fn gauges(&self) -> String {
        String::from_utf8(self.app.metrics.text().unwrap()).unwrap()
    }

    /// A part of a turn of the address index, without the accounts' own streams: they do not grow. `false`: all have
    /// moved.
    pub async fn move_reservations(&self) -> bool {
        let mut moved = self.moved.lock().await;
        for _ in 0..BATCHES {
            let page = self.reservations.page(LIVE_KIND, &moved, MOVED_AT_ONCE).await.unwrap();
            let Some((last, _)) = page.last() else { return false };
            let through = last.clone();
            let rows = page.into_iter().map(|(old, owner)| {
                let index = ring::digest::digest(&ring::digest::SHA256, &old).as_ref().to_vec();
                MovedRow { old, new: (NEW_KIND.to_owned(), index), owner }
            });
            let rows = rows.collect();
            let after = std::mem::replace(&mut *moved, through.clone());
            let batch = Batch { after, through, is_last: false, rows };
            assert!(self.reservations.move_batch(LIVE_KIND, NEW_KIND, &batch).await.unwrap());
        }
        true
    }

    /// Returns how many reservations were moved in this time.
    pub async fn move_for(&self, time: Duration) -> i64 {
        let (since, mut count) = (Instant::now(), 0);
        while since.elapsed() < time && self.move_reservations().await {
            count += BATCHES * MOVED_AT_ONCE;
        }
        count
    }

    /// Replaces the root key. The keyring is not copied.
    pub async fn rotate(&self) -> RotatedRoot {
        self.node.keyring.root_rotation.rotate().await.unwrap()
    }

    /// The same after an erasure, whose shard key is not wrapped again.
    pub async fn erase_and_rotate(&self) -> RotatedRoot {
        erase_in_first_shard(&self.node.keyring).await;
        self.rotate().await
    }

    /// Copies the whole keyring, as after each rotation. Returns the bytes.
    pub async fn copy(&self) -> u64 {
        let copy = self.app.keyring.copy.as_ref().unwrap();
        assert_eq!(copy.update().await.unwrap(), CopyUpdate::Base);
        bytes_in(self.app.config.copy_dir.as_ref().unwrap())
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
                loop {
                    let since = Instant::now();
                    append(&node, &ids, export(token, 1)).await;
                    took.push(since.elapsed());
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
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

async fn app(installation: &Installation) -> App {
    let command = installation.command();
    let variables =
        command.get_envs().filter_map(|(name, value)| name.to_str().zip(value?.to_str()));
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment: BTreeMap<String, String> = variables.collect();
    let config = Config::of(&Layers { environment, ..Layers::default() }).unwrap();
    let databases = Databases::existing(&config).await.unwrap();
    let (config, metrics) = (Arc::new(config), Arc::new(Metrics::new().unwrap()));
    let url = "http://localhost";
    App::start(config, &databases, metrics, url, Creation::Nothing).await.unwrap()
}

fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let bytes = entries.map(|entry| {
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() { bytes_in(&entry.path()) } else { metadata.len() }
    });
    bytes.sum()
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
