//! One workspace asks two nodes for all that they take, without a pause: each run of another one begins within
//! [`BOUND`]. With `LETHE_LONG=1` the nodes have 50 slots each, 1,000 runs wait, and the other one requests 100.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use infra::clock::Clock;
use serde_json::json;
use tests::{Client, Person, RunHarness, StallWatch, TestServer, create_workspace};
use tests::{register_server, until};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// From a request until its command has begun, but for how long the machine keeps anybody waiting.
const BOUND: TimeDelta = TimeDelta::seconds(5);
/// So often more is asked for than is taken.
const ASKS_AGAIN: Duration = Duration::from_millis(100);

struct Sizes {
    /// Of each node.
    slots: u32,
    waiting: u32,
    /// Of the other workspace, one after the other.
    runs: usize,
}

fn sizes() -> Sizes {
    if tests::long() {
        Sizes { slots: 50, waiting: 1000, runs: 100 }
    } else {
        Sizes { slots: 5, waiting: 40, runs: 10 }
    }
}

struct TwoNodes {
    harness: RunHarness,
    nodes: [TestServer; 2],
    /// The other one's, through either node.
    bob: [Client; 2],
    looms: String,
    server: String,
}

impl TwoNodes {
    async fn new(sizes: &Sizes) -> Self {
        let (slots, waiting) = (sizes.slots.to_string(), sizes.waiting.to_string());
        let settings = [
            ("runs_per_node", slots.as_str()),
            ("runs_queued_per_workspace", &waiting),
            ("runs_per_server", "1000"),
            ("runs_per_workspace", "1000"),
            ("runs_per_account", "1000"),
        ];
        let (harness, node) = RunHarness::with(&settings).await;
        let nodes = [node, harness.installation.node().await];
        let bob = Person::named("bob").settle(&nodes[0].client(), &harness.installation).await;
        let looms = create_workspace(&bob, "Looms").await;
        bob.post_once(&format!("{looms}/seat-leases"), json!({})).await.expect(201);
        let server = register_server(&bob, &looms, &harness.sshd, harness.sshd.port()).await;
        let bob = [bob.at(nodes[0].api()), bob.at(nodes[1].api())];
        Self { harness, nodes, bob, looms, server }
    }

    /// How many tasks are at work.
    async fn at_work(&self) -> i64 {
        let count = "select count(*) from working.run_tasks where state = 'running'";
        self.harness.installation.log().await.query_one(count, &[]).await.unwrap().get(0)
    }

    /// Requests a run of the other workspace: from when, and when it has begun.
    async fn begin(&self, number: usize) -> (DateTime<Utc>, DateTime<Utc>) {
        let clock = Clock::system();
        let begun = self.harness.sshd.home().join(format!("begun{number}"));
        let command = format!("echo > ~/begun{number}");
        let asks = json!({ "command": command, "server_ids": [self.server] });
        let path = format!("{}/runs", self.looms);
        let requested = clock.now();
        self.bob[number % 2].post_once(&path, asks).await.expect(201);
        until("the run of the other workspace has begun", async || begun.exists()).await;
        (requested, clock.now())
    }
}

/// Somebody who always wants more than there is.
struct Asking {
    task: JoinHandle<()>,
    is_full: Arc<AtomicBool>,
}

impl Asking {
    fn start(harness: &RunHarness, command: &str) -> Self {
        let (ada, path) = (harness.ada.clone(), harness.path("runs"));
        let asks = json!({ "command": command, "server_ids": [harness.server] });
        let is_full = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&is_full);
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(ASKS_AGAIN);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let answer = ada.post_once(&path, &asks).await;
                match answer.status {
                    201 => {}
                    // A machine may be too busy for a try.
                    503 => {
                        ticks.tick().await;
                    }
                    _ => {
                        assert_eq!(answer.expect(429).field("/type"), "/problems/quota-reached");
                        noted.store(true, Ordering::Relaxed);
                        ticks.tick().await;
                    }
                }
            }
        });
        Self { task, is_full }
    }

    /// No more is taken.
    async fn until_full(&self) {
        until("no more is taken", async || {
            assert!(!self.task.is_finished(), "nobody asks any more");
            self.is_full.load(Ordering::Relaxed)
        })
        .await;
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn each_begins_in_time(given: &TwoNodes, asking: &Asking, runs: usize) {
    let nodes = given.nodes.each_ref().map(TestServer::client).to_vec();
    let stalls = StallWatch::start(&given.harness.installation, move || nodes.clone()).await;
    let mut longest = TimeDelta::zero();
    for number in 0..runs {
        let (requested, begun) = given.begin(number).await;
        let (took, stall) = (begun - requested, stalls.longest_between(requested, begun));
        assert!(took - stall < BOUND, "run {number}: {took}, of which {stall} of the machine");
        longest = longest.max(took);
    }
    assert!(!asking.task.is_finished(), "nobody asks any more");
    eprintln!("{runs} runs beside one who asks for all: at most {longest} until they began");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_whose_runs_hold_every_slot_that_it_gets_keeps_no_other_waiting() {
    let _alone = tests::alone().await;
    let sizes = sizes();
    let given = TwoNodes::new(&sizes).await;
    let asking = Asking::start(&given.harness, "sleep 4700");
    asking.until_full().await;
    // The last fifth of each node is kept.
    let open = i64::from(2 * (sizes.slots - sizes.slots / 5));
    until("it has every slot that it gets", async || {
        let at_work = given.at_work().await;
        if at_work == open { Ok(()) } else { Err(at_work) }
    })
    .await;

    each_begins_in_time(&given, &asking, sizes.runs).await;

    assert!(given.at_work().await >= open, "it holds them still");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_one_whose_runs_end_and_begin_all_the_time() {
    let _alone = tests::alone().await;
    let sizes = sizes();
    let given = TwoNodes::new(&sizes).await;
    let asking = Asking::start(&given.harness, "sleep 2");
    asking.until_full().await;

    each_begins_in_time(&given, &asking, sizes.runs).await;
}
