//! Somebody registers an address that nobody ever verifies: what is kept of it is bounded by time.

use tests::{Installation, Person, TestServer, until};

const SUBJECT: &str = "Confirm your e-mail address, or your account is erased";
/// Live rows of an account in the events' database, by table.
const ROWS: [(&str, &str); 5] = [
    ("working.credentials", "account_id"),
    ("working.sessions", "account_id"),
    ("working.outbox", "subject_id"),
    ("event_log.reservations", "owner"),
    ("event_log.snapshots", "stream_id"),
];

/// So many days pass while no node runs.
async fn pass(installation: &Installation, node: TestServer, days: u8) -> TestServer {
    assert!(node.stop().await.success());
    let passes = format!(
        "update read_models.accounts_v4 set registered_at = registered_at - interval '{days} days',
          unverified_used_at = unverified_used_at - interval '{days} days';
        update working.outbox set created_at = created_at - interval '{days} days',
          finished_at = finished_at - interval '{days} days', until = until - interval '{days} days'"
    );
    installation.log().await.batch_execute(&passes).await.unwrap();
    installation.node().await
}

async fn count(client: &tokio_postgres::Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn an_address_that_nobody_verifies_is_forgotten_a_week_after_a_notice() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let (bob, ada) = (Person::named("bob"), Person::named("ada"));
    bob.settle(&node.client(), &installation).await;
    let id = ada.register(&node.client()).await;
    let first = installation.mail(&ada.email, 1).await;
    let log = installation.log().await;
    let shown = format!("select count(*) from read_models.accounts_v4 where account_id = '{id}'");
    until("the account is shown", async || count(&log, &shown).await == 1).await;

    let node = pass(&installation, node, 31).await;
    // The first one is older than mails are kept: it may be deleted by now.
    let notice = installation.mailbox().another(&ada.email, &[first]).await;
    assert_eq!(notice.subject, SUBJECT);
    assert!(notice.text.contains("/verify-email\n"), "{}", notice.text);
    let sent =
        "select count(*) from working.outbox where kind = 'account_unverified' and state = 'sent'";
    until("it is known to be sent", async || count(&log, sent).await == 1).await;
    assert!(installation.events("account.erasure_requested").await.is_empty());
    let node = pass(&installation, node, 8).await;
    until("the account is erased", async || {
        installation.events("account.erasure_completed").await.len() == 1
    })
    .await;

    for (table, column) in ROWS {
        let rows = format!("select count(*) from {table} where {column} = '{id}'");
        assert_eq!(count(&log, &rows).await, 0, "{table}");
    }
    let keys =
        format!("select count(*) from keyring.keys where subject = '{id}' and wrapped is not null");
    assert_eq!(count(&installation.keyring().await, &keys).await, 0);
    assert!(installation.mails(&ada.email).is_empty(), "nor is a mail of it left");
    let anybody = node.client();
    ada.try_sign_in(&anybody).await.expect(401);
    bob.sign_in(&anybody).await;
    assert_ne!(ada.register(&anybody).await, id, "the address is free again");
}
