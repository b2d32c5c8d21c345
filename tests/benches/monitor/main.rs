//! What it costs to watch a hundred servers every 30 seconds: the CPU share of Lethe, against the
//! same node with no server to watch.
//!
//! `LETHE_BENCH_SECONDS` is how long each figure is measured (60: two looks at each server).

use std::time::{Duration, Instant};

use infra::remote::Identity;
use reqwest::Method;
use serde_json::json;
use test_support::sshd::Sshd;
use tests::{Client, Installation, Person, Proxy, Usage, until};

const SERVERS: usize = 100;
const SAMPLES: &str = "select count(*) from working.server_samples";
const REACHABLE: &str =
    "select count(*) from event_log.events where event_type = 'server.reachable'";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let allow = [("egress_allow", "127.0.0.1/32:*"), ("log", "warn")];
    let installation = Installation::with(&allow).await;
    let node = installation.node().await;
    let ada = Person::named("ada").settle(&node.client(), &installation).await;
    let idle = share(node.pid()).await;

    let sshd = Sshd::start().unwrap();
    let identity = Identity::generate().unwrap();
    sshd.authorize(&identity.public_line()).unwrap();
    let made = ada.post("/v1/workspaces", json!({ "name": "Engines" })).await.expect(201);
    let path = made.header("location").unwrap().to_owned();
    let mut doors = Vec::new();
    for _ in 0..SERVERS {
        let door = Proxy::to(sshd.port()).await;
        settle(&ada, &path, &sshd, door.port(), &identity.to_pem()).await;
        doors.push(door);
    }
    let log = installation.log().await;
    let count = async |sql| log.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    let expected = i64::try_from(SERVERS).unwrap();
    until("all servers are watched", async || (count(REACHABLE).await == expected).then_some(()))
        .await;
    let before = count(SAMPLES).await;
    let watching = share(node.pid()).await;
    let samples = count(SAMPLES).await - before;
    let per_second = samples as f64 / seconds().as_secs_f64();
    println!("{:<42} {:>9} {:>11}", "", "CPU share", "memory, MB");
    println!("{:<42} {:>8.2}% {:>11.1}", "Lethe, nothing to watch", idle.0, idle.1);
    let what = format!("Lethe, {SERVERS} servers every 30 s");
    println!("{what:<42} {:>8.2}% {:>11.1}", watching.0, watching.1);
    println!("{samples} samples in {:?}: {per_second:.2} a second", seconds());
    node.stop().await;
}

fn seconds() -> Duration {
    let set = std::env::var("LETHE_BENCH_SECONDS").ok().and_then(|set| set.parse().ok());
    Duration::from_secs(set.unwrap_or(60))
}

/// Percent of one core, and resident megabytes at the end.
async fn share(pid: u32) -> (f64, f64) {
    let (before, since) = (Usage::of(pid), Instant::now());
    let mut turns = tokio::time::interval(seconds());
    turns.tick().await;
    turns.tick().await;
    let after = Usage::of(pid);
    let used = (after.seconds - before.seconds) / since.elapsed().as_secs_f64();
    (used * 100.0, after.megabytes)
}

/// Registers a server behind a port, approves its key and gives it the credential.
async fn settle(ada: &Client, path: &str, sshd: &Sshd, port: u16, pem: &str) {
    let body = json!({
        "name": format!("web {port}"), "host": "127.0.0.1", "port": port, "user": sshd.user()
    });
    let register = ada.call(Method::POST, &format!("{path}/servers"));
    let key = format!("registers-server-{port}");
    let made = register.header("Idempotency-Key", &key).json(body).send().await.expect(201);
    let server = made.header("location").unwrap().to_owned();
    let checked = ada.post(&format!("{server}/check"), json!({})).await.expect(200);
    let approves = json!({ "fingerprint": checked.field("/host_key/seen") });
    let approve = ada.call(Method::POST, &format!("{server}/host-key/approve"));
    let approve = approve.header("If-Match", &checked.etag()).json(approves);
    let etag = approve.send().await.expect(204).etag();
    let attaches = json!({ "private_key": pem });
    ada.put(&format!("{server}/credential"), &etag, attaches).await.expect(200);
}
