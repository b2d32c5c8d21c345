//! PostgreSQL is killed and started again under a node that serves: Lethe goes on by itself, and has lost nothing that it answered.

use std::path::Path;
use std::time::Duration;

use infra::postgres::{Cluster, ClusterOptions, ConnectOptions, binaries, connect_one};
use test_support::own_server_folder;
use tests::{Installation, Person, kill_postmaster, until};

use crate::load::{Load, check};

/// With fsync, as in service: what is committed is on the disk.
async fn start(dir: &Path) -> Cluster {
    let bin = binaries::find(None).unwrap();
    Cluster::start(&bin, &dir.join("server"), ClusterOptions::default()).await.unwrap()
}

#[tokio::test]
async fn a_server_that_is_killed_and_started_again_costs_no_answer_and_no_restart_of_lethe() {
    let _alone = tests::alone().await;
    let dir = own_server_folder();
    let cluster = start(dir.path()).await;
    let [log, keyring] = ["lethe", "lethe_keys"].map(|name| cluster.url(name));
    let urls = [("database_url", log.as_str()), ("keyring_url", keyring.as_str())];
    let installation = Installation::with(&urls).await;
    let node = installation.node().await;
    let mut loads = Vec::new();
    for (name, first) in [("ada", 1), ("bob", 1_000_000)] {
        let client = Person::named(name).settle(&node.client(), &installation).await;
        loads.push(Load::consents(client, first));
    }
    let reader = Person::named("cy").settle(&node.client(), &installation).await;
    let reads = Load::reads(reader, "/v1/me");
    for load in loads.iter().chain([&reads]) {
        load.until_answered().await;
    }

    kill_postmaster(&cluster).await;

    for load in loads.iter().chain([&reads]) {
        load.until_put_off().await;
    }
    drop(cluster);
    let cluster = start(dir.path()).await;
    for load in loads.iter().chain([&reads]) {
        load.until_answered().await;
    }
    until("the node is ready", async || {
        let answer = node.client().get("/readyz").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    reads.end().await;
    let admin = connect_one(&cluster.url("lethe"), &ConnectOptions::default()).await.unwrap();
    check(&admin, loads).await;
    assert!(node.stop().await.success());
    cluster.stop(Duration::from_mins(1)).await.unwrap();
}
