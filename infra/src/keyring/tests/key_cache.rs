//! Which keys stay in memory when others are invalidated.

use std::time::Duration;

use domain::privacy::Class;

use super::super::key::{KeyId, KeyKind};
use super::super::key_cache::{KeyCache, KeySlot, KeyState, Renewal};
use super::super::roots::Roots;
use super::super::{RootFingerprint, RootId, invalidations};
use super::*;
use crate::clock::since_boot;

/// A time at which every lease that was ever renewed goes on.
const WITHIN_LEASE: Duration = Duration::ZERO;
const LINK: KeySlot = KeySlot::Numbered(KeyKind::Link, 20_000);

fn of_day(bucket: i64) -> KeySlot {
    let subject = SubjectId(Uuid::from_u128(1));
    KeySlot::Data { subject, class: Class::Security, generation: None, bucket }
}

fn kept(slot: KeySlot) -> (KeySlot, KeyState) {
    (slot, KeyState::Live { number: 1, key: Arc::new(Secret::from_bytes([1; 32])) })
}

fn renew(cache: &KeyCache, last: i64, invalidated: Option<Vec<KeyId>>) {
    cache.renew(&Renewal { requested_at: since_boot(), last, invalidated });
}

fn has(cache: &KeyCache, slot: KeySlot) -> bool {
    cache.look(&[slot], WITHIN_LEASE).unwrap()[0].is_some()
}

#[test]
fn a_key_that_was_read_before_the_list_that_is_known_is_not_kept() {
    let cache = KeyCache::new(16);
    renew(&cache, 5, Some(vec![]));

    cache.keep(4, [kept(LINK)]);
    assert!(!has(&cache, LINK));
    cache.keep(5, [kept(LINK)]);
    assert!(has(&cache, LINK));

    cache.keep_email_generations(4, [1].into());
    assert!(cache.email_generations(WITHIN_LEASE).is_none());
}

#[test]
fn an_invalidated_day_is_closed_for_everybody_and_the_other_days_are_not() {
    let cache = KeyCache::new(16);
    renew(&cache, 1, Some(vec![]));
    cache.keep(1, [kept(of_day(7)), kept(of_day(8)), kept(LINK)]);

    renew(&cache, 2, Some(vec![KeyId::bucket(Class::Security, 7)]));

    assert!(!has(&cache, of_day(7)));
    assert!(has(&cache, of_day(8)) && has(&cache, LINK));
}

#[test]
fn after_a_gap_in_the_list_no_key_is_kept() {
    let cache = KeyCache::new(16);
    renew(&cache, 1, Some(vec![]));
    cache.keep(1, [kept(of_day(7)), kept(LINK)]);
    cache.keep_email_generations(1, [1].into());

    renew(&cache, 2, None);

    assert!(!has(&cache, of_day(7)) && !has(&cache, LINK));
    assert!(cache.email_generations(WITHIN_LEASE).is_none());
}

#[test]
fn a_key_that_this_node_erased_leaves_its_memory_before_the_next_renewal() {
    let cache = KeyCache::new(16);
    renew(&cache, 1, Some(vec![]));
    cache.keep(1, [kept(of_day(7)), kept(LINK)]);

    cache.evict(&[KeyId::numbered(KeyKind::Link, 20_000)]);

    assert!(!has(&cache, LINK) && has(&cache, of_day(7)));
}

#[tokio::test]
async fn the_list_is_read_from_a_number_on_and_not_where_it_does_not_reach() {
    let harness = Harness::new().await;
    let pool = connect(&harness.databases.keyring_url, &ConnectOptions::app()).await.unwrap();
    let client = pool.get().await.unwrap();
    let first = invalidations::read(&client, 0).await.unwrap().last;
    let [one, two] = [1, 2].map(|number| KeyId::numbered(KeyKind::Link, number));
    for key in [one, two] {
        invalidations::append(&client, &[key], noon()).await.unwrap();
    }

    for (after, keys) in [
        (first - 1, None),
        (first, Some(vec![one, two])),
        (first + 1, Some(vec![two])),
        (first + 2, Some(vec![])),
        (first + 3, None),
    ] {
        let read = invalidations::read(&client, after).await.unwrap();
        assert_eq!((read.last, read.invalidated), (first + 2, keys));
    }
}

#[tokio::test]
async fn the_roots_in_memory_are_those_that_were_read_and_not_evicted() {
    let harness = Harness::new().await;
    let folder = RootFolder::open(harness.roots.path(), None).unwrap();
    let key = Secret::from_bytes([1; 32]);
    put_root(harness.roots.path(), 1, &key);
    let add = "insert into keyring.roots (state, fingerprint, created_at)
        values ('current', $1, now())";
    harness.sql(add, &[&RootFingerprint::of(&key).as_bytes().as_slice()]).await;
    let pool = connect(&harness.databases.keyring_url, &ConnectOptions::app()).await.unwrap();
    let roots = Roots::new(Arc::new(folder), pool);

    assert!(roots.get(RootId(2)).await.unwrap().is_none());
    assert!(roots.known_ids().is_empty());
    assert!(roots.get(RootId(1)).await.unwrap().is_some());
    assert_eq!(roots.known_ids(), [RootId(1)]);
    roots.evict_one(RootId(1));
    assert!(roots.known_ids().is_empty());
}

/// The lease of an idle node ends; whoever uses a key then renews it first.
#[test]
fn a_node_that_uses_no_key_renews_its_lease_seldom() {
    let cache = KeyCache::new(16);
    renew(&cache, 1, Some(vec![]));
    let now = since_boot();
    let after = |seconds| now + Duration::from_secs(seconds);
    assert!(!cache.is_renewal_due(after(2)), "nobody has used a key");
    assert!(cache.is_renewal_due(after(6)), "erased keys leave the memory of an idle node too");

    assert!(cache.look(&[LINK], after(2)).is_none(), "without the lease no key is used");

    assert!(cache.is_renewal_due(after(3)), "a key was used a moment ago");
    assert!(cache.is_renewal_due(after(11)));
    cache.renew(&Renewal { requested_at: after(11), last: 1, invalidated: Some(vec![]) });
    assert!(!cache.is_renewal_due(after(13)), "it was long ago");
}
