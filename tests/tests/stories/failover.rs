//! The primary dies under two serving nodes, and its standby takes over without the last events.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use infra::log::status;
use infra::postgres::{ConnectOptions, connect, connect_one};
use serde_json::json;
use tests::{Client, Installation, Person, ServerPair, TestServer, replay_all, until};
use tokio::task::JoinHandle;

const EXIT_CODE: i32 = 3;
/// What is answered after the standby was cut off, by each node.
const LOST: usize = 100;
const HEAD: &str = "select max(position) from event_log.events";
const DENSE: &str = "select count(*) = max(position) from event_log.events";
const VERSIONS: &str = "select (data->>'policy_version')::bigint from event_log.events \
    where event_type = 'account.consent_given'";
const NOT_IN_TRAIL: &str =
    "select count(*) - (select count(*) from read_models.audit_trail_v2) from event_log.events";

/// A person who gives one consent after another, until the node is gone. No other load has its versions.
struct Load {
    answered: Arc<Mutex<BTreeSet<i64>>>,
    giving: JoinHandle<()>,
}

impl Load {
    fn start(client: Client, first: i64) -> Self {
        let answered = Arc::<Mutex<BTreeSet<i64>>>::default();
        let given = Arc::clone(&answered);
        let giving = tokio::spawn(async move {
            for version in first.. {
                let call = client.call(reqwest::Method::PUT, "/v1/me/consents/product_news");
                let answer = call.json(json!({ "policy_version": version })).try_send().await;
                match answer {
                    Ok(answer) if answer.status == 200 => given.lock().unwrap().insert(version),
                    Ok(_) => false,
                    Err(_) => return,
                };
            }
        });
        Self { answered, giving }
    }

    fn answered(&self) -> BTreeSet<i64> {
        self.answered.lock().unwrap().clone()
    }

    async fn until_answered(&self, more: usize) {
        let before = self.answered().len();
        until("it is answered", async || match self.answered().len() {
            now if now >= before + more => Ok(()),
            now => Err(now - before),
        })
        .await;
    }
}

fn answered(loads: &[Load]) -> BTreeSet<i64> {
    loads.iter().flat_map(Load::answered).collect()
}

/// Two nodes of one installation, both databases of which are on the server in use.
struct Drill {
    servers: ServerPair,
    installation: Installation,
}

impl Drill {
    async fn new() -> Self {
        let servers = ServerPair::new().await;
        let [log, keyring] = ["lethe", "lethe_keys"].map(|name| servers.url(name));
        // A copy that was made in the time that is lost wants `lethe restore --keyring` first: that is another story.
        let settings =
            [("database_url", log.as_str()), ("keyring_url", &keyring), ("copy_dir", "")];
        Self { servers, installation: Installation::with(&settings).await }
    }

    async fn ask<T: for<'a> tokio_postgres::types::FromSql<'a>>(&self, sql: &str) -> Vec<T> {
        let url = self.servers.url("lethe");
        let client = connect_one(&url, &ConnectOptions::default()).await.unwrap();
        let rows = client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn number(&self, sql: &str) -> i64 {
        self.ask(sql).await[0]
    }

    async fn caught_up(&self) {
        let pool = connect(&self.servers.url("lethe"), &ConnectOptions::app()).await.unwrap();
        until("every reader has read everything", async || {
            let readers = status(&pool).await.unwrap();
            readers.iter().all(|reader| reader.position == reader.head).then_some(())
        })
        .await;
    }

    fn mails(&self, people: &[Person]) -> Vec<usize> {
        people.iter().map(|person| self.installation.mails(&person.email).len()).collect()
    }

    /// A mail that goes again would have the file of the first one.
    fn delete_mails(&self) {
        for entry in std::fs::read_dir(self.installation.mail_dir()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }

    /// Every read model has what a replay makes of the log.
    async fn assert_replays_change_nothing(&self) {
        let log_url = self.servers.url("lethe");
        let [before, after] = replay_all(&self.installation, &log_url).await;
        assert_eq!(before, after, "rows are left of events that were lost");
        assert!(after["accounts"].0 > 0 && after["sessions"].0 > 0, "{after:?}");
    }
}

async fn ended_as_said(mut node: TestServer) {
    let status = node.ended().await;
    let log = node.log_text();
    assert_eq!(status.code(), Some(EXIT_CODE), "{log}");
    let says = |line: &str| line.starts_with("lethe: ") && line.contains("went back");
    assert!(log.lines().any(says), "{log}");
}

#[tokio::test]
async fn a_standby_that_takes_over_without_the_last_events_is_served_after_the_next_start() {
    let _alone = tests::alone().await;
    let mut drill = Drill::new().await;
    let nodes = [drill.installation.node().await, drill.installation.node().await];
    let people = ["ada", "bob"].map(Person::named);
    let mut loads = Vec::new();
    for ((node, person), first) in nodes.iter().zip(&people).zip([1, 1_000_000]) {
        let signed_in = person.settle(&node.client(), &drill.installation).await;
        loads.push((signed_in, first));
    }
    let ada = loads[0].0.clone();
    drill.servers.add_standby().await;
    let loads: Vec<Load> =
        loads.into_iter().map(|(client, first)| Load::start(client, first)).collect();
    for load in &loads {
        load.until_answered(20).await;
    }

    let kept = answered(&loads);
    drill.servers.catch_up().await;
    drill.servers.cut_off().await;
    for load in &loads {
        load.until_answered(LOST).await;
    }
    drill.servers.kill_primary().await;
    drill.servers.switch();
    // The standby says to nobody that the log went back before it is the log.
    for node in &nodes {
        until("it serves nothing", async || node.client().get("/readyz").await.status == 503).await;
    }
    drill.servers.promote().await;
    let head = drill.number(HEAD).await;

    for node in nodes {
        ended_as_said(node).await;
    }
    let answered = answered(&loads);
    for load in loads {
        load.giving.await.unwrap();
    }
    assert_eq!(drill.number(HEAD).await, head, "something was appended");
    let found: BTreeSet<i64> = drill.ask(VERSIONS).await.into_iter().collect();
    let missing: Vec<_> = kept.difference(&found).collect();
    assert!(missing.is_empty(), "the standby had received {missing:?}");
    assert!(answered.difference(&found).count() >= 2 * LOST, "nothing was lost");
    assert!(drill.mails(&people).iter().all(|mails| *mails > 0), "there is nothing to go again");
    drill.delete_mails();

    let node = drill.installation.node().await;

    let client = node.client();
    assert_eq!(client.bearing(ada.token().unwrap()).get("/v1/me").await.status, 401);
    people[0].sign_in(&client).await;
    drill.caught_up().await;
    let restored = "select (data->>'head')::bigint from event_log.events \
        where event_type = 'log.restored'";
    assert_eq!(drill.ask::<i64>(restored).await, [head]);
    assert_eq!(drill.ask::<bool>(DENSE).await, [true]);
    until("every event is in the trail", async || match drill.number(NOT_IN_TRAIL).await {
        0 => Ok(()),
        missing => Err(missing),
    })
    .await;
    // Her mail goes after those that would go again.
    Person::named("eve").settle(&client, &drill.installation).await;
    drill.assert_replays_change_nothing().await;
    assert_eq!(drill.mails(&people), [0, 0], "a mail went again");
    assert!(node.stop().await.success());
}
