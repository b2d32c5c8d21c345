//! Root rotation while a standby lags, and the standby is promoted: everybody opens. The standbys are
//! real: base backups that stream from a server of their own.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::super::{RootHold, RootId, RootStore};
use super::*;
use crate::postgres::{Cluster, ClusterOptions, binaries, migrate_keyring};
use test_support::until;

const KEYRING: &str = "keys";
const SLOT: &str = "second";

/// A server, its standby, and the root folder that the nodes of both use.
struct Pair {
    folder: TempDir,
    primary: Cluster,
    standby: Cluster,
    harness: Harness,
}

fn scratch() -> ClusterOptions {
    ClusterOptions { fsync: false, ..ClusterOptions::default() }
}

impl Pair {
    async fn new() -> (Self, Keyring, Vec<(AccountId, Sealed)>) {
        // The account that runs PostgreSQL must be able to enter it.
        let open = Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().permissions(open).tempdir().unwrap();
        let bin = binaries::find(None).unwrap();
        let primary = Cluster::start(&bin, &folder.path().join("first"), scratch()).await.unwrap();
        primary.create_database(KEYRING).await.unwrap();
        migrate_keyring(&primary.url(KEYRING)).await.unwrap();
        let harness = Harness::new().await;
        let node = node(&harness, &primary).await;
        let people = harness.people(&node, 3).await;
        let standby = stream(&bin, &primary, &folder.path().join("second")).await;
        (Self { folder, primary, standby, harness }, node, people)
    }

    /// A node on the promoted standby.
    async fn promoted(&self) -> Keyring {
        ask(&self.standby, "select pg_promote()").await;
        until("it is promoted", async || {
            let over: bool = ask(&self.standby, "select not pg_is_in_recovery()").await.get(0);
            over
        })
        .await;
        node(&self.harness, &self.standby).await
    }

    async fn held(&self, node: &Keyring) -> Vec<RootHold> {
        let held = node.root_rotation.held().await.unwrap();
        held.into_iter().flat_map(|held| held.holds).collect()
    }
}

async fn node(harness: &Harness, cluster: &Cluster) -> Keyring {
    let pool = connect(&cluster.url(KEYRING), &ConnectOptions::keyring()).await.unwrap();
    let (roots, options) = (Arc::new(harness.folder()), harness.options.clone());
    Keyring::start(pool, roots, options, harness.clock.clone()).await.unwrap()
}

async fn ask(cluster: &Cluster, sql: &str) -> tokio_postgres::Row {
    let options = ConnectOptions::default();
    let client = connect_one(&cluster.url(KEYRING), &options).await.unwrap();
    client.query_one(sql, &[]).await.unwrap()
}

/// The standby of this server, with a slot, once it streams.
async fn stream(bin: &Path, primary: &Cluster, dir: &Path) -> Cluster {
    std::fs::create_dir(dir).unwrap();
    let url = primary.url("postgres");
    let mut copy = Command::new(bin.join("pg_basebackup"));
    copy.arg("-d").arg(&url).arg("-D").arg(dir.join("data"));
    copy.args(["-X", "stream", "-c", "fast", "-R", "-C", "-S", SLOT, "--no-sync"]);
    let copied = copy.output().unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let mut own = Command::new("chown");
    own.arg("-R").arg("--reference").arg(primary.dir().join("data")).arg(dir);
    assert!(own.status().unwrap().success());
    let standby = Cluster::start(bin, dir, scratch()).await.unwrap();
    let streams = "select count(*) from pg_stat_replication where state = 'streaming'";
    until("it streams", async || ask(primary, streams).await.get::<_, i64>(0) == 1).await;
    standby
}

#[tokio::test]
async fn a_standby_that_received_nothing_of_a_rotation_opens_everybody_when_it_is_promoted() {
    let (pair, node, people) = Pair::new().await;
    for stop in ["alter system set primary_conninfo = ''", "select pg_reload_conf()"] {
        let client = connect_one(&pair.standby.url(KEYRING), &ConnectOptions::default()).await;
        client.unwrap().batch_execute(stop).await.unwrap();
    }
    let inactive = "select count(*) from pg_replication_slots where not active";
    until("it receives nothing", async || ask(&pair.primary, inactive).await.get::<_, i64>(0) == 1)
        .await;

    let rotated = node.root_rotation.rotate().await.unwrap();

    assert_eq!((rotated.current, rotated.rewrapped, rotated.erased), (RootId(2), 3, 0));
    let name = format!("slot {SLOT}");
    assert_eq!(pair.held(&node).await, [RootHold::Behind { name }]);
    all_open(&node, &people).await;
    let promoted = pair.promoted().await;
    all_open(&promoted, &people).await;
    // The promoted one does not know of root 2, and does not take its number.
    let rotated = promoted.root_rotation.rotate().await.unwrap();
    assert_eq!((rotated.current, rotated.rewrapped), (RootId(3), 3));
    all_open(&promoted, &people).await;
    assert_eq!(promoted.root_rotation.unknown().await.unwrap(), [RootId(2)]);
}

#[tokio::test]
async fn a_standby_that_received_a_rotation_and_did_not_replay_it_opens_everybody() {
    let (pair, node, people) = Pair::new().await;
    ask(&pair.standby, "select pg_wal_replay_pause()").await;
    until("its replay is paused", async || {
        let paused = "select pg_get_wal_replay_pause_state() = 'paused'";
        ask(&pair.standby, paused).await.get::<_, bool>(0)
    })
    .await;

    node.root_rotation.rotate().await.unwrap();
    until("it has flushed the rotation, so the old root is erased", async || {
        node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap();
        pair.held(&node).await.is_empty()
    })
    .await;

    assert_eq!(pair.harness.folder().list().await.unwrap(), [RootId(2)]);
    let behind = "select count(*) from keyring.roots where root_id = 2";
    assert_eq!(ask(&pair.standby, behind).await.get::<_, i64>(0), 0, "it replayed the rotation");
    all_open(&pair.promoted().await, &people).await;
}

#[tokio::test]
async fn a_standby_that_cannot_be_seen_holds_the_root() {
    let (pair, node, _people) = Pair::new().await;
    let hide = "create role blind; grant usage on schema keyring to blind;
        alter function keyring.standbys() owner to blind";
    let client = connect_one(&pair.primary.url(KEYRING), &ConnectOptions::default()).await.unwrap();
    client.batch_execute(hide).await.unwrap();

    node.root_rotation.rotate().await.unwrap();

    let unseen = |hold: &RootHold| matches!(hold, RootHold::Unseen { .. });
    until("the standby has flushed what its slot shows", async || {
        let held = pair.held(&node).await;
        if held.len() == 1 && unseen(&held[0]) { Ok(()) } else { Err(held) }
    })
    .await;
    assert_eq!(node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap(), None);
    client.batch_execute("grant pg_read_all_stats to blind").await.unwrap();
    let seen = node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap();
    assert_eq!(seen.unwrap().erased, 1);
    drop(pair.folder);
}
