//! A subject's keys are erased everywhere and for good; a period's keys for everybody.

use std::time::{Duration, Instant};

use chrono::NaiveDate;
use domain::privacy::Class;
use test_support::{LIMIT, until};

use super::*;
use crate::clock::since_boot;

/// The promised limit of the lease.
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_person_is_closed_here_at_once_and_everywhere_within_a_second() {
    let harness = Harness::new().await;
    let (one, two) = (harness.node().await, harness.node().await);
    let (ada, bob) = (harness.person(), harness.person());
    let [of_ada, _] = harness.registered(&one, ada).await.unwrap();
    let [of_bob, _] = harness.registered(&one, bob).await.unwrap();
    let [ip_of_ada, _] = harness.login(&two, ada).await.unwrap();
    opened(&two, ada, &of_ada).await.unwrap();
    let erased = one.eraser.erase_subject(ada.into()).await.unwrap();
    let erased_at = Instant::now();
    assert!(matches!(opened(&one, ada, &of_ada).await, Err(OpenError::Erased)));
    assert_eq!(erased.keys, 2);
    assert_eq!(erased.last_root, Some(one.status().await.unwrap().root));
    loop {
        let looked_at = Instant::now();
        if opened(&two, ada, &of_ada).await.is_err() {
            break;
        }
        assert!(looked_at - erased_at < SECOND);
        tokio::task::yield_now().await;
    }
    assert!(matches!(opened(&two, ada, &of_ada).await, Err(OpenError::Erased)));
    assert!(matches!(opened_ip(&two, ada, &ip_of_ada).await, Err(OpenError::Erased)));
    opened(&two, bob, &of_bob).await.unwrap();
    opened(&one, bob, &of_bob).await.unwrap();
}

#[tokio::test]
async fn an_erased_person_never_gets_a_key_again() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let (ada, eve) = (harness.person(), harness.person());
    harness.registered(&node, ada).await.unwrap();
    let first = node.eraser.erase_subject(ada.into()).await.unwrap();
    // A class without a key cannot get one either.
    assert!(
        matches!(harness.login(&node, ada).await, Err(SealError::Erased(of)) if of == ada.into())
    );
    assert!(matches!(harness.registered(&node, ada).await, Err(SealError::Erased(_))));
    assert_eq!(node.eraser.erase_subject(ada.into()).await.unwrap(), first);
    let never = node.eraser.erase_subject(eve.into()).await.unwrap();
    assert_eq!((never.keys, never.last_root), (0, None));
    assert!(matches!(harness.registered(&node, eve).await, Err(SealError::Erased(_))));
    assert!(matches!(
        harness.registered(&harness.node().await, eve).await,
        Err(SealError::Erased(_))
    ));
}

#[tokio::test]
async fn the_rows_themselves_refuse_the_return_of_an_erased_key() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let ada = harness.person();
    harness.registered(&node, ada).await.unwrap();
    node.eraser.erase_subject(ada.into()).await.unwrap();
    let url = &harness.databases.keyring_url;
    let owner = connect_one(url, &ConnectOptions::default()).await.unwrap();
    let revive = "update keyring.keys set wrapped = 'x', destroyed_at = null where subject = $1";
    let refused = owner.execute(revive, &[&ada.0]).await.unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().message(), "a destroyed key stays destroyed");
    let delete = "delete from keyring.keys where subject = $1";
    assert!(owner.execute(delete, &[&ada.0]).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seal_that_races_with_the_erasure_leaves_nothing_that_opens() {
    let harness = Harness::new().await;
    let (one, two) = (harness.node().await, harness.node().await);
    for _ in 0..40 {
        let ada = harness.person();
        let (sealed, erased) =
            tokio::join!(harness.registered(&two, ada), one.eraser.erase_subject(ada.into()));
        erased.unwrap();
        if let Ok([sealed, _]) = sealed {
            assert!(matches!(opened(&one, ada, &sealed).await, Err(OpenError::Erased)));
        }
        let live = "select count(*) from keyring.keys where subject = $1 and wrapped is not null";
        assert_eq!(harness.sql(live, &[&ada.0]).await[0].get::<_, i64>(0), 0);
        // One fence for each class that ends with a person.
        let rows = "select count(*) from keyring.keys where subject = $1";
        assert_eq!(harness.sql(rows, &[&ada.0]).await[0].get::<_, i64>(0), 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_cannot_renew_opens_nothing_after_a_second() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let ada = harness.person();
    let [sealed, _] = harness.registered(&node, ada).await.unwrap();
    let blocker = connect_one(&harness.databases.keyring_url, &ConnectOptions::default()).await;
    let blocker = blocker.unwrap();
    let lock = "begin; lock table keyring.invalidations, keyring.keys in access exclusive mode";
    blocker.batch_execute(lock).await.unwrap();
    let cut_off = Instant::now();
    let mut last_opened = cut_off;
    let refused = loop {
        let looked_at = Instant::now();
        match opened(&node, ada, &sealed).await {
            Ok(()) => last_opened = looked_at,
            Err(refused) => break refused,
        }
        tokio::task::yield_now().await;
    };
    assert!(matches!(refused, OpenError::Unavailable(KeyringError::LeaseLost(_))), "{refused:?}");
    assert!(last_opened - cut_off < SECOND);
    assert!(matches!(harness.registered(&node, ada).await, Err(SealError::Unavailable(_))));
    blocker.batch_execute("rollback").await.unwrap();
    opened(&node, ada, &sealed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_renews_while_every_connection_of_its_pool_is_taken() {
    let harness = Harness::new().await;
    let patient = ConnectOptions { wait: LIMIT, connect_timeout: LIMIT, ..ConnectOptions::app() };
    let pool = connect(&harness.databases.keyring_url, &patient).await.unwrap();
    let (roots, clock) = (Arc::new(harness.folder()), harness.clock.clone());
    let node = Keyring::start(pool, roots, harness.options.clone(), clock).await.unwrap();
    let ada = harness.person();
    let [sealed, _] = harness.registered(&node, ada).await.unwrap();
    opened(&node, ada, &sealed).await.unwrap();
    let pool = &node.pool;
    let mut taken = Vec::new();
    while pool.status().size < pool.status().max_size || pool.status().available > 0 {
        taken.push(pool.get().await.unwrap());
    }
    for _ in 0..2 {
        let since = since_boot();
        until("the lease is renewed", async || node.keys.cache.is_renewed_since(since)).await;
        opened(&node, ada, &sealed).await.unwrap();
    }
}

#[tokio::test]
async fn an_erased_day_is_closed_for_everybody_and_other_days_are_not() {
    let harness = Harness::new().await;
    let (one, two) = (harness.node().await, harness.node().await);
    let (ada, bob) = (harness.person(), harness.person());
    let [first_ada, _] = harness.login(&one, ada).await.unwrap();
    let [first_bob, _] = harness.login(&two, bob).await.unwrap();
    let [mail_ada, _] = harness.registered(&one, ada).await.unwrap();
    harness.days_pass(1);
    let [second_ada, _] = harness.login(&one, ada).await.unwrap();
    let expire = async |node: &Keyring| node.eraser.erase_expired().await.unwrap().buckets;
    harness.days_pass(89);
    assert_eq!(expire(&one).await, 0);
    opened_ip(&one, ada, &first_ada).await.unwrap();
    harness.days_pass(1);
    assert_eq!(expire(&one).await, 1);
    assert_eq!(expire(&two).await, 0);
    assert!(matches!(opened_ip(&one, ada, &first_ada).await, Err(OpenError::Expired)));
    assert!(matches!(opened_ip(&one, bob, &first_bob).await, Err(OpenError::Expired)));
    opened_ip(&one, ada, &second_ada).await.unwrap();
    opened(&one, ada, &mail_ada).await.unwrap();
    one.eraser.erase_subject(ada.into()).await.unwrap();
    assert!(matches!(opened_ip(&one, ada, &first_ada).await, Err(OpenError::Erased)));
}

#[tokio::test]
async fn what_is_past_its_time_goes_and_the_rest_stays() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let ada = harness.person();
    let [old, _] = harness.login(&node, ada).await.unwrap();
    node.request_macs.macs(ada.into(), b"{}").await.unwrap();
    harness.days_pass(89);
    let [young, _] = harness.login(&node, ada).await.unwrap();
    let expired = node.eraser.erase_expired().await.unwrap();
    assert_eq!((expired.buckets, expired.request_macs), (0, 2));
    harness.days_pass(2);
    let expired = node.eraser.erase_expired().await.unwrap();
    assert_eq!(expired.buckets, 1);
    assert!(matches!(opened_ip(&node, ada, &old).await, Err(OpenError::Expired)));
    opened_ip(&node, ada, &young).await.unwrap();
    assert_eq!(node.eraser.erase_expired().await.unwrap(), super::super::ExpiredKeys::default());
}

#[test]
fn buckets_start_and_end_where_the_calendar_says() {
    use super::super::key::{bucket_end, bucket_start, date, day};
    let of = |text: &str| text.parse::<NaiveDate>().unwrap();
    assert_eq!(day(of("1970-01-01")), 0);
    assert_eq!(date(day(of("2026-11-22"))), Some(of("2026-11-22")));
    assert_eq!(bucket_start(Class::Billing, of("2026-12-31")), Some(of("2026-12-01")));
    assert_eq!(bucket_end(Class::Billing, of("2026-12-01")), Some(of("2027-01-01")));
    assert_eq!(bucket_end(Class::Security, of("2028-02-28")), Some(of("2028-02-29")));
    assert_eq!(bucket_start(Class::Account, of("2026-12-31")), None);
}
