//! The first keys of many people who come at once.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};
use futures_util::poll;

use super::super::RootId;
use super::*;

/// The transactions that have made keys.
const COMMITS: &str = "select count(distinct changed_by) from keyring.keys where kind = 'subject'";

impl Harness {
    /// Somebody who erases these people and does not commit: the rows that keep their keys from being made.
    async fn erasing(&self, people: &[AccountId]) -> tokio_postgres::Client {
        let owner = connect_one(&self.databases.keyring_url, &ConnectOptions::default()).await;
        let (owner, subjects) = (owner.unwrap(), people.iter().map(|person| person.0));
        owner.batch_execute("begin").await.unwrap();
        let erase =
            "insert into keyring.keys (kind, subject, class, number, created_at, destroyed_at)
            select 'subject', subject, $2, 1, now(), now() from unnest($1::uuid[]) as s(subject)";
        let class = domain::privacy::Class::Account.number();
        owner.execute(erase, &[&subjects.collect::<Vec<_>>(), &class]).await.unwrap();
        owner
    }
}

#[tokio::test]
async fn people_who_come_at_once_share_one_commit() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    node.keys.renew().await.unwrap();
    let people: Vec<_> = (0..64).map(|_| harness.person()).collect();

    let sealed = join_all(people.iter().map(|person| harness.registered(&node, *person))).await;

    assert_eq!(harness.count(COMMITS).await, 1);
    let people = people.into_iter().zip(sealed).map(|(person, sealed)| {
        let [email, _] = sealed.unwrap();
        (person, email)
    });
    all_open(&harness.node().await, &people.collect::<Vec<_>>()).await;
}

/// A node that is killed in the middle leaves neither.
#[tokio::test]
async fn the_first_key_of_a_shard_comes_in_one_transaction_with_the_key_of_the_shard() {
    let harness = Harness::new().await;
    let node = harness.node().await;

    harness.people(&node, 8).await;

    let together = "select count(*) from keyring.keys k join keyring.shards s using (generation)
        where k.kind = 'subject' and k.changed_by = s.changed_by";
    assert_eq!(harness.count(together).await, harness.shards_in("live").await);
    assert!(harness.shards_in("live").await >= 7);
}

#[tokio::test]
async fn nodes_that_make_the_first_keys_of_the_same_people_agree_on_them() {
    let harness = Harness::new().await.with_shards(7).await;
    let (one, two) = (harness.node().await, harness.node().await);
    let people: Vec<_> = (0..32).map(|_| harness.person()).collect();
    let all = async |node: &Keyring| {
        join_all(people.iter().map(|person| harness.registered(node, *person))).await
    };

    let (by_one, by_two) = join(all(&one), all(&two)).await;

    for node in [&one, &two, &harness.node().await] {
        for sealed in [&by_one, &by_two] {
            for (person, sealed) in people.iter().zip(sealed) {
                let [email, _] = sealed.as_ref().unwrap();
                opened(node, *person, email).await.unwrap();
            }
        }
    }
    assert_eq!(harness.shards_in("live").await, 7);
}

/// As where a node stands still in the middle of an erasure.
#[tokio::test]
async fn only_whoever_is_being_erased_waits_for_the_erasure() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let (gone, new) = (harness.person(), harness.person());
    let erasing = harness.erasing(&[gone]).await;

    // Both in one statement, which waits.
    let of_both = join(harness.registered(&node, gone), harness.registered(&node, new)).await;

    assert!(matches!(of_both.0, Err(SealError::Unavailable(KeyringError::LeaseLost(_)))));
    let [email, _] = of_both.1.unwrap();
    opened(&node, new, &email).await.unwrap();
    erasing.batch_execute("commit").await.unwrap();
    let erased = harness.registered(&node, gone).await;
    assert!(matches!(erased, Err(SealError::Erased(_))), "{erased:?}");
}

#[tokio::test]
async fn what_is_wrong_with_one_key_is_no_error_of_those_who_ask_at_the_same_time() {
    let harness = Harness::new().await.with_shards(2).await;
    let node = harness.node().await;
    let people = harness.people(&node, 12).await;
    // It has read none of their keys.
    let other = harness.node().await;
    harness.sql("alter table keyring.shards disable trigger all", &[]).await;
    harness.sql("update keyring.shards set root_id = 99 where shard = 0", &[]).await;

    let opening = people.iter().map(|(person, sealed)| opened(&other, *person, sealed));
    let opened = join_all(opening).await;

    let mut found = BTreeMap::new();
    for ((person, _), opened) in people.iter().zip(opened) {
        let root = match opened {
            Ok(()) => 1,
            Err(OpenError::Unavailable(KeyringError::RootMissing { id: RootId(id), .. })) => id,
            Err(other) => panic!("{other}"),
        };
        *found.entry((person.0.as_bytes()[15] % 2, root)).or_insert(0) += 1;
    }
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [(0, 99), (1, 1)]);
}

#[tokio::test]
async fn whoever_gives_up_leaves_the_answer_to_the_others() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    node.keys.renew().await.unwrap();
    let people: Vec<_> = (0..6).map(|_| harness.person()).collect();
    let mut coming: Vec<_> =
        people.iter().map(|person| Box::pin(harness.registered(&node, *person))).collect();
    for one in &mut coming {
        assert!(poll!(one).is_pending());
    }

    // The first ones have taken the turns.
    let last = coming.split_off(3);
    drop(coming);

    for sealed in join_all(last).await {
        sealed.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_is_replaced_meanwhile_wraps_no_new_shard_key() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    harness.people(&node, 1).await;
    // It is there, and not the current one.
    for begin in [Some(DateTime::<Utc>::MAX_UTC), None] {
        node.root_rotation.step(begin).await.unwrap();
    }
    let owner = connect_one(&harness.databases.keyring_url, &ConnectOptions::default()).await;
    let owner = owner.unwrap();
    // As the step that makes root 2 the current one.
    let switch = "begin;
        update keyring.roots set state = 'retiring', retired_at = now() where state = 'current';
        update keyring.roots set state = 'current', current_at = now() where root_id = 2";
    owner.batch_execute(switch).await.unwrap();
    let (late, of) = (harness.person(), node.clone());
    let harness = Arc::new(harness);
    let coming = Arc::clone(&harness);
    let coming = tokio::spawn(async move { coming.registered(&of, late).await });
    let waits = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    test_support::until("the key waits for the switch", async || harness.count(waits).await > 0)
        .await;

    owner.batch_execute("commit").await.unwrap();

    let [email, _] = coming.await.unwrap().unwrap();
    let root = "select max(root_id) from keyring.shards";
    assert_eq!(harness.count(root).await, 2);
    opened(&harness.node().await, late, &email).await.unwrap();
}
