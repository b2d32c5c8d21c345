//! What `/readyz` says, to whom, and what it costs.

use infra::postgres::{ConnectOptions, DatabaseUrl, connect_one};
use tests::{Client, Installation, Person, until};

async fn is_ready(client: &Client) {
    until("it is ready", async || {
        let answer = client.get("/readyz").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
}

/// As a primary that was replaced is set by whoever replaces it: it answers every read.
#[tokio::test]
async fn a_node_whose_keyring_takes_no_writes_is_not_ready_and_comes_back() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let ada = Person::named("ada");
    let signed_in = ada.settle(&node.client(), &installation).await;
    is_ready(&node.client()).await;
    let keyring: DatabaseUrl = installation.keyring_url().parse().unwrap();
    let admin = keyring.with_database("postgres");
    let admin = connect_one(&admin, &ConnectOptions::default()).await.unwrap();
    let name = keyring.database().unwrap();
    let read_only = async |value: &str| {
        let set = format!("alter database {name} set default_transaction_read_only = {value}");
        admin.batch_execute(&set).await.unwrap();
        let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
        admin.execute(end, &[&name]).await.unwrap();
    };

    read_only("on").await;

    until("it is not ready", async || {
        let answer = node.client().get("/readyz").await;
        let says = answer.status == 503 && answer.field("/keyring") != "ok";
        if says { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    until("it is measured", async || {
        let metrics = reqwest::get(node.metrics()).await.unwrap().text().await.unwrap();
        let line =
            metrics.lines().find(|line| line.starts_with("lethe_keyring_lease_lost_seconds "));
        let seconds = line.and_then(|line| line.split(' ').nth(1)?.parse::<f64>().ok());
        if seconds.is_some_and(|seconds| seconds > 0.0) { Ok(()) } else { Err(format!("{line:?}")) }
    })
    .await;
    read_only("off").await;
    is_ready(&node.client()).await;
    assert_eq!(signed_in.get("/v1/me").await.expect(200).field("/name"), ada.name);
}

/// The file of the root key is away: its path is for whoever reads the log, or the metrics.
#[tokio::test]
async fn a_stranger_learns_which_part_is_not_well_and_nothing_else() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    is_ready(&node.client()).await;
    let file = installation.root_dir().join("root-1.key");
    std::fs::rename(&file, installation.folder().join("away.key")).unwrap();

    let answer = until("it is not ready because of it", async || {
        let answer = node.client().get("/readyz").await;
        if answer.status == 503 && answer.field("/keyring") != "ok" {
            Ok(answer)
        } else {
            Err(answer.text())
        }
    })
    .await;

    let body = answer.json();
    for (part, said) in body.as_object().unwrap().iter().filter(|(part, _)| *part != "ready") {
        assert!(said == "ok" || said == "not ok", "{part}: {said}");
    }
    let reasons = node.readiness().await;
    assert_eq!(reasons["ready"], false);
    assert!(
        reasons["keyring"].as_str().unwrap().contains("root key 1, which is not in"),
        "{reasons}"
    );
}

/// Each probe would wait for the lock with a connection of the requests.
#[tokio::test]
async fn a_flood_of_probes_is_one_look_and_takes_no_connection_of_requests() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let ada = Person::named("ada");
    let signed_in = ada.settle(&node.client(), &installation).await;
    is_ready(&node.client()).await;
    let mut holder = installation.log().await;
    let held = holder.transaction().await.unwrap();
    held.batch_execute("lock table readers.generations in access exclusive mode").await.unwrap();
    let observer = installation.log().await;
    let looks = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query like '%readers.generations r on%'";
    let flood: Vec<_> = (0..60)
        .map(|_| {
            let client = node.client();
            tokio::spawn(async move { client.get("/readyz").await.status })
        })
        .collect();

    until("one of them waits for the lock", async || {
        let row = observer.query_one(looks, &[]).await.unwrap();
        row.get::<_, i64>(0) > 0
    })
    .await;
    let mut most = 0;
    while flood.iter().any(|probe| !probe.is_finished()) {
        let row = observer.query_one(looks, &[]).await.unwrap();
        most = most.max(row.get::<_, i64>(0));
        assert_eq!(signed_in.get("/v1/me").await.status, 200);
    }

    // The gauges of this node ask the same, now and then.
    assert!(most <= 2, "{most} at once");
    held.rollback().await.unwrap();
    is_ready(&node.client()).await;
}
