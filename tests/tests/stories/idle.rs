//! What a node asks of PostgreSQL that nobody asks anything.

use std::time::Duration;

use infra::postgres::{Cluster, ClusterOptions, binaries};
use test_support::own_server_folder;
use tests::{Installation, Person, transactions_a_second};

/// The transactions of its vacuum would be counted as the node's.
const SETTING: &str = "autovacuum=off";
const WATCHED: Duration = Duration::from_secs(20);
/// The goal is 5, and 4.8 were counted: several timers with a minute to wait may fall into the time.
const TRANSACTIONS_A_SECOND_MAX: f64 = 8.0;

#[tokio::test]
async fn an_idle_node_makes_few_transactions() {
    let _alone = tests::alone().await;
    let dir = own_server_folder();
    let settings = vec![SETTING.to_owned()];
    let options = ClusterOptions { settings, fsync: false, ..ClusterOptions::default() };
    let bin = binaries::find(None).unwrap();
    let cluster = Cluster::start(&bin, &dir.path().join("server"), options).await.unwrap();
    let [log, keyring] = ["lethe", "lethe_keys"].map(|name| cluster.url(name));
    let urls = [("database_url", log.as_str()), ("keyring_url", keyring.as_str())];
    let installation = Installation::with(&urls).await;
    let node = installation.node().await;
    Person::named("ada").settle(&node.client(), &installation).await;

    let a_second = transactions_a_second(&installation, WATCHED).await;

    assert!(a_second > 0.0, "what the node does was not counted");
    assert!(a_second <= TRANSACTIONS_A_SECOND_MAX, "{a_second:.1} transactions a second");
    assert!(node.stop().await.success());
    cluster.stop(Duration::from_mins(1)).await.unwrap();
}
