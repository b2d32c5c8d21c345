//! A request against a no-op route of the same server, and a command against the bare database.
//!
//! `LETHE_BENCH_SECONDS` is how long each figure is measured (5).

mod connection;
mod rival;
#[path = "../append/table.rs"]
mod table;

use std::time::{Duration, Instant};

use connection::{Connection, request};
use futures_util::future::join_all;
use table::Table;
use tests::{Installation, Person, TestServer};

const CONNECTIONS: usize = 64;
const CONSENT: &str = "/v1/me/consents/product_news";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    // A private server, whose fsync is on.
    let installation = Installation::private(&[("log", "warn"), ("pool_size", "16")]);
    let mut table = Table::default();
    let node = installation.node().await;
    let tokens = settle(&node).await;
    rival::prepare(&installation).await;

    let idle = get(&node, &tokens, "/healthz").await;
    let me = get(&node, &tokens, "/v1/me").await;
    table.row("GET /v1/me: GET /healthz", me.0, idle.0, None, &me.1);
    let bare = rival::inserts(&installation, CONNECTIONS, seconds()).await;
    let command = commands(&node, &tokens).await;
    table.row("a command: pgbench", command.0, bare, Some(1.5), &command.1);
    table.row("a command: GET /healthz", command.0, idle.0, None, &command.1);
    node.stop().await;

    let mut api = installation.command();
    api.arg("api");
    let node = TestServer::start(api).await;
    let bare = rival::inserts(&installation, CONNECTIONS, seconds()).await;
    let command = commands(&node, &tokens).await;
    let what = "a command, its readers elsewhere: pgbench";
    table.row(what, command.0, bare, Some(1.5), &command.1);
    node.stop().await;
    table.print();
}

fn seconds() -> Duration {
    let set = std::env::var("LETHE_BENCH_SECONDS").ok().and_then(|set| set.parse().ok());
    Duration::from_secs(set.unwrap_or(5))
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

type Measured = (f64, String);

async fn get(node: &TestServer, tokens: &[String], path: &str) -> Measured {
    let requests = tokens.iter().map(|token| vec![(request("GET", path, token, ""), 200)]);
    drive(node, requests.collect()).await
}

/// Consent given and withdrawn in turn: one event each.
async fn commands(node: &TestServer, tokens: &[String]) -> Measured {
    let requests = tokens.iter().map(|token| {
        let gives = request("PUT", CONSENT, token, r#"{"policy_version":1}"#);
        vec![(gives, 204), (request("DELETE", CONSENT, token, ""), 204)]
    });
    drive(node, requests.collect()).await
}

/// Each connection sends its requests in turn, and waits for each answer.
async fn drive(node: &TestServer, requests: Vec<Vec<(Vec<u8>, u16)>>) -> Measured {
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
    let answers = join_all(tasks).await;
    let mut took: Vec<Duration> = answers.into_iter().flat_map(Result::unwrap).collect();
    took.sort_unstable();
    let rate = took.len() as f64 / since.elapsed().as_secs_f64();
    let at = |hundredth: usize| took[(took.len() - 1) * hundredth / 100].as_secs_f64() * 1e3;
    (rate, format!("p50 {:.1} ms, p99 {:.1} ms", at(50), at(99)))
}
