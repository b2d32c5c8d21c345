//! The log goes back under serving nodes, or between two starts.

use infra::log::status;
use infra::postgres::{ConnectOptions, DatabaseUrl, connect, connect_one};
use serde_json::json;
use tests::{Client, Installation, Person, TestServer, dump, restore, until};
use tokio::task::JoinHandle;

const EXIT_CODE: i32 = 3;
const LOST: u32 = 100;
const HEAD: &str = "select max(position) from event_log.events";

/// Puts the other database in the place of the installation's log, as a failover or a restore does.
async fn swap(installation: &Installation, other: &str) {
    let (log, other): (DatabaseUrl, DatabaseUrl) =
        (installation.log_url().parse().unwrap(), other.parse().unwrap());
    let server = log.with_database("postgres");
    let admin = connect_one(&server, &ConnectOptions::default()).await.unwrap();
    let (log, other) = (log.database().unwrap(), other.database().unwrap());
    let close = format!("alter database {log} allow_connections false");
    admin.batch_execute(&close).await.unwrap();
    let end = format!(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '{log}'"
    );
    let rename = format!("alter database {log} rename to lost_{log}");
    // Whoever was let in right before that may be listed only later.
    until("nobody is connected to it", async || {
        admin.batch_execute(&end).await.unwrap();
        admin.batch_execute(&rename).await
    })
    .await;
    let rename = format!("alter database {other} rename to {log}");
    admin.batch_execute(&rename).await.unwrap();
}

/// Changes a consent of Ada's, once an answer.
async fn consent(ada: &Client, version: u32) -> Option<u16> {
    let call = ada.call(reqwest::Method::PUT, "/v1/me/consents/product_news");
    let answer = call.json(json!({ "policy_version": version })).try_send().await.ok()?;
    Some(answer.status)
}

/// Until its node is gone.
fn load(ada: Client, from: u32) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut version = from;
        while consent(&ada, version).await.is_some() {
            version += 1;
        }
    })
}

async fn ended_as_said(mut node: TestServer) {
    let status = node.ended().await;
    let log = node.log_text();
    assert_eq!(status.code(), Some(EXIT_CODE), "{log}");
    assert!(
        log.lines().any(|line| line.starts_with("lethe: ") && line.contains("the log")),
        "{log}"
    );
}

async fn count(installation: &Installation, sql: &str) -> i64 {
    installation.log().await.query_one(sql, &[]).await.unwrap().get(0)
}

async fn caught_up(installation: &Installation) {
    let pool = connect(&installation.log_url(), &ConnectOptions::app()).await.unwrap();
    until("every reader has read everything", async || {
        let readers = status(&pool).await.unwrap();
        readers.iter().all(|reader| reader.position == reader.head).then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_serving_nodes_stop_when_the_log_loses_its_last_events_and_the_next_start_serves() {
    let installation = Installation::new().await;
    let (one, other) = (installation.node().await, installation.node().await);
    let client = one.client();
    let (ada, bob) = (Person::named("ada"), Person::named("bob"));
    ada.register(&client).await;
    ada.verify(&client, &installation).await;
    let signed_in = ada.sign_in(&client).await;
    caught_up(&installation).await;
    let backup = dump(&installation.log_url(), &[]).await;
    let token = signed_in.token().unwrap().to_owned();
    for version in 0..LOST {
        let node = if version % 2 == 0 { &one } else { &other };
        consent(&node.client().bearing(&token), version).await.unwrap();
    }
    bob.register(&client).await;
    let head = count(&installation, HEAD).await;
    installation.mail(&bob.email, 1).await;
    // In the backup a mail to Ada was still to be sent; it has gone since.
    let restored = restore(&backup).await;
    let queue = "update working.outbox set state = 'queued', finished_at = null, next_at = now()";
    let owner = connect_one(&restored, &ConnectOptions::default()).await.unwrap();
    owner.batch_execute(queue).await.unwrap();
    let kept: i64 = owner.query_one(HEAD, &[]).await.unwrap().get(0);
    drop(owner);
    for file in std::fs::read_dir(installation.mail_dir()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let loads = [&one, &other].map(|node| load(node.client().bearing(&token), LOST));

    swap(&installation, &restored).await;

    ended_as_said(one).await;
    ended_as_said(other).await;
    for load in loads {
        load.await.unwrap();
    }
    assert_eq!(count(&installation, HEAD).await, kept, "something was appended");

    let lethe = installation.node().await;
    let client = lethe.client();
    assert_eq!(client.bearing(&token).get("/v1/me").await.status, 401, "the session is ended");
    ada.sign_in(&client).await;
    caught_up(&installation).await;
    let events = installation.events("log.restored").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["head"], kept);
    assert!(events[0]["known"].as_i64().unwrap() >= head, "{events:?}");
    let trail =
        "select count(*) - (select count(*) from read_models.audit_trail_v2) from event_log.events";
    until("every event is in the trail", async || match count(&installation, trail).await {
        0 => Ok(()),
        missing => Err(missing),
    })
    .await;
    assert!(installation.mails(&ada.email).is_empty(), "a mail went again");
    let unknown = "select count(*) from working.outbox where state = 'unknown'";
    assert_eq!(count(&installation, unknown).await, 1);
}

/// As of a drill: the database is another, and the keyring is the one of the nodes.
#[tokio::test]
async fn a_command_on_another_log_is_refused_and_stops_no_node() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;
    let client = lethe.client();
    let (ada, bob) = (Person::named("ada"), Person::named("bob"));
    ada.register(&client).await;
    caught_up(&installation).await;
    let drill = restore(&dump(&installation.log_url(), &[]).await).await;
    bob.register(&client).await;
    assert!(lethe.stop().await.success());
    let lethe = installation.node().await;

    for words in [&["keys", "status"][..], &["token", "create", "--scope", "audit"]] {
        let other = [("database_url", drill.as_str()), ("direct_url", &drill)];
        let refused = installation.run_with(words, &other).await;

        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("correct database_url"), "{said}");
    }

    let noticed = "select count(*) from keyring.watermark where noticed_at is not null";
    let keyring = installation.keyring().await;
    assert_eq!(keyring.query_one(noticed, &[]).await.unwrap().get::<_, i64>(0), 0);
    ada.sign_in(&lethe.client()).await;
    assert!(lethe.stop().await.success());
}

#[tokio::test]
async fn a_restore_under_stopped_nodes_is_found_by_the_start() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;
    let client = lethe.client();
    let (ada, bob) = (Person::named("ada"), Person::named("bob"));
    ada.register(&client).await;
    let signed_in = ada.sign_in(&client).await;
    caught_up(&installation).await;
    let yesterday = dump(&installation.log_url(), &[]).await;
    bob.register(&client).await;
    assert!(lethe.stop().await.success());
    swap(&installation, &restore(&yesterday).await).await;

    // A command that appends is refused until then.
    let refused = installation.run(&["token", "create", "--scope", "audit"]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("the log went back"), "{said}");
    let lethe = installation.node().await;

    let old = lethe.client().bearing(signed_in.token().unwrap());
    assert_eq!(old.get("/v1/me").await.status, 401);
    assert_eq!(installation.events("log.restored").await.len(), 1);
    // What was lost can be done again.
    bob.register(&lethe.client()).await;
    assert!(lethe.stop().await.success());
    let lethe = installation.node().await;
    assert_eq!(installation.events("log.restored").await.len(), 1);
    let metrics = reqwest::get(lethe.metrics()).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("lethe_log_went_back 0"));
    until("the gauges are read", async || {
        let metrics = reqwest::get(lethe.metrics()).await.unwrap().text().await.unwrap();
        metrics.contains("lethe_log_restores 1").then_some(())
    })
    .await;
}

/// Without a copy that says it first: the list of erased keys is shorter than it was.
#[tokio::test]
async fn a_serving_node_stops_when_the_keyring_goes_back_and_the_next_start_serves() {
    let installation = Installation::new().await;
    let earlier = "update keyring.last_invalidation set sequence = sequence + 5";
    installation.keyring().await.batch_execute(earlier).await.unwrap();
    let mut node = installation.node().await;
    let ada = Person::named("ada");
    ada.register(&node.client()).await;
    let back = "update keyring.last_invalidation set sequence = sequence - 1";

    installation.keyring().await.batch_execute(back).await.unwrap();

    let status = node.ended().await;
    let log = node.log_text();
    assert_eq!(status.code(), Some(EXIT_CODE), "{log}");
    assert!(log.contains("lethe: the keyring: the keyring's database went back"), "{log}");
    let node = installation.node().await;
    ada.verify(&node.client(), &installation).await;
    ada.sign_in(&node.client()).await;
}
