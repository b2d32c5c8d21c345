//! Masks are bounded, are checked without being built, and are built once for the tasks of a run.

use std::sync::Arc;

use domain::RunSecretsId;
use futures_util::future::join_all;
use futures_util::poll;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::super::MaskError;
use super::super::mask::SECRETS_BYTES_MAX;
use super::*;

fn id(number: u128) -> RunSecretsId {
    RunSecretsId(Uuid::from_u128(number))
}

fn secrets(values: &[&str]) -> Vec<Zeroizing<String>> {
    values.iter().map(|value| Zeroizing::new((*value).to_owned())).collect()
}

fn is_same(one: &Masks, other: &Masks) -> bool {
    Arc::ptr_eq(one.0.as_ref().unwrap(), other.0.as_ref().unwrap())
}

#[tokio::test]
async fn fifty_servers_of_a_run_share_masks_that_are_built_once() {
    let given = given().await;
    let values = secrets(&["hunter22"]);

    let tasks = (0..50).map(|_| given.logs.masks(id(1), values.clone()));
    let all: Vec<Masks> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    let other = given.logs.masks(id(2), values.clone()).await.unwrap();
    let later = given.logs.masks(id(1), values.clone()).await.unwrap();

    assert!(all.iter().all(|masks| is_same(masks, &all[0])));
    assert!(is_same(&later, &all[0]));
    assert!(!is_same(&other, &all[0]));
    drop((all, later));
    drop(given.logs.masks(id(3), values).await.unwrap());
    assert_eq!(given.logs.0.masks.count(), 2, "those in use, and the last");
}

#[tokio::test]
async fn masks_are_built_beside_the_other_tasks_of_the_process() {
    let given = given().await;
    let mut random = Random(2);
    let key = |_| char::from(*random.one_of(b"abcdefghijklmnopqrstuvwxyz0123456789"));
    let keys: String = (0..32_000).map(key).collect();
    let mut building = Box::pin(given.logs.masks(id(1), secrets(&[&keys])));
    assert!(poll!(building.as_mut()).is_pending(), "it has built them in this task");
    assert!(building.await.is_ok());
    let refused = given.logs.masks(id(2), secrets(&["abc"])).await.unwrap_err();
    assert_eq!(refused, MaskError::TooShort);
}

/// The bytes of a text of many kinds, as long as a run's secrets may be.
fn longest(kind: usize, random: &mut Random) -> Vec<String> {
    let letters: &[char] = match kind {
        0 => &['a', 'b', 'c', 'D', 'E', '1', '2', '+', '/', '='],
        1 => &['$'],
        2 => &['a', ' ', '"', '\'', '<', '&', '~', ':', '/', '\\', '%', '$', '!', '*'],
        3 => &['\u{4e00}', '\u{1f600}', '\u{e9}', 'x'],
        4 => &['a', 'b', '\n', ' ', '{', '"', ':', '}', ',', 'c', 'd', 'e', 'f', 'g', 'h', 'i'],
        _ => &['a'],
    };
    let mut all = Vec::new();
    let mut left = SECRETS_BYTES_MAX;
    for bytes in [4, 20, 64, 400, 3_000, 6_000, 8_000, 16_000] {
        let mut text = String::from("password");
        while text.len() + 4 <= bytes.min(left) {
            text.push(*random.one_of(letters));
        }
        left = left.saturating_sub(text.len());
        all.push(text);
    }
    all
}

#[test]
fn a_check_agrees_with_what_is_built_and_the_worst_secrets_take_less_than_sixteen_mebibytes() {
    let mut random = Random(3);
    for kind in 0..6 {
        for count in [2, 5, 8] {
            let mut all = longest(kind, &mut random);
            all.truncate(count);
            let built = Masks::new(&all);
            assert_eq!(Masks::check(&all).err(), built.as_ref().err().copied());
            let is_too_many = (2..=4).contains(&kind) && count == 8;
            let expected = is_too_many.then_some(MaskError::TooMany);
            assert_eq!(built.as_ref().err().copied(), expected, "kind {kind}, {count} secrets");
            let Some(machine) = built.ok().and_then(|masks| masks.0) else { continue };
            let bytes = machine.memory();
            assert!(bytes < 16 * 1024 * 1024, "kind {kind}, {count} secrets: {bytes} bytes");
        }
    }
}

#[test]
fn keys_of_the_longest_size_are_masked() {
    let mut random = Random(4);
    let mut line = || -> String {
        (0..64)
            .map(|_| char::from(*random.one_of(b"abcdefghijkLMNOPQRSTUVWXYZ0123456789+/")))
            .collect()
    };
    let mut pem = || -> String {
        let lines: Vec<String> = (0..250).map(|_| line()).collect();
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
    };
    let keys = [pem(), pem()];
    let masks = Masks::new(&keys).unwrap();
    let json = serde_json::to_string(&keys[0]).unwrap();
    let mut mask = masks.stream();
    let out = [mask.push(json.as_bytes()), mask.finish()].concat();
    assert_eq!(String::from_utf8(out).unwrap(), "\"***\\n\"");
}
