//! What it costs to watch a hundred servers every 30 seconds: the CPU share of Lethe, and of one beside it
//! with no server to watch.
//!
//! `LETHE_BENCH_SECONDS` is how long one run takes (30: one look at each server), `LETHE_BENCH_TURNS` how
//! often both are looked at (5).

use std::time::Instant;

use infra::remote::Identity;
use reqwest::Method;
use serde_json::json;
use test_support::sshd::Sshd;
use tests::bench::{Goal, Run, Table, in_turns, seconds};
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
    let quiet = Installation::with(&[("log", "warn")]).await;
    let idle = quiet.node().await;
    let allow = [("egress_allow", "127.0.0.1/32:*"), ("log", "warn")];
    let installation = Installation::with(&allow).await;
    let node = installation.node().await;
    let ada = Person::named("ada").settle(&node.client(), &installation).await;

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
    let [watching, nothing] =
        in_turns(async |who| share([node.pid(), idle.pid()][who]).await).await;
    let samples = count(SAMPLES).await - before;
    let what = format!("{SERVERS} servers every 30 s: none, CPU in % of a core");
    let seen = format!("{samples} samples, {:.1} MB", Usage::of(node.pid()).megabytes);
    let mut table = Table::default();
    table.row(&what, &watching, &nothing, Goal::None, &seen);
    table.print();
    node.stop().await;
    idle.stop().await;
}

/// Percent of one core.
async fn share(pid: u32) -> Run {
    let (before, since) = (Usage::of(pid), Instant::now());
    let mut turns = tokio::time::interval(seconds(30));
    turns.tick().await;
    turns.tick().await;
    let used = Usage::of(pid).seconds - before.seconds;
    Run::of(used / since.elapsed().as_secs_f64() * 100.0)
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
    let approves = json!({
        "fingerprint": checked.field("/host_key/seen"), "password": ada.person().await.password
    });
    let approve = ada.call(Method::POST, &format!("{server}/host-key/approve"));
    let approve = approve.header("If-Match", &checked.etag()).json(approves);
    let etag = approve.send().await.expect(200).etag();
    let attaches = json!({ "private_key": pem });
    ada.put(&format!("{server}/credential"), &etag, attaches).await.expect(200);
}
