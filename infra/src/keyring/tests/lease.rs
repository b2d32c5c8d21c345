//! The length of the lease, as numbers that do not come from the code.

use std::time::Duration;

use super::super::Secret;
use super::super::key::KeyKind;
use super::super::key_cache::{KeyCache, KeySlot, KeyState, Renewal};
use test_support::until;

use super::*;

#[test]
fn keys_in_memory_are_used_for_less_than_a_second_after_the_renewal_was_requested() {
    let cache = KeyCache::new(16);
    let requested_at = crate::clock::since_boot();
    let at = |millis| requested_at + Duration::from_millis(millis);
    let renewed = |requested_at| Renewal { requested_at, last: 0, invalidated: Some(vec![]) };
    let slot = KeySlot::Numbered(KeyKind::Link, 20_000);
    let key = Arc::new(Secret::from_bytes([1; 32]));

    cache.renew(&renewed(requested_at));
    cache.keep(0, [(slot, KeyState::Live { number: 20_000, key })]);
    cache.keep_email_generations(0, [1].into());

    assert!(cache.look(&[slot], at(999)).unwrap()[0].is_some());
    assert!(cache.email_generations(at(999)).is_some());
    assert!(cache.is_leased(at(999)));
    assert!(cache.look(&[slot], at(1_000)).is_none());
    assert!(cache.email_generations(at(1_000)).is_none());
    assert!(!cache.is_leased(at(1_000)));

    // A request that was sent later prolongs it; one that was sent earlier and answered later does
    // not shorten it.
    cache.renew(&renewed(at(600)));
    cache.renew(&renewed(at(300)));
    assert!(cache.is_leased(at(1_599)));
    assert!(!cache.is_leased(at(1_600)));
}

#[test]
fn whoever_waits_for_other_nodes_waits_for_a_second() {
    assert_eq!(Keyring::LEASE, Duration::from_secs(1));
}

/// While the primary answers slower than a lease lasts, no key is used, and who needs one waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_needs_a_key_waits_while_the_lease_is_lost() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let ada = harness.person();
    let [sealed, _] = harness.registered(&node, ada).await.unwrap();
    let url = &harness.databases.keyring_url;
    let primary = connect_one(url, &ConnectOptions::unlimited()).await.unwrap();

    // A machine that stands still at the end of the pause has another turn.
    until("what was asked in a pause is answered after it", async || {
        let pause = "begin; lock table keyring.invalidations, keyring.last_invalidation,
            keyring.keys in access exclusive mode";
        primary.batch_execute(pause).await.unwrap();
        let is_leased = || node.keys.cache.is_leased(crate::clock::since_boot());
        until("the lease is over", async || !is_leased()).await;
        let asked_at = crate::clock::since_boot();
        let longer = Keyring::LEASE.mul_f64(1.5);
        let pause = async {
            until("longer than a lease", async || {
                crate::clock::since_boot().saturating_sub(asked_at) > longer
            })
            .await;
            primary.batch_execute("rollback").await.unwrap();
        };
        let email = email(ada);
        let (opened, indexed, ()) =
            tokio::join!(opened(&node, ada, &sealed), node.email_index.indexes(&email), pause);
        match (opened, indexed) {
            (Ok(()), Ok(_)) => Ok(()),
            failed => Err(failed),
        }
    })
    .await;
}

/// As a primary that was replaced is set by whoever replaces it. It answers every read.
#[tokio::test]
async fn a_server_that_takes_no_writes_renews_no_lease() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    node.keys.renew().await.unwrap();
    // Its own session stays as it was.
    let owner = ConnectOptions::default();
    let admin = connect_one(&harness.databases.keyring_url, &owner).await.unwrap();
    let name: String =
        admin.query_one("select current_database()::text", &[]).await.unwrap().get(0);
    let read_only = async |value: &str| {
        let set = format!("alter database {name} set default_transaction_read_only = {value}");
        admin.batch_execute(&set).await.unwrap();
        let others = "select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()";
        admin.execute(others, &[]).await.unwrap();
    };

    read_only("on").await;
    until("every connection is a new one", async || {
        matches!(node.keys.renew().await, Err(KeyringError::Standby)).then_some(())
    })
    .await;

    read_only("off").await;
    until("it is renewed again", async || node.keys.renew().await.ok()).await;
}

/// What a renewal promises is that its commit waits as that of an erased key does.
#[tokio::test]
async fn a_primary_that_its_synchronous_standby_has_left_renews_no_lease() {
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    let folder = tempfile::Builder::new().permissions(open).tempdir().unwrap();
    let bin = crate::postgres::binaries::find(None).unwrap();
    let scratch = crate::postgres::ClusterOptions { fsync: false, ..Default::default() };
    let primary =
        crate::postgres::Cluster::start(&bin, &folder.path().join("first"), scratch).await.unwrap();
    primary.create_database("keys").await.unwrap();
    let url = primary.url("keys");
    crate::postgres::migrate_keyring(&url).await.unwrap();
    let harness = Harness::new().await;
    let pool = connect(&url, &ConnectOptions::keyring()).await.unwrap();
    let (roots, clock) = (Arc::new(harness.folder()), harness.clock.clone());
    let node = Keyring::start(pool, roots, harness.options.clone(), clock).await.unwrap();
    let admin = connect_one(&url, &ConnectOptions::unlimited()).await.unwrap();
    let set = async |change: &str| {
        admin.batch_execute(change).await.unwrap();
        admin.batch_execute("select pg_reload_conf()").await.unwrap();
    };
    until("a lease is renewed", async || node.keys.renew().await.ok()).await;

    set("alter system set synchronous_standby_names = 'gone'").await;
    let waiting = "select count(*) from pg_stat_activity
        where wait_event = 'SyncRep' and query like '%lethe.lease%'";
    until("a renewal waits for the standby", async || {
        let renewed = node.keys.renew().await;
        let waits: i64 = admin.query_one(waiting, &[]).await.unwrap().get(0);
        (matches!(renewed, Err(KeyringError::LeaseLost(_))) && waits > 0).then_some(())
    })
    .await;

    set("alter system reset synchronous_standby_names").await;
    until("it is renewed again", async || node.keys.renew().await.ok()).await;
}

#[tokio::test]
async fn whoever_waits_for_other_nodes_waits_for_a_lease_and_the_longest_command() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let since = std::time::Instant::now();

    node.keys.wait_for_other_nodes(std::time::Duration::from_millis(200)).await;

    assert!(since.elapsed() >= std::time::Duration::from_millis(1_200));
}
