//! Root rotation while a standby lags, and the standby is promoted: everybody opens. The standbys are
//! real: base backups that stream from a server of their own.

use super::super::{RootHold, RootId, RootStore};
use super::*;
use crate::postgres::migrate_keyring;
use test_support::{ServerPair, until};

const KEYRING: &str = "keys";

/// A server, its standby, and the root folder that the nodes of both use.
struct Pair {
    servers: ServerPair,
    harness: Harness,
}

impl Pair {
    async fn new() -> (Self, Keyring, Vec<(AccountId, Sealed)>) {
        let mut servers = ServerPair::new().await;
        servers.create_database(KEYRING).await;
        migrate_keyring(&servers.primary_url(KEYRING)).await.unwrap();
        let harness = Harness::new().await;
        let node = node(&harness, &servers.primary_url(KEYRING)).await;
        let people = harness.people(&node, 3).await;
        servers.add_standby().await;
        (Self { servers, harness }, node, people)
    }

    /// A node on the promoted standby.
    async fn promoted(&self) -> Keyring {
        self.servers.promote().await;
        node(&self.harness, &self.servers.standby_url(KEYRING)).await
    }

    async fn held(&self, node: &Keyring) -> Vec<RootHold> {
        let held = node.root_rotation.held().await.unwrap();
        held.into_iter().flat_map(|held| held.holds).collect()
    }
}

async fn node(harness: &Harness, url: &str) -> Keyring {
    let pool = connect(url, &ConnectOptions::keyring()).await.unwrap();
    let (roots, options) = (Arc::new(harness.folder()), harness.options.clone());
    Keyring::start(pool, roots, options, harness.clock.clone()).await.unwrap()
}

async fn owner(url: &str) -> tokio_postgres::Client {
    connect_one(url, &ConnectOptions::default()).await.unwrap()
}

#[tokio::test]
async fn a_standby_that_received_nothing_of_a_rotation_opens_everybody_when_it_is_promoted() {
    let (pair, node, people) = Pair::new().await;
    pair.servers.cut_off().await;

    let rotated = node.root_rotation.rotate().await.unwrap();

    assert_eq!((rotated.current, rotated.shards, rotated.erased), (RootId(2), 3, 0));
    let name = "slot second".to_owned();
    assert_eq!(pair.held(&node).await, [RootHold::Behind { name }]);
    all_open(&node, &people).await;
    let promoted = pair.promoted().await;
    all_open(&promoted, &people).await;
    // The promoted one does not know of root 2, and does not take its number. Keys that it does not have may be
    // under the same shard keys.
    let rotated = promoted.root_rotation.rotate().await.unwrap();
    assert_eq!((rotated.current, rotated.shards, rotated.keys), (RootId(3), 0, 3));
    all_open(&promoted, &people).await;
    assert_eq!(promoted.root_rotation.unknown().await.unwrap(), [RootId(2)]);
}

#[tokio::test]
async fn a_standby_that_received_a_rotation_and_did_not_replay_it_opens_everybody() {
    let (pair, node, people) = Pair::new().await;
    let standby = owner(&pair.servers.standby_url(KEYRING)).await;
    standby.query_one("select pg_wal_replay_pause()", &[]).await.unwrap();
    let paused = "select pg_get_wal_replay_pause_state() = 'paused'";
    pair.servers.until_standby("its replay is paused", paused).await;

    node.root_rotation.rotate().await.unwrap();
    until("it has flushed the rotation, so the old root is erased", async || {
        node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap();
        pair.held(&node).await.is_empty()
    })
    .await;

    assert_eq!(pair.harness.folder().list().await.unwrap(), [RootId(2)]);
    let behind = "select count(*) from keyring.roots where root_id = 2";
    let behind = standby.query_one(behind, &[]).await.unwrap();
    assert_eq!(behind.get::<_, i64>(0), 0, "it replayed the rotation");
    let promoted = pair.promoted().await;
    all_open(&promoted, &people).await;
    // It has everything, but nothing says so.
    let rotated = promoted.root_rotation.rotate().await.unwrap();
    assert_eq!((rotated.shards, rotated.keys), (0, 3));
    all_open(&promoted, &people).await;
    let rotated = promoted.root_rotation.rotate().await.unwrap();
    assert_eq!((rotated.shards, rotated.keys), (3, 0));
}

#[tokio::test]
async fn a_standby_that_cannot_be_seen_holds_the_root() {
    let (pair, node, _people) = Pair::new().await;
    let hide = "create role blind; grant usage on schema keyring to blind;
        alter function keyring.standbys() owner to blind";
    let client = owner(&pair.servers.primary_url(KEYRING)).await;
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
}
