mod opinions;
mod pauses;

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::*;
use crate::cluster::nodes::{Membership, Part};
use crate::postgres::{ConnectOptions, connect};
use test_support::{Databases, databases};

const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(1));

struct Harness {
    _databases: Databases,
    pool: Pool,
    clock: Clock,
}

fn noon() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn server(id: u128) -> ServerId {
    ServerId(Uuid::from_u128(id))
}

impl Harness {
    async fn new() -> Self {
        let databases = databases().await.unwrap();
        let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
        Self { _databases: databases, pool, clock: Clock::fixed(noon()) }
    }

    fn node(&self, id: u128) -> Monitors {
        let (pool, node, lease) = (self.pool.clone(), Uuid::from_u128(id), Duration::from_mins(1));
        Monitors::with_lease(pool, node, self.clock.clone(), lease)
    }

    async fn watch(&self, id: u128) {
        let mut client = self.pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        self.node(1).watch(&tx, WORKSPACE, server(id)).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Makes the node's last heartbeat old.
    async fn kill(&self, node: u128) {
        let client = self.pool.get().await.unwrap();
        let end = "update working.nodes set lease_until = clock_timestamp() where node = $1";
        assert_eq!(client.execute(end, &[&Uuid::from_u128(node)]).await.unwrap(), 1);
    }

    /// The node reads, whether or not it watches servers.
    async fn read(&self, node: u128) {
        let (pool, node) = (self.pool.clone(), Uuid::from_u128(node));
        let readers = Membership::new(pool, node, Part::Readers, Duration::from_mins(1));
        let client = self.pool.get().await.unwrap();
        readers.heartbeat(&client, &[]).await.unwrap();
    }

    async fn count(&self, sql: &str) -> i64 {
        self.pool.get().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
    }
}

fn sample(cpu_share: Option<f64>, load: f64) -> Sample {
    Sample {
        cpu_share,
        memory_used: Some(4),
        memory_total: Some(8),
        disk_used: Some(10),
        disk_total: Some(100),
        load: Some(load),
        uptime_seconds: Some(60),
    }
}

fn servers(watched: &[WatchedServer]) -> BTreeSet<ServerId> {
    watched.iter().map(|watched| watched.server).collect()
}

#[tokio::test]
async fn each_server_is_watched_by_one_node_and_a_dead_one_is_replaced() {
    let harness = Harness::new().await;
    for id in 10..20 {
        harness.watch(id).await;
    }
    let (one, two) = (harness.node(1), harness.node(2));

    assert_eq!(one.round().await.unwrap().servers.len(), 10);
    assert_eq!(two.round().await.unwrap().servers.len(), 0, "none is free");
    let ones = one.round().await.unwrap().servers;
    let twos = two.round().await.unwrap().servers;
    assert_eq!((ones.len(), twos.len()), (5, 5), "a node that came later gets its share");
    assert!(servers(&ones).is_disjoint(&servers(&twos)));

    harness.kill(1).await;
    let all = two.round().await.unwrap().servers;
    assert_eq!(all.len(), 10);
    let before = ones[0];
    let after = all.iter().find(|watched| watched.server == before.server).unwrap();
    assert!(after.fence > before.fence);
}

#[tokio::test]
async fn a_node_that_only_reads_has_no_share_of_the_servers() {
    let harness = Harness::new().await;
    for id in 10..20 {
        harness.watch(id).await;
    }
    let (one, two) = (harness.node(1), harness.node(2));
    assert_eq!(one.round().await.unwrap().servers.len(), 10);
    // Its monitor hangs, and its readers go on.
    harness.kill(1).await;
    harness.read(1).await;

    assert_eq!(two.round().await.unwrap().servers.len(), 10);

    harness.read(3).await;
    assert_eq!(two.round().await.unwrap().servers.len(), 10);
    let readers = "select count(*) from working.live_nodes where part = 'readers'";
    assert_eq!(harness.count(readers).await, 2);
}

#[tokio::test]
async fn what_is_measured_under_an_older_fence_is_not_written() {
    let harness = Harness::new().await;
    harness.watch(10).await;
    let (one, two) = (harness.node(1), harness.node(2));
    one.create_days().await.unwrap();
    let stale = one.round().await.unwrap().servers[0];
    harness.kill(1).await;
    let present = two.round().await.unwrap().servers[0];
    let measure = |watched: WatchedServer| Measured {
        server: watched.server,
        fence: watched.fence,
        taken_at: noon(),
        sample: sample(None, 0.5),
    };
    let failures = Some(Failures { count: 2, since: noon() });
    let row = |watched: WatchedServer| ServerFailures {
        server: watched.server,
        fence: watched.fence,
        failures,
        refused: 1,
    };

    assert_eq!(one.write(&[measure(stale)]).await.unwrap(), 0);
    one.record_failures(&[row(stale)]).await.unwrap();
    assert_eq!(two.round().await.unwrap().servers[0].failures, None);
    assert_eq!(two.write(&[measure(present)]).await.unwrap(), 1);
    two.record_failures(&[row(present)]).await.unwrap();
    harness.kill(2).await;
    assert_eq!(
        one.round().await.unwrap().servers[0].failures,
        failures,
        "the next node goes on counting"
    );

    harness.watch(10).await;
    let anew = one.round().await.unwrap().servers[0];
    assert_eq!(anew.failures, None, "another key or credential begins anew");
    let mut client = harness.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    one.delete_server(&tx, server(10)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(one.round().await.unwrap().servers.is_empty());
}

#[tokio::test]
async fn series_are_averages_and_peaks_and_a_gap_stays_a_gap() {
    let harness = Harness::new().await;
    harness.watch(10).await;
    let node = harness.node(1);
    node.create_days().await.unwrap();
    let fence = node.round().await.unwrap().servers[0].fence;
    let measured = |seconds, cpu_share, load| Measured {
        server: server(10),
        fence,
        taken_at: noon() + TimeDelta::seconds(seconds),
        sample: sample(cpu_share, load),
    };
    let measured =
        [measured(0, None, 1.0), measured(30, Some(0.5), 3.0), measured(130, Some(1.0), 2.0)];
    assert_eq!(node.write(&measured).await.unwrap(), 3);
    assert_eq!(node.write(&measured).await.unwrap(), 0, "the same again is the same");

    let (from, to) = (noon(), noon() + TimeDelta::minutes(5));
    let span = Span { from, to, step: TimeDelta::minutes(1) };
    let points = node.series(server(10), span).await.unwrap();
    let shown: Vec<_> = points.iter().map(|point| (point.step, point.samples)).collect();
    assert_eq!(shown, [(0, 2), (2, 1)]);
    assert_eq!(points[0].cpu_share, Some(Series { average: 0.5, highest: 0.5 }));
    assert_eq!(points[0].load, Some(Series { average: 2.0, highest: 3.0 }));
    assert_eq!((points[0].memory_total, points[0].uptime_seconds), (Some(8), Some(60)));
    assert!(node.series(server(11), span).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_metric_that_a_server_did_not_show_is_missing_alone() {
    let harness = Harness::new().await;
    harness.watch(10).await;
    let node = harness.node(1);
    node.create_days().await.unwrap();
    let fence = node.round().await.unwrap().servers[0].fence;
    let whole = sample(Some(0.5), 3.0);
    let samples = [
        Sample { memory_used: None, memory_total: None, ..whole },
        Sample { memory_used: None, ..whole },
        Sample { disk_used: None, disk_total: None, ..whole },
        Sample { load: None, ..whole },
        Sample { uptime_seconds: None, ..whole },
    ];
    let measured: Vec<_> = (0..)
        .zip(samples)
        .map(|(minute, sample)| {
            let taken_at = noon() + TimeDelta::minutes(minute);
            Measured { server: server(10), fence, taken_at, sample }
        })
        .collect();

    assert_eq!(node.write(&measured).await.unwrap(), 5);

    let (from, to) = (noon(), noon() + TimeDelta::minutes(5));
    let span = Span { from, to, step: TimeDelta::minutes(1) };
    let points = node.series(server(10), span).await.unwrap();
    let shown: Vec<_> = points
        .iter()
        .map(|point| {
            let memory = (point.memory_used.is_some(), point.memory_total.is_some());
            let disk = (point.disk_used.is_some(), point.disk_total.is_some());
            (memory, disk, point.load.is_some(), point.uptime_seconds.is_some())
        })
        .collect();
    let (both, neither) = ((true, true), (false, false));
    let expected = [
        (neither, both, true, true),
        ((false, true), both, true, true),
        (both, neither, true, true),
        (both, both, false, true),
        (both, both, true, false),
    ];
    assert_eq!(shown, expected);
    let all = Span { from, to, step: TimeDelta::minutes(5) };
    let point = node.series(server(10), all).await.unwrap()[0];
    assert_eq!(point.memory_used, Some(Series { average: 4.0, highest: 4.0 }), "of those that are");
}

#[tokio::test]
async fn days_stand_ready_and_go_as_one() {
    const TABLES: &str = "select count(*) from pg_inherits
        where inhparent = 'working.server_samples'::regclass";
    let harness = Harness::new().await;
    let (one, two) = (harness.node(1), harness.node(2));
    let (first, second) = tokio::join!(one.create_days(), two.create_days());
    first.unwrap();
    second.unwrap();
    assert_eq!(harness.count(TABLES).await, 3);

    harness.clock.advance(TimeDelta::days(10));
    one.create_days().await.unwrap();
    assert_eq!(harness.count(TABLES).await, 6);
    assert_eq!(one.delete_days(30).await.unwrap(), 0);
    assert_eq!(one.delete_days(5).await.unwrap(), 3);
    assert_eq!(harness.count(TABLES).await, 3);
}
