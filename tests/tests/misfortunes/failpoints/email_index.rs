//! Kills while the key of the e-mail index is rotated.

use std::time::Duration;

use tests::{Client, Installation, Person, TestServer, until_within};
use tokio::time::timeout;

use super::checks::settled;
use super::crash::Report;

/// Each rotation waits half a minute, twice, for commands that use the earlier key.
const LIMIT: Duration = Duration::from_mins(3);
const ROTATING: [&str; 5] = [
    "email_index.begun",
    "email_index.moved",
    "email_index.switched",
    "email_index.reservations_deleted",
    "email_index.key_erased",
];
/// Half of the longest time that a key may be used has passed.
const AGE: &str = "update keyring.email_generations \
    set created_at = now() - interval '8 days' where state = 'live'";
/// The leases of the node that was killed are over.
const RELEASE: &str = "delete from working.leader_leases";
const LIST_KINDS: &str = "select distinct kind from event_log.reservations order by 1";
const LIST_GENERATIONS: &str = "select generation, state from keyring.email_generations \
    order by generation";
const COUNT_KEYS: &str =
    "select count(*) from keyring.keys where kind = 'email_index' and wrapped is not null";

pub async fn crash() -> Report {
    let mut report = Report::default();
    let installation = Installation::new().await.with_failpoints();
    let node = installation.node().await;
    let mut people = Vec::new();
    for name in ["ada", "bob", "eve"] {
        people.push(register(&node.client(), name).await);
    }
    settled(&installation, "the beginning").await;
    assert!(node.stop().await.success());
    assert_eq!(installation.keyring().await.execute(AGE, &[]).await.unwrap(), 1);

    for failpoint in ROTATING {
        // It may die before it is ready.
        let settings = [("failpoint", failpoint)];
        let serving = installation.run_with(&["serve"], &settings);
        let killed = timeout(LIMIT, serving).await.expect("the failpoint is reached");
        report.read(failpoint, killed.status, &String::from_utf8_lossy(&killed.stderr));
        installation.log().await.execute(RELEASE, &[]).await.unwrap();

        // Everybody is found meanwhile, and nobody else gets an address that somebody has.
        let node = api(&installation).await;
        for person in &people {
            person.sign_in(&node.client()).await;
            person.try_register(&node.client()).await.expect(409);
        }
        people.push(register(&node.client(), &failpoint.replace(['.', '_'], "-")).await);
        assert!(node.stop().await.success());
    }

    let node = installation.node().await;
    let (log, keyring) = (installation.log().await, installation.keyring().await);
    until_within(LIMIT, "the rotation is complete", async || {
        let rows = keyring.query(LIST_GENERATIONS, &[]).await.unwrap();
        let states: Vec<(i64, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let complete = [(1, "destroyed".to_owned()), (2, "live".to_owned())];
        if states == complete { Ok(()) } else { Err(format!("{states:?}")) }
    })
    .await;
    settled(&installation, "the end").await;
    let rows = log.query(LIST_KINDS, &[]).await.unwrap();
    let kinds: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(kinds, ["account.email.2"]);
    let keys: i64 = keyring.query_one(COUNT_KEYS, &[]).await.unwrap().get(0);
    assert_eq!(keys, 1, "keys of the index");
    for person in &people {
        person.sign_in(&node.client()).await;
        person.try_register(&node.client()).await.expect(409);
    }
    assert!(node.stop().await.success());
    report
}

/// A node without workers: it does not go on with the rotation.
async fn api(installation: &Installation) -> TestServer {
    installation.api_node().await
}

async fn register(client: &Client, name: &str) -> Person {
    let person = Person::named(name);
    person.register(client).await;
    person
}
