//! Where passwords wait for their hash: strangers who fill their own queue keep nobody out who is known.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tests::{Client, Installation, Person, until};
use tokio::time::{MissedTickBehavior, interval};

/// So that nobody is refused for having tried too often.
const SETTINGS: [(&str, &str); 3] = [
    ("trusted_proxies", "1"),
    ("address_requests_per_second", "1000"),
    ("sign_ins_per_minute", "1000"),
];
/// In a queue, for each core.
const PLACES: usize = 32;
/// More than wait and have a core, for each core.
const STRANGERS: usize = PLACES + 8;
const PAUSE: Duration = Duration::from_millis(50);
const SIGN_INS: usize = 5;

/// Tries passwords of addresses that nobody has, without end, and counts how often there was no place to wait in.
async fn try_on(client: &Client, number: usize, refused: &AtomicUsize) {
    let network = format!("10.2.{}.{}", number / 250, number % 250);
    let client = client.saying("X-Forwarded-For", &network);
    let mut turns = interval(PAUSE);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for turn in 0_u64.. {
        turns.tick().await;
        let email = format!("nobody{number}.{turn}@example.org");
        let body = json!({ "email": email, "password": "it is none of hers" });
        let answer = client.post("/v1/sessions", body).await;
        assert!(matches!(answer.status, 401 | 503), "{}", answer.text());
        refused.fetch_add(usize::from(answer.status == 503), Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_known_signs_in_while_more_strangers_try_than_may_wait() {
    let _alone = tests::alone().await;
    let installation = Installation::with(&SETTINGS).await;
    let node = installation.node().await;
    let client = node.client();
    let (home, ada) = (client.saying("X-Forwarded-For", "10.1.0.1"), Person::named("ada"));
    ada.settle(&home, &installation).await;
    let (elsewhere, bob) = (client.saying("X-Forwarded-For", "10.1.0.2"), Person::named("bob"));
    bob.register(&elsewhere).await;
    bob.sign_in(&elsewhere).await;
    let (refused, cores) = (AtomicUsize::new(0), available_parallelism().map_or(1, NonZero::get));
    let count = || refused.load(Ordering::Relaxed);
    let strangers = (0..cores * STRANGERS).map(|number| try_on(&client, number, &refused));

    let known = async {
        until("strangers find no place", async || count() > 0).await;
        let before = count();
        for _ in 0..SIGN_INS {
            ada.try_sign_in(&home).await.expect(201);
        }
        until("their queue is still full", async || count() > before).await;
        // Whoever wants to be known could register.
        until("who has only registered waits there, too", async || {
            bob.try_sign_in(&elsewhere).await.status == 503
        })
        .await;
        let mut others = (0..).map(|number: u32| Person::named(&format!("other{number}")));
        until("a registration waits there, too", async || {
            others.next().unwrap().try_register(&home).await.status == 503
        })
        .await;
    };
    tokio::select! {
        () = known => {}
        _ = join_all(strangers) => panic!("the strangers have stopped"),
    }
}
