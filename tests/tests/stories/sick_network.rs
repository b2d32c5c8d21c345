//! A host of PostgreSQL swallows every packet: Lethe serves again by way of another one.

use std::time::Duration;

use chrono::TimeDelta;
use infra::clock::Clock;
use infra::postgres::{Cluster, ClusterOptions, ConnectOptions, binaries, connect_one};
use test_support::own_server_folder;
use tests::{Installation, Person, SilentHost, StallWatch};

use crate::load::{Load, check};

/// From the first packet that is swallowed.
const SERVES_WITHIN: TimeDelta = TimeDelta::seconds(15);
/// Nothing notices it earlier: what is answered before was not swallowed.
const NOTICED_AFTER: TimeDelta = TimeDelta::seconds(3);

#[tokio::test]
async fn a_host_that_swallows_packets_is_left_within_15_seconds_and_costs_no_answer() {
    let _alone = tests::alone().await;
    let Some(host) = SilentHost::new() else { return };
    let dir = own_server_folder();
    let both = host.addresses().join(",");
    let settings = vec![format!("listen_addresses={both}")];
    let options = ClusterOptions { settings, fsync: false, ..ClusterOptions::default() };
    let bin = binaries::find(None).unwrap();
    let cluster = Cluster::start(&bin, &dir.path().join("server"), options).await.unwrap();
    let [log, keyring] =
        ["lethe", "lethe_keys"].map(|name| format!("postgres://lethe@{both}/{name}"));
    let urls = [("database_url", log.as_str()), ("keyring_url", keyring.as_str())];
    let installation = Installation::with(&urls).await;
    let nodes = [installation.node().await, installation.node().await];
    let (mut consents, mut reads) = (Vec::new(), Vec::new());
    for ((node, name), first) in nodes.iter().zip(["ada", "bob"]).zip([1, 1_000_000]) {
        let client = Person::named(name).settle(&node.client(), &installation).await;
        reads.push(Load::reads(client.clone(), "/v1/me"));
        reads.push(Load::reads(client.clone(), "/v1/workspaces"));
        consents.push(Load::consents(client, first));
    }
    for load in consents.iter().chain(&reads) {
        load.until_answered().await;
    }

    // A server that is not silent tells how long the machine keeps anybody waiting.
    let stalls = StallWatch::start(&installation, Vec::new).await;
    let clock = Clock::system();

    host.go_silent();

    let silent_since = clock.now();
    for load in consents.iter().chain(&reads) {
        load.until_answered().await;
        assert!(clock.now() - silent_since > NOTICED_AFTER, "nothing was swallowed");
    }
    for (node, name) in nodes.iter().zip(["eve", "fay"]) {
        Person::named(name).register(&node.client()).await;
    }
    let (took, stall) =
        (clock.now() - silent_since, stalls.longest_between(silent_since, clock.now()));
    assert!(took - stall < SERVES_WITHIN, "{took}, of which {stall} of the machine");

    for load in reads {
        load.end().await;
    }
    let admin = connect_one(&cluster.url("lethe"), &ConnectOptions::default()).await.unwrap();
    check(&admin, consents).await;
    for node in nodes {
        assert!(node.stop().await.success());
    }
    cluster.stop(Duration::from_mins(1)).await.unwrap();
}
