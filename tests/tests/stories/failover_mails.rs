//! The primary dies when a mail has gone, and its standby has the event of the mail, but not its row.

use infra::postgres::{ConnectOptions, connect_one};
use tests::{Behaviour, Installation, Person, ServerPair, Smtp, until};

/// The states of all mails, the oldest first.
async fn states(servers: &ServerPair) -> Vec<String> {
    let client = connect_one(&servers.url("lethe"), &ConnectOptions::default()).await.unwrap();
    let states = "select state from working.outbox order by created_at";
    let rows = client.query(states, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn until_states(servers: &ServerPair, expected: &[&str]) {
    until(&format!("mails are {expected:?}"), async || match states(servers).await {
        found if found == expected => Ok(()),
        found => Err(found),
    })
    .await;
}

#[tokio::test]
async fn a_mail_whose_row_the_standby_never_had_does_not_go_twice() {
    let _alone = tests::alone().await;
    let mut smtp = Smtp::start(Behaviour::Accept).await;
    let mut servers = ServerPair::new().await;
    let [log, keyring] = ["lethe", "lethe_keys"].map(|name| servers.url(name));
    let smtp_url = smtp.url();
    let installation = Installation::with(&[
        ("database_url", &log),
        ("keyring_url", &keyring),
        ("copy_dir", ""),
        ("smtp_url", &smtp_url),
    ])
    .await;
    let node = installation.node().await;
    let (ada, bob) = (Person::named("ada"), Person::named("bob"));
    servers.add_standby().await;
    // While it is locked no mail is queued, and the standby gets nothing but the event.
    let holder = connect_one(&servers.url("lethe"), &ConnectOptions::unlimited()).await.unwrap();
    holder.batch_execute("begin; lock table working.outbox in share mode").await.unwrap();
    ada.register(&node.client()).await;
    servers.catch_up().await;
    servers.cut_off().await;
    holder.batch_execute("commit").await.unwrap();
    assert_eq!(smtp.next().await.to, ada.email);
    until_states(&servers, &["sent"]).await;

    servers.kill_primary().await;
    node.kill();
    servers.switch();
    servers.promote().await;
    assert_eq!(states(&servers).await, Vec::<String>::new(), "the standby had the row");
    let node = installation.node().await;

    until_states(&servers, &["unknown"]).await;
    bob.register(&node.client()).await;
    assert_eq!(smtp.next().await.to, bob.email, "a mail of before went again");
    until_states(&servers, &["unknown", "sent"]).await;
    assert_eq!(smtp.taken(), 0);
    assert!(node.stop().await.success());
}
