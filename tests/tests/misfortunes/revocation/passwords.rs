//! A sign-in with a password that is changed at the same time: it comes before the change, which closes its
//! session, or is refused.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tests::{Answer, Client, Harness, Person, until};

/// Two hundred with `LETHE_LONG=1`.
fn races() -> usize {
    if tests::long() { 200 } else { 30 }
}

/// Sign-ins in each race, spread over the time that a change takes.
const SIGN_INS: u32 = 4;

async fn sign_in(node: &Client, person: &Person, begins: Instant) -> Answer {
    tokio::time::interval_at(begins.into(), Duration::from_secs(1)).tick().await;
    person.try_sign_in(node).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_of_a_password_that_was_changed_meanwhile_lives_on() {
    let _alone = tests::alone().await;
    let harness = Harness::new().await;
    let there = harness.installation.node().await;
    let node = there.client();
    let mut ada = Person::named("ada");
    let mut takes = Duration::from_millis(200);
    let (mut won, mut refused) = (0, 0);

    let races = races();
    for race in 0..races {
        let new = format!("the password number {race}");
        let body = json!({ "current": ada.password, "new": new });
        let since = Instant::now();
        let changes = async {
            let call = harness.ada.call(Method::PUT, "/v1/me/password").header("If-Match", "*");
            call.json(body).send().await.expect(204);
            since.elapsed()
        };
        let begins = |n: u32| since + takes * n / SIGN_INS;
        let sign_ins = (0..SIGN_INS).map(|n| sign_in(&node, &ada, begins(n)));
        let (took, answers) = tokio::join!(changes, join_all(sign_ins));
        takes = (takes + took) / 2;

        for answer in answers {
            match answer.status {
                201 => {
                    won += 1;
                    let token = answer.field("/token");
                    let session = there.client().bearing(&token);
                    until("the session is closed", async || {
                        session.get("/v1/me/consents").await.status == 401
                    })
                    .await;
                }
                401 => refused += 1,
                other => panic!("{other}: {}", answer.text()),
            }
        }
        ada.password = new;
    }

    // A password that was wrong when it was checked is in the log, at the latest when its node stops.
    assert!(harness.node.stop().await.success() && there.stop().await.success());
    let counted = harness.installation.events("account.logins_failed").await;
    let counted: u64 = counted.iter().map(|event| event["count"].as_u64().unwrap()).sum();
    let wrong = harness.installation.events("account.login_failed").await.len();
    let wrong = wrong + usize::try_from(counted).unwrap();
    let replaced = refused - wrong;
    println!("{races} changes: {won} sign-ins before one, {wrong} after, {replaced} across one");
    assert!(replaced >= races / 4, "{replaced} sign-ins were a race");
    assert!(won > 0);
}
