//! Which keys stay in memory when others are invalidated.

use std::time::Instant;

use domain::privacy::Class;

use super::super::Secret;
use super::super::key::{KeyId, KeyKind};
use super::super::key_cache::{KeyCache, KeySlot, KeyState, Renewal};
use super::*;

const LINK: KeySlot = KeySlot::Numbered(KeyKind::Link, 20_000);

fn of_day(bucket: i64) -> KeySlot {
    let subject = SubjectId(Uuid::from_u128(1));
    KeySlot::Data { subject, class: Class::Security, generation: None, bucket }
}

fn kept(slot: KeySlot) -> (KeySlot, KeyState) {
    (slot, KeyState::Live { number: 1, key: Arc::new(Secret::from_bytes([1; 32])) })
}

fn renew(cache: &KeyCache, last: i64, invalidated: Option<Vec<KeyId>>) {
    cache.renew(&Renewal { requested_at: Instant::now(), last, invalidated });
}

fn has(cache: &KeyCache, slot: KeySlot) -> bool {
    cache.look(&[slot], Instant::now()).unwrap()[0].is_some()
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
    assert!(cache.email_generations(Instant::now()).is_none());
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
    assert!(cache.email_generations(Instant::now()).is_none());
}
