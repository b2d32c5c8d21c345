//! A request against a no-op route of the same server, and a command against the bare database: with the
//! readers in the same process, in another one, and without readers.
//!
//! `LETHE_BENCH_SECONDS` is how long one run takes (2), `LETHE_BENCH_TURNS` how often each is done (5).

mod connection;

use std::process::Command;
use std::time::{Duration, Instant};

use connection::{Connection, request};
use futures_util::future::join_all;
use infra::log::status;
use infra::postgres::{ConnectOptions, Pool, connect};
use tests::bench::{CpuMeter, Goal, Pgbench, Run, Series, Table, in_turns};
use tests::{Installation, Person, TestServer};

const CONNECTIONS: usize = 64;
const CONSENT: &str = "/v1/me/consents/product_news";
const CAUGHT_UP_SECONDS_MAX: f64 = 1.0;
const P99_MS_MAX: f64 = 8.0;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    // A private server, whose fsync is on.
    let installation = Installation::private(&[("log", "warn"), ("pool_size", "16")]);
    let mut table = Table::default();
    let node = installation.node().await;
    // Two processes of Lethe and pgbench need more than the usual 100.
    let more = "alter system set max_connections = 300";
    installation.log().await.batch_execute(more).await.unwrap();
    node.stop().await;
    let node = installation.node().await;
    let tokens = settle(&node).await;
    let bench = Bench::new(&installation, &tokens, &[&node]).await;
    let [me, idle] = in_turns(async |who| match who {
        0 => bench.get(&node, "/v1/me").await,
        _ => bench.get(&node, "/healthz").await,
    })
    .await;
    table.row("GET /v1/me: GET /healthz", &me, &idle, Goal::AtLeast(0.4), "");
    bench.commands("a command", &node, Goal::AtLeast(1.2), &mut table).await;
    node.stop().await;

    let worker = TestServer::start_until("metrics", half(&installation, "work")).await;
    let node = TestServer::start(half(&installation, "api")).await;
    let bench = Bench::new(&installation, &tokens, &[&node, &worker]).await;
    bench
        .commands("a command, the readers in another process", &node, Goal::None, &mut table)
        .await;
    node.stop().await;
    worker.stop().await;

    let node = TestServer::start(half(&installation, "api")).await;
    let bench = Bench::new(&installation, &tokens, &[&node]).await;
    let [ours, bare] = bench.against_pgbench(&node, async || ()).await;
    table.row("a command, no readers: pgbench", &ours, &bare, Goal::AtLeast(1.5), "");
    node.stop().await;
    table.print();
}

fn half(installation: &Installation, which: &str) -> Command {
    let mut command = installation.command();
    command.arg(which);
    command
}

/// One person a connection; answers their tokens.
async fn settle(node: &TestServer) -> Vec<String> {
    let anybody = node.client();
    let mut tokens = vec![];
    for number in 0..CONNECTIONS {
        let person = Person::named(&format!("person{number}"));
        person.register(&anybody).await;
        tokens.push(person.try_sign_in(&anybody).await.expect(201).field("/token"));
    }
    let last = anybody.bearing(&tokens[CONNECTIONS - 1]);
    tests::until("everybody is read back", async || {
        (last.get("/v1/me").await.status == 200).then_some(())
    })
    .await;
    tokens
}

struct Bench<'a> {
    pgbench: Pgbench,
    /// Of Lethe's processes.
    meter: CpuMeter,
    /// To ask how far the readers are.
    log: Pool,
    tokens: &'a [String],
}

impl<'a> Bench<'a> {
    async fn new(
        installation: &Installation,
        tokens: &'a [String],
        processes: &[&TestServer],
    ) -> Self {
        let url = installation.log_url();
        let pgbench = Pgbench::new(&url, installation.folder()).await;
        let pids: Vec<u32> = processes.iter().map(|process| process.pid()).collect();
        let meter = pgbench.meter().asked_by(&pids);
        let log = connect(&url, &ConnectOptions::app()).await.unwrap();
        Self { pgbench, meter, log, tokens }
    }

    /// A command, and how soon after the last one every reader has read all of them.
    async fn commands(&self, what: &str, node: &TestServer, goal: Goal, table: &mut Table) {
        let mut slowest = Duration::ZERO;
        let [ours, bare] = self
            .against_pgbench(node, async || {
                let since = Instant::now();
                self.caught_up().await;
                slowest = slowest.max(since.elapsed());
            })
            .await;
        table.row(&format!("{what}: pgbench"), &ours, &bare, goal, "");
        let p99 = ours.median(|run| run.p99_ms);
        table.figure(&format!("{what}: p99, ms"), p99, Goal::AtMost(P99_MS_MAX), "");
        let what = format!("{what}: until all readers have caught up, s");
        let seconds = slowest.as_secs_f64();
        table.figure(&what, seconds, Goal::AtMost(CAUGHT_UP_SECONDS_MAX), "the slowest turn");
    }

    async fn against_pgbench(
        &self,
        node: &TestServer,
        mut afterwards: impl AsyncFnMut(),
    ) -> [Series; 2] {
        in_turns(async |who| match who {
            0 => {
                let before = self.meter.read();
                let (took, within) = self.consent(node).await;
                // What the readers use is a part of what a command costs.
                afterwards().await;
                Run::of_operations(took, within, self.meter.read() - before)
            }
            _ => self.pgbench.run(CONNECTIONS, seconds()).await,
        })
        .await
    }

    async fn caught_up(&self) {
        let head = status(&self.log).await.unwrap().first().unwrap().head;
        tests::until("every reader has read what was appended", async || {
            let readers = status(&self.log).await.unwrap();
            readers.iter().all(|reader| reader.position >= head).then_some(())
        })
        .await;
    }

    async fn get(&self, node: &TestServer, path: &str) -> Run {
        let requests = self.tokens.iter().map(|token| vec![(request("GET", path, token, ""), 200)]);
        let before = self.meter.read();
        let (took, within) = drive(node, requests.collect()).await;
        Run::of_operations(took, within, self.meter.read() - before)
    }

    /// Consent given and withdrawn in turn: one event each.
    async fn consent(&self, node: &TestServer) -> (Vec<Duration>, Duration) {
        let requests = self.tokens.iter().map(|token| {
            let gives = request("PUT", CONSENT, token, r#"{"policy_version":1}"#);
            vec![(gives, 200), (request("DELETE", CONSENT, token, ""), 204)]
        });
        drive(node, requests.collect()).await
    }
}

fn seconds() -> Duration {
    tests::bench::seconds(2)
}

/// Each connection sends its requests in turn, and waits for each answer.
async fn drive(node: &TestServer, requests: Vec<Vec<(Vec<u8>, u16)>>) -> (Vec<Duration>, Duration) {
    let at = node.api().trim_start_matches("http://").to_owned();
    let opened = requests.iter().map(|_| Connection::open(&at));
    let connections = join_all(opened).await;
    let since = Instant::now();
    let until = since + seconds();
    let tasks: Vec<_> = connections
        .into_iter()
        .zip(requests)
        .map(|(mut connection, requests)| {
            tokio::spawn(async move {
                let mut took = vec![];
                for (request, expected) in requests.iter().cycle() {
                    let sent = Instant::now();
                    if sent >= until {
                        break;
                    }
                    assert_eq!(connection.ask(request).await, *expected);
                    took.push(sent.elapsed());
                }
                took
            })
        })
        .collect();
    let took = join_all(tasks).await.into_iter().flat_map(Result::unwrap).collect();
    (took, since.elapsed())
}
