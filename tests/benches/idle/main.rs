//! What a node costs that nobody asks anything: CPU with its PostgreSQL, transactions, and memory, fresh
//! and after many registrations, 64 at once. Its transactions are counted while PostgreSQL does not vacuum, which makes some of
//! its own.
//!
//! `LETHE_BENCH_SECONDS` is how long the idle node is watched (60), `LETHE_BENCH_REGISTRATIONS` how many
//! people register (10,000: some ten minutes of two cores).

use std::time::Instant;

use futures_util::StreamExt;
use tests::bench::{CpuMeter, Goal, Table, number, seconds};
use tests::{Installation, Person, TestServer, Usage, until};
use tokio_postgres::Client;

const AT_ONCE: usize = 64;
/// How many work.
const VACUUMING: &str =
    "select count(*) from pg_stat_activity where backend_type = 'autovacuum worker'";
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
    let mut table = Table::default();
    watch("idle, fresh", &node, &installation, 32.0, &mut table).await;

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
    let what = format!("idle, after {registered} registrations");
    watch(&what, &node, &installation, 96.0, &mut table).await;
    node.stop().await;
    table.print();
}

async fn vacuums(log: &Client, are_wanted: bool) {
    log.batch_execute(&format!("alter system set autovacuum = {are_wanted}")).await.unwrap();
    log.batch_execute("select pg_reload_conf()").await.unwrap();
}

/// Watches for a while, and notes what a second cost; and then for as long what it asks.
async fn watch(
    what: &str,
    node: &TestServer,
    installation: &Installation,
    memory_max: f64,
    table: &mut Table,
) {
    let log = installation.log().await;
    let count = async |what: &str| log.query_one(what, &[]).await.unwrap().get::<_, i64>(0);
    let meter = CpuMeter::of(&log, &[node.pid()]).await;
    let (before, began) = (meter.read(), Instant::now());
    let mut turns = tokio::time::interval(seconds(60));
    turns.tick().await;
    turns.tick().await;
    let each_second = 1.0 / began.elapsed().as_secs_f64();
    let used = (meter.read() - before) * (each_second * 100.0);
    vacuums(&log, false).await;
    until("no vacuum works", async || count(VACUUMING).await == 0).await;
    let (counted, began) = (count(TRANSACTIONS).await, Instant::now());
    turns.reset();
    turns.tick().await;
    let asked = (count(TRANSACTIONS).await - counted) as f64 / began.elapsed().as_secs_f64();
    vacuums(&log, true).await;
    let megabytes = Usage::of(node.pid()).megabytes;
    let shares = format!("Lethe {:.2} %, PostgreSQL {:.2} %", used.asking, used.postgres);
    let cpu = used.asking + used.postgres;
    table.figure(&format!("{what}: CPU, % of a core"), cpu, Goal::AtMost(0.5), &shares);
    table.figure(&format!("{what}: transactions a second"), asked, Goal::AtMost(5.0), "");
    table.figure(&format!("{what}: memory, MB"), megabytes, Goal::AtMost(memory_max), "");
}
