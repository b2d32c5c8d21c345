//! What an old root key waits for before it is erased.

use test_support::until;

use super::super::root_rotation::RotationStep;
use super::super::{CopyUpdate, RootHold, RootId, RootStore};
use super::copy::update;
use super::*;

impl Harness {
    fn with_retention(mut self, retention: TimeDelta) -> Self {
        self.options.root_retention = retention;
        self
    }

    async fn held(&self, node: &Keyring) -> Vec<(RootId, Vec<RootHold>)> {
        let held = node.root_rotation.held().await.unwrap();
        held.into_iter().map(|held| (held.id, held.holds)).collect()
    }

    /// Waits until one of the sessions of the keyring is like this.
    async fn wait_for(&self, session: &str) {
        let sessions = format!(
            "select count(*) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid() and {session}"
        );
        until(session, async || self.count(&sessions).await > 0).await;
    }

    /// As if the last key had been wrapped again so much earlier.
    async fn age(&self, by: &str) {
        let age = format!(
            "update keyring.roots set rewrapped_at = rewrapped_at - interval '{by}'
             where rewrapped_at is not null"
        );
        self.sql(&age, &[]).await;
    }
}

#[tokio::test]
async fn an_old_root_is_kept_for_its_time_by_the_clock_of_the_database() {
    let harness = Harness::new().await.with_retention(TimeDelta::hours(24));
    let node = harness.node().await;
    let people = harness.people(&node, 2).await;
    let rotated = node.root_rotation.rotate().await.unwrap();
    assert_eq!((rotated.shards, rotated.erased), (2, 0));

    // The clock of a node does not count, and a restart does not begin anew.
    harness.days_pass(3);
    harness.age("23 hours 59 minutes").await;
    let node = harness.node().await;
    assert_eq!(node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap(), None);
    let held = harness.held(&node).await;
    assert!(
        matches!(held[..], [(RootId(1), ref holds)] if matches!(holds[..], [RootHold::Retained { .. }])),
        "{held:?}"
    );
    assert_eq!(harness.folder().list().await.unwrap(), [RootId(1), RootId(2)]);

    harness.age("1 minute").await;
    let erased = node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap().unwrap();
    assert_eq!(erased.erased, 1);
    assert_eq!(harness.held(&node).await, []);
    assert_eq!(harness.folder().list().await.unwrap(), [RootId(2)]);
    all_open(&node, &people).await;
}

#[tokio::test]
async fn roots_that_are_held_do_not_keep_the_next_from_being_replaced() {
    let harness = Harness::new().await.with_retention(TimeDelta::hours(24));
    let node = harness.node().await;
    let people = harness.people(&node, 2).await;
    for _ in 0..3 {
        node.root_rotation.rotate().await.unwrap();
    }
    let held = harness.held(&node).await;
    assert_eq!(held.iter().map(|held| held.0).collect::<Vec<_>>(), [1, 2, 3].map(RootId));
    all_open(&harness.node().await, &people).await;

    harness.age("1 day").await;
    let erased = node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap().unwrap();
    assert_eq!((erased.current, erased.erased), (RootId(4), 3));
    assert_eq!(harness.folder().list().await.unwrap(), [RootId(4)]);
    all_open(&harness.node().await, &people).await;
}

#[tokio::test]
async fn a_root_that_is_not_in_the_store_is_reported_and_not_called_erased() {
    let harness = Harness::new().await.with_retention(TimeDelta::hours(24));
    let node = harness.node().await;
    harness.people(&node, 2).await;
    node.root_rotation.rotate().await.unwrap();
    harness.age("1 day").await;
    let elsewhere = harness.roots.path().join("elsewhere");
    std::fs::rename(harness.root_file(1), &elsewhere).unwrap();

    assert_eq!(node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap(), None);
    assert_eq!(harness.held(&node).await, [(RootId(1), vec![RootHold::NotFound])]);
    let erased = "select count(*) from keyring.roots where state = 'destroyed'";
    assert_eq!(harness.count(erased).await, 0);
    // It is not in the way of the next rotation.
    node.root_rotation.rotate().await.unwrap();
    assert_eq!(harness.count(erased).await, 0);

    std::fs::rename(&elsewhere, harness.root_file(1)).unwrap();
    node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap().unwrap();
    assert_eq!(harness.count(erased).await, 1);
    assert!(!harness.root_file(1).exists());
}

#[tokio::test]
async fn a_root_with_another_key_in_its_file_is_reported_and_left_alone() {
    let harness = Harness::new().await.with_retention(TimeDelta::hours(24));
    let node = harness.node().await;
    node.root_rotation.rotate().await.unwrap();
    harness.age("1 day").await;
    std::fs::copy(harness.root_file(2), harness.root_file(1)).unwrap();

    assert_eq!(node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap(), None);
    assert_eq!(harness.held(&node).await, [(RootId(1), vec![RootHold::OtherKey])]);
    assert!(harness.root_file(1).exists());
}

#[tokio::test]
async fn a_keyring_whose_wal_counts_from_elsewhere_notes_the_place_again() {
    let harness = Harness::new().await.with_retention(TimeDelta::hours(24));
    let node = harness.node().await;
    node.root_rotation.rotate().await.unwrap();
    harness.age("1 day").await;
    harness.sql("update keyring.roots set rewrapped_lsn = 'FFFF/0' where root_id = 1", &[]).await;

    node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap();

    let held = harness.held(&node).await;
    assert!(
        matches!(held[..], [(RootId(1), ref holds)] if matches!(holds[..], [RootHold::Retained { .. }])),
        "{held:?}"
    );
    let ahead =
        "select count(*) from keyring.roots where rewrapped_lsn > pg_current_wal_insert_lsn()";
    assert_eq!(harness.count(ahead).await, 0);
}

#[tokio::test]
async fn sessions_that_do_not_wait_for_the_disk_are_refused() {
    let harness = Harness::new().await;
    let name: String = harness.sql("select current_database()::text", &[]).await[0].get(0);
    let weaken = format!("alter database {name} set synchronous_commit = local");
    harness.sql(&weaken, &[]).await;

    let refused = harness.try_node().await.err();

    assert!(matches!(refused, Some(KeyringError::SynchronousCommit(_))), "{refused:?}");
    // The connections of a node set it, whatever the default of the database is.
    let pool = connect(&harness.databases.keyring_url, &ConnectOptions::keyring()).await.unwrap();
    let (roots, clock) = (Arc::new(harness.folder()), harness.clock.clone());
    Keyring::start(pool, roots, harness.options.clone(), clock).await.unwrap();
}

/// The timer of a node writes the copy while `lethe keys rotate` waits for its turn.
#[tokio::test]
async fn a_root_is_erased_when_another_node_writes_the_copy_meanwhile() {
    let harness = Harness::with_copy().await;
    let (node, other) = (harness.node().await, harness.node().await);
    let people = harness.people(&node, 2).await;
    // By neither: a node that knows its own last file looks for changes first, and would wait there.
    update(&harness.node().await).await;
    let mut begin = Some(DateTime::<Utc>::MAX_UTC);
    while node.root_rotation.step(begin.take()).await.unwrap() != RotationStep::Noted {}
    let owner = ConnectOptions::unlimited();
    let mut pause = connect_one(&harness.databases.keyring_url, &owner).await.unwrap();
    let pause = pause.transaction().await.unwrap();
    // Nothing but the copy reads it here.
    pause.execute("lock table keyring.email_generations", &[]).await.unwrap();

    let writes = update(&other);
    let rotation = async {
        harness.wait_for("wait_event_type = 'Lock'").await;
        let rotated = node.root_rotation.rotate_when_due(TimeDelta::days(9));
        let goes_on = async {
            harness.wait_for("state = 'idle' and query like '%set number = number + 1%'").await;
            pause.rollback().await.unwrap();
        };
        tokio::join!(rotated, goes_on).0.unwrap()
    };
    let (written, rotated) = tokio::join!(writes, rotation);

    assert_eq!(written, CopyUpdate::Base);
    assert_eq!(rotated.map(|rotated| rotated.erased), Some(1));
    assert_eq!(harness.folder().list().await.unwrap(), [RootId(2)]);
    all_open(&harness.node().await, &people).await;
}
