//! A database that takes no new keys, and takes them again.

use std::time::Duration;

use test_support::until;

use super::*;

/// As a disk without room for another page.
const FILL: &str = "
    create function public.is_full() returns trigger language plpgsql as $$
    begin raise exception 'No space left on device' using errcode = '53100'; end $$;
    create trigger is_full before insert on keyring.keys for each row execute function public.is_full()";
const FREE: &str = "drop trigger is_full on keyring.keys";

async fn owner(harness: &Harness) -> tokio_postgres::Client {
    connect_one(&harness.databases.keyring_url, &ConnectOptions::default()).await.unwrap()
}

#[tokio::test]
async fn a_disk_without_room_for_keys_is_shown_until_a_probe_is_written() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let owner = owner(&harness).await;
    let ada = harness.person();
    assert!(node.key_trouble().is_none());

    owner.batch_execute(FILL).await.unwrap();
    let refused = harness.registered(&node, ada).await.unwrap_err().to_string();
    assert!(refused.contains("53100"), "{refused}");
    let trouble = node.key_trouble().unwrap();
    assert!(trouble.why().contains("53100"), "{}", trouble.why());

    // Were the probe another one than a key, it would be written by then.
    let probed = async || node.key_trouble().unwrap().age() > Duration::from_secs(2);
    until("it is probed, and refuses that too", probed).await;

    owner.batch_execute(FREE).await.unwrap();
    until("a probe is written", async || node.key_trouble().is_none()).await;
    let left = "select count(*) from keyring.keys where kind = 'subject' and class = 0";
    assert_eq!(harness.count(left).await, 0, "a probe leaves nothing");
    harness.registered(&node, ada).await.unwrap();
}

#[tokio::test]
async fn a_key_that_is_refused_for_its_own_sake_is_no_trouble_of_the_database() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let refuse = "alter table keyring.keys add constraint nobody check (subject is null) not valid";
    owner(&harness).await.batch_execute(refuse).await.unwrap();

    let refused = harness.registered(&node, harness.person()).await.unwrap_err().to_string();

    assert!(refused.contains("23514"), "{refused}");
    assert!(node.key_trouble().is_none());
}
