//! The disk of PostgreSQL is full, and has room again: Lethe goes on by itself, and has lost nothing that it answered.

use std::time::Duration;

use infra::postgres::{Cluster, ClusterOptions, ConnectOptions, binaries, connect_one};
use test_support::{SmallDisk, empty_database};
use tests::{Installation, Person, TestServer, until};

use crate::load::{Load, check};

const KILOBYTES: u32 = 160 << 10;
/// Nothing but the appends of the test needs room at a time of its own.
const SETTINGS: [&str; 2] = ["autovacuum=off", "checkpoint_timeout=1h"];
/// The next file of the WAL, which has its full size from its beginning.
const NEXT_FILE: &str = "select pg_switch_wal(), pg_logical_emit_message(true, 'test', '')";
const MEGABYTE: &str = "select pg_logical_emit_message(true, 'test', repeat('x', 1000000))";

struct Harness {
    disk: SmallDisk,
    cluster: Cluster,
    installation: Installation,
}

impl Harness {
    /// With both databases on the small disk. `None` where nothing may be mounted.
    async fn new() -> Option<Self> {
        Self::with(None).await
    }

    /// With the keyring on the small disk, and the log in another database than there.
    async fn with(log: Option<&str>) -> Option<Self> {
        let Some(disk) = SmallDisk::mount(KILOBYTES) else {
            let left_out = std::env::var_os("LETHE_TEST_NO_MOUNT").is_some();
            assert!(
                left_out,
                "a tmpfs cannot be mounted: run as root, or set LETHE_TEST_NO_MOUNT=1"
            );
            return None;
        };
        let cluster = start(&disk).await;
        let [own, keyring] = ["lethe", "lethe_keys"].map(|name| cluster.url(name));
        let databases = [("database_url", log.unwrap_or(&own)), ("keyring_url", keyring.as_str())];
        let installation = Installation::with(&databases).await;
        Some(Self { disk, cluster, installation })
    }

    async fn admin(&self) -> tokio_postgres::Client {
        self.admin_of("lethe").await
    }

    async fn admin_of(&self, database: &str) -> tokio_postgres::Client {
        connect_one(&self.cluster.url(database), &ConnectOptions::default()).await.unwrap()
    }

    /// With the server that is there, if it has come back by itself.
    async fn started_again(self) -> Self {
        let url = self.cluster.url("lethe");
        let is_back = async {
            until("the server is back", async || {
                connect_one(&url, &ConnectOptions::default()).await.is_ok()
            })
            .await;
        };
        let has_ended = tokio::select! {
            () = is_back => false,
            () = self.cluster.ended() => true,
        };
        if !has_ended {
            return self;
        }
        let Self { disk, cluster, installation } = self;
        drop(cluster);
        let cluster = start(&disk).await;
        Self { disk, cluster, installation }
    }

    async fn stop(self, lethe: TestServer) {
        assert!(lethe.stop().await.success());
        self.cluster.stop(Duration::from_mins(1)).await.unwrap();
    }
}

async fn start(disk: &SmallDisk) -> Cluster {
    let settings = SETTINGS.map(ToOwned::to_owned).to_vec();
    let options = ClusterOptions { settings, ..ClusterOptions::default() };
    let bin = binaries::find(None).unwrap();
    Cluster::start(&bin, &disk.path().join("server"), options).await.unwrap()
}

async fn loads(lethe: &TestServer) -> Vec<Load> {
    let client = lethe.client();
    let mut loads = Vec::new();
    for (name, first) in [("ada", 1), ("bob", 1_000_000)] {
        let person = Person::named(name);
        person.register(&client).await;
        loads.push(Load::consents(person.sign_in(&client).await, first));
    }
    loads
}

async fn until_answered(loads: &[Load]) {
    for load in loads {
        load.until_answered().await;
    }
}

async fn until_ready(lethe: &TestServer) {
    until("the node is ready", async || {
        let answer = lethe.client().get("/readyz").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
}

/// This part of its readiness.
async fn until_not_ready(lethe: &TestServer, part: &str, why: &str) {
    until("the node is not ready, and says why", async || {
        let status = lethe.client().get("/readyz").await.status;
        let reasons = lethe.readiness().await;
        let says = status == 503 && reasons[part].as_str().unwrap().contains(why);
        if says { Ok(()) } else { Err(reasons) }
    })
    .await;
}

async fn metric(lethe: &TestServer) -> String {
    let text = reqwest::get(lethe.metrics()).await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with("lethe_log_writable "));
    line.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_disk_that_is_full_and_freed_costs_no_answer_and_no_restart() {
    let Some(harness) = Harness::new().await else { return };
    let lethe = harness.installation.node().await;
    let loads = loads(&lethe).await;
    until_answered(&loads).await;
    assert_eq!(metric(&lethe).await, "lethe_log_writable 1");
    harness.admin().await.query(NEXT_FILE, &[]).await.unwrap();

    harness.disk.fill();

    for load in &loads {
        load.until_put_off().await;
    }
    until_not_ready(&lethe, "writes", "53100").await;
    assert_eq!(metric(&lethe).await, "lethe_log_writable 0");

    harness.disk.free();

    until_ready(&lethe).await;
    assert_eq!(metric(&lethe).await, "lethe_log_writable 1");
    until_answered(&loads).await;
    check(&harness.admin().await, loads).await;
    harness.stop(lethe).await;
}

/// PostgreSQL ends its sessions with a PANIC, and comes back by itself or is started again, when there is room.
#[tokio::test]
async fn a_wal_that_has_no_room_left_costs_no_answer_and_no_restart_of_lethe() {
    let Some(mut harness) = Harness::new().await else { return };
    let lethe = harness.installation.node().await;
    let loads = loads(&lethe).await;
    until_answered(&loads).await;
    let admin = harness.admin().await;

    harness.disk.fill();
    until("the server has no room for its WAL, and ends its sessions", async || {
        let _ = admin.query(MEGABYTE, &[]).await;
        admin.is_closed()
    })
    .await;

    harness.disk.free();
    harness = harness.started_again().await;

    until_ready(&lethe).await;
    until_answered(&loads).await;
    check(&harness.admin().await, loads).await;
    harness.stop(lethe).await;
}

/// The log's disk has room: nothing but what needs a new key is put off.
#[tokio::test]
async fn a_full_disk_of_the_keyring_alone_makes_a_node_unready_until_it_has_room_again() {
    let log = empty_database().await.unwrap();
    let Some(harness) = Harness::with(Some(log.as_str())).await else { return };
    let lethe = harness.installation.node().await;
    let client = lethe.client();
    Person::named("ada").register(&client).await;
    until_ready(&lethe).await;
    harness.admin_of("lethe_keys").await.query(NEXT_FILE, &[]).await.unwrap();

    harness.disk.fill();

    // Where a page has room, a key is made.
    let mut people = 0;
    until("a registration is put off", async || {
        people += 1;
        let answer = Person::named(&format!("person{people}")).try_register(&client).await;
        let reasons = lethe.readiness().await;
        let is_full = reasons["keyring"].as_str().unwrap().contains("53100");
        if answer.status == 503 && is_full { Ok(()) } else { Err(reasons) }
    })
    .await;
    until_not_ready(&lethe, "keyring", "53100").await;
    assert_eq!(metric(&lethe).await, "lethe_log_writable 1");

    harness.disk.free();

    until_ready(&lethe).await;
    Person::named("bob").register(&client).await;
    harness.stop(lethe).await;
}
