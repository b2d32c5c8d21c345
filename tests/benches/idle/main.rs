//! What a node costs that nobody asks anything: CPU with its PostgreSQL, transactions, and memory, fresh
//! and after many registrations, 64 at once.
//!
//! `LETHE_BENCH_SECONDS` is how long the idle node is watched (60), `LETHE_BENCH_REGISTRATIONS` how many
//! people register (10,000: some ten minutes of two cores).

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tests::{Installation, Person, Stat, TestServer, Usage};

const AT_ONCE: usize = 64;
const TRANSACTIONS: &str = "select sum(xact_commit + xact_rollback)::bigint from pg_stat_database where datname <> 'postgres'";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let installation = Installation::private(&[("log", "warn")]);
    let node = installation.node().await;
    let people = Person::named("first").settle(&node.client(), &installation).await;
    people.get("/v1/me").await.expect(200);
    watch("fresh", &node, &installation).await;

    let began = Instant::now();
    let client = node.client();
    let asked = futures_util::stream::iter(0..number("LETHE_BENCH_REGISTRATIONS", 10_000));
    let registered = asked.map(|count| {
        let person = Person::named(&format!("person{count}"));
        let client = &client;
        async move { person.register(client).await }
    });
    let registered = registered.buffer_unordered(AT_ONCE).count().await;
    let most = Usage::of(node.pid()).megabytes;
    let took = began.elapsed();
    println!("{registered} registrations, {AT_ONCE} at once, in {took:.0?}: {most:.1} MB then");
    watch("after the registrations", &node, &installation).await;
    node.stop().await;
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|set| set.parse().ok()).unwrap_or(otherwise)
}

/// Watches for a while, and prints what a second cost.
async fn watch(what: &str, node: &TestServer, installation: &Installation) {
    let log = installation.log().await;
    let transactions = async || log.query_one(TRANSACTIONS, &[]).await.unwrap().get::<_, i64>(0);
    let backend: i32 = log.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let postmaster = Stat::of(backend.cast_unsigned()).unwrap().parent;
    let (counted, ours, theirs) = (transactions().await, Usage::of(node.pid()), server(postmaster));
    let began = Instant::now();
    let mut turns = tokio::time::interval(Duration::from_secs(number("LETHE_BENCH_SECONDS", 60)));
    turns.tick().await;
    turns.tick().await;
    let seconds = began.elapsed().as_secs_f64();
    let share = |before: f64, after: f64| (after - before) / seconds * 100.0;
    let after = Usage::of(node.pid());
    println!(
        "{what}: Lethe {:.2} %, PostgreSQL {:.2} % of a core, {:.1} transactions a second, {:.1} MB",
        share(ours.seconds, after.seconds),
        share(theirs, server(postmaster)),
        (transactions().await - counted) as f64 / seconds,
        after.megabytes
    );
}

/// Seconds of CPU of a PostgreSQL server: of the processes that it has, and of those that have ended.
fn server(postmaster: u32) -> f64 {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children = pids.filter_map(Stat::of).filter(|stat| stat.parent == postmaster);
    let own = Stat::of(postmaster).unwrap();
    own.seconds + own.ended + children.map(|stat| stat.seconds).sum::<f64>()
}
