//! What is known of the log, while another node or a restore of the keyring changes it.

use test_support::{until, until_waits_for_lock};

use super::*;

#[tokio::test]
async fn what_another_node_writes_down_meanwhile_is_compared_before_it_is_replaced() {
    for (meanwhile, why) in [
        ("position = 9, event_id = gen_random_uuid()", WentBack::Behind { known: 9, head: 6 }),
        ("noticed_at = clock_timestamp()", WentBack::Noticed),
    ] {
        let harness = Harness::new().await;
        harness.knowing().await;
        let url = &harness.log.databases.keyring_url;
        let patient = ConnectOptions { role: Some("lethe_app"), ..ConnectOptions::unlimited() };
        let keyring = connect(url, &patient).await.unwrap();
        let node = Durable::new(Watermark::default(), harness.pool.clone(), keyring);
        node.load().await.unwrap();
        node.begin_keeping().await.unwrap();
        harness.append(1).await;
        let mut other = connect_one(url, &ConnectOptions::unlimited()).await.unwrap();
        let watcher = connect_one(url, &ConnectOptions::default()).await.unwrap();
        let faster = other.transaction().await.unwrap();
        faster.execute(&format!("update keyring.watermark set {meanwhile}"), &[]).await.unwrap();
        let securing = tokio::spawn(async move { node.secure().await });
        until_waits_for_lock(&watcher, "keyring.watermark").await;
        faster.commit().await.unwrap();

        let found = securing.await.unwrap();

        assert!(matches!(found, Err(CompareError::WentBack(found)) if found == why), "{found:?}");
    }
}

#[tokio::test]
async fn a_node_writes_its_restore_down_again_when_the_keyring_forgets_it() {
    let harness = Harness::new().await;
    let node = harness.node();
    harness.knowing().await;
    let url = &harness.log.databases.keyring_url;
    let admin = connect_one(url, &ConnectOptions::default()).await.unwrap();
    let keep = "create table keyring.before as table keyring.watermark";
    admin.batch_execute(keep).await.unwrap();
    harness.restore_to(4, &node).await;
    let back = "delete from keyring.watermark; insert into keyring.watermark table keyring.before";
    admin.batch_execute(back).await.unwrap();

    node.secure().await.unwrap();

    let next = harness.node();
    assert_eq!(next.load().await.unwrap(), Known::Same);
    assert_eq!(next.restores(), 1);
}

#[tokio::test]
async fn a_node_that_cannot_write_down_what_it_knows_says_so_until_it_can() {
    let harness = Harness::new().await;
    let node = harness.knowing().await;
    let url = &harness.log.databases.keyring_url;
    let admin = connect_one(url, &ConnectOptions::default()).await.unwrap();
    admin.batch_execute("alter table keyring.watermark rename to away").await.unwrap();
    harness.append(1).await;

    let keeping = tokio::spawn(node.clone().keep(true));

    let trouble = until("it says so", async || node.trouble()).await;
    assert!(trouble.why().contains("watermark"), "{}", trouble.why());
    admin.batch_execute("alter table keyring.away rename to watermark").await.unwrap();
    until("it says so no longer", async || node.trouble().is_none()).await;
    keeping.abort();
}
