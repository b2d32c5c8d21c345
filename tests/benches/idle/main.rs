//! What a node costs that nobody asks anything: CPU with its PostgreSQL, transactions, and memory, fresh
//! and after many registrations, 64 at once. PostgreSQL does not vacuum meanwhile: that is the price of what was written.
//!
//! `LETHE_BENCH_SECONDS` is how long the idle node is watched (60), `LETHE_BENCH_REGISTRATIONS` how many
//! people register (10,000: some ten minutes of two cores).

use std::time::Instant;

use futures_util::StreamExt;
use tests::bench::{CpuMeter, Goal, Table, number, seconds};
use tests::{Installation, Person, TestServer, Usage};

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
    let log = installation.log().await;
    log.batch_execute("alter system set autovacuum = off").await.unwrap();
    log.batch_execute("select pg_reload_conf()").await.unwrap();
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

/// Watches for a while, and notes what a second cost.
async fn watch(
    what: &str,
    node: &TestServer,
    installation: &Installation,
    memory_max: f64,
    table: &mut Table,
) {
    let log = installation.log().await;
    let transactions = async || log.query_one(TRANSACTIONS, &[]).await.unwrap().get::<_, i64>(0);
    let meter = CpuMeter::of(&log, &[node.pid()]).await;
    let (counted, before, began) = (transactions().await, meter.read(), Instant::now());
    let mut turns = tokio::time::interval(seconds(60));
    turns.tick().await;
    turns.tick().await;
    let each_second = 1.0 / began.elapsed().as_secs_f64();
    let used = (meter.read() - before) * (each_second * 100.0);
    let asked = (transactions().await - counted) as f64 * each_second;
    let megabytes = Usage::of(node.pid()).megabytes;
    let shares = format!("Lethe {:.2} %, PostgreSQL {:.2} %", used.asking, used.postgres);
    let cpu = used.asking + used.postgres;
    table.figure(&format!("{what}: CPU, % of a core"), cpu, Goal::AtMost(0.5), &shares);
    table.figure(&format!("{what}: transactions a second"), asked, Goal::AtMost(5.0), "");
    table.figure(&format!("{what}: memory, MB"), megabytes, Goal::AtMost(memory_max), "");
}
