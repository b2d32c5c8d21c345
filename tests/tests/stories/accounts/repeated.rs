//! The same request again: the same answer, and nothing done twice.

use futures_util::future::join_all;
use serde_json::json;
use tests::{Installation, Person, until};

use super::AccountHarness;

/// As many hashes of passwords as may wait for one core: none is refused, however small the machine.
const AT_ONCE: usize = 32;

const KEY: &str = "0123456789abcdef-a-key";

#[tokio::test]
async fn a_registration_sent_again_is_answered_as_it_was() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let anybody = node.client().saying("Idempotency-Key", KEY);
    let ada = Person::named("ada");

    let first = ada.try_register(&anybody).await.expect(201);
    let again = ada.try_register(&anybody).await.expect(201);
    assert_eq!(first.body, again.body);
    assert_eq!((first.position(), first.etag()), (again.position(), again.etag()));

    let other = Person { name: "Somebody Else".to_owned(), ..ada.clone() };
    let refused = other.try_register(&anybody).await.expect(422);
    assert_eq!(refused.field("/type"), "/problems/idempotency-key-reused");
    ada.sign_in(&node.client()).await;
}

#[tokio::test]
async fn a_sign_in_that_is_sent_again_has_the_same_token_while_the_session_is_open() {
    let harness = AccountHarness::new().await;
    let repeating = harness.anybody.saying("Idempotency-Key", KEY);

    let first = harness.ada.try_sign_in(&repeating).await.expect(201);
    let again = harness.ada.try_sign_in(&repeating).await.expect(201);

    assert_eq!(first.body, again.body);
    let session = harness.anybody.bearing(&first.field("/token"));
    session.get("/v1/me").await.expect(200);
    session.delete("/v1/me/sessions/current").await.expect(204);
    let over = harness.ada.try_sign_in(&repeating).await.expect(201);
    assert_eq!(over.field("/session_id"), first.field("/session_id"));
    assert!(over.json().get("token").is_none());
    session.get("/v1/me").await.expect(401);
}

#[tokio::test]
async fn the_same_sign_in_many_times_at_once_on_two_nodes_is_one_session_whose_token_works() {
    let harness = AccountHarness::new().await;
    let second = harness.installation.node().await;
    let nodes = [&harness.node, &second].map(|node| node.client().saying("Idempotency-Key", KEY));

    // What else they show does not make them other requests.
    let of = |turn: usize| nodes[turn % 2].bearing(&format!("ls_{turn}"));
    let clients: Vec<_> = (0..AT_ONCE).map(of).collect();
    let answers = join_all(clients.iter().map(|client| harness.ada.try_sign_in(client))).await;

    let (opened, waits): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 201);
    for answer in &waits {
        assert_eq!((answer.status, answer.field("/type").as_str()), (409, "/problems/in-flight"));
    }
    assert!(!opened.is_empty(), "{waits:?}");
    for answer in &opened {
        assert_eq!(answer.body, opened[0].body);
    }
    let token = opened[0].field("/token");
    for node in [&harness.node, &second] {
        node.client().bearing(&token).get("/v1/me").await.expect(200);
    }
    assert_eq!(count(&harness, "session.opened").await, 2, "the harness has one, too");
}

#[tokio::test]
async fn two_people_behind_one_network_sign_in_under_one_key() {
    let harness = AccountHarness::new().await;
    let bob = Person::named("bob");
    bob.register(&harness.anybody).await;
    let repeating = harness.anybody.saying("Idempotency-Key", "1");

    let hers = harness.ada.try_sign_in(&repeating).await.expect(201);
    let his = bob.try_sign_in(&repeating).await.expect(201);

    assert_ne!(hers.field("/session_id"), his.field("/session_id"));
    harness.anybody.bearing(&his.field("/token")).get("/v1/me").await.expect(200);
    for nobody in ["carol", "dan"] {
        Person::named(nobody).try_sign_in(&repeating).await.expect(401);
    }
}

#[tokio::test]
async fn the_same_key_64_times_at_once_is_one_event() {
    let harness = AccountHarness::new().await;
    let repeating = harness.signed_in.saying("Idempotency-Key", KEY);
    let before = count(&harness, "account.password_reset_requested").await;

    let body = json!({ "email": harness.ada.email });
    let answers = (0..64).map(|_| repeating.post("/v1/password-resets", &body));
    let mut done = 0;
    for answer in join_all(answers).await {
        if answer.status == 202 {
            done += 1;
            continue;
        }
        let refused = answer.expect(409);
        assert_eq!(refused.field("/type"), "/problems/in-flight");
        assert_eq!(refused.header("retry-after"), Some("1"));
    }

    assert!(done >= 1);
    repeating.post("/v1/password-resets", &body).await.expect(202);
    // What is appended after the answers, is appended in their order.
    harness.installation.mail(&harness.ada.email, 2).await;
    repeating
        .post("/v1/sessions", json!({ "email": "nobody@example.org", "password": "x" }))
        .await
        .expect(401);
    until("the last of them", async || {
        (count(&harness, "strangers.sign_in_refused").await == 1).then_some(())
    })
    .await;
    assert_eq!(count(&harness, "account.password_reset_requested").await, before + 1);
}

#[tokio::test]
async fn a_request_whose_body_is_on_its_way_holds_up_no_other_under_its_key() {
    let harness = AccountHarness::new().await;
    let repeating = harness.signed_in.saying("Idempotency-Key", "k");
    let body = json!({ "name": "Looms" });
    let call = repeating.call("POST".parse().unwrap(), "/v1/workspaces").json(&body);
    let first = repeating.hold(call, "/v1/me").await;

    let again = repeating.post("/v1/workspaces", &body).await.expect(201);

    let first = first.send().await.expect(201);
    assert_eq!((first.body.clone(), first.position()), (again.body.clone(), again.position()));
    assert_eq!(count(&harness, "workspace.created").await, 1);
}

#[tokio::test]
async fn a_request_that_comes_again_while_it_is_served_waits_and_is_answered_alike() {
    let harness = AccountHarness::new().await;
    let repeating = harness.signed_in.saying("Idempotency-Key", "k");
    let body = json!({ "name": "Looms" });
    let mut log = harness.installation.log().await;
    // Nobody appends meanwhile.
    let pause = log.transaction().await.unwrap();
    pause.execute("select event_log.lock()", &[]).await.unwrap();
    let watching = harness.installation.log().await;
    let both = futures_util::future::join(
        repeating.post("/v1/workspaces", &body),
        repeating.post("/v1/workspaces", &body),
    );
    let lifted = async {
        until("one waits for the lock", async || {
            let waits = "select from pg_stat_activity where datname = current_database()
                and wait_event_type = 'Lock'";
            let waits = watching.query(waits, &[]).await.unwrap();
            (!waits.is_empty()).then_some(())
        })
        .await;
        harness.signed_in.get("/v1/me").await.expect(200);
        pause.rollback().await.unwrap();
    };

    let ((first, again), ()) = futures_util::future::join(both, lifted).await;

    let (first, again) = (first.expect(201), again.expect(201));
    assert_eq!((first.body.clone(), first.position()), (again.body.clone(), again.position()));
    assert_eq!(count(&harness, "workspace.created").await, 1);
}

#[tokio::test]
async fn a_refused_sign_in_is_refused_each_time_under_one_key_whoever_has_the_address() {
    let harness = AccountHarness::new().await;
    let repeating = harness.anybody.saying("Idempotency-Key", KEY);
    let nobody = Person::named("nobody");
    let wrong = Person { password: "not hers at all".to_owned(), ..harness.ada.clone() };

    for person in [&nobody, &wrong, &nobody, &wrong] {
        let refused = person.try_sign_in(&repeating).await.expect(401);
        assert_eq!(refused.field("/type"), "/problems/sign-in-refused");
    }
    // Nor does it stand in the way of the right one.
    harness.ada.try_sign_in(&repeating).await.expect(201);
    wrong.try_sign_in(&repeating).await.expect(401);
    nobody.try_sign_in(&repeating).await.expect(401);
    let stand = [("account.login_failed", 3), ("strangers.sign_in_refused", 3)];
    for (event_type, expected) in stand {
        until(event_type, async || (count(&harness, event_type).await == expected).then_some(()))
            .await;
    }
}

#[tokio::test]
async fn the_query_and_the_precondition_belong_to_the_request() {
    let harness = AccountHarness::new().await;
    let repeating = harness.signed_in.saying("Idempotency-Key", KEY);
    let looms = json!({ "name": "Looms" });
    repeating.post("/v1/workspaces", &looms).await.expect(201);
    let refused = repeating.post("/v1/workspaces?colour=red", &looms).await.expect(422);
    assert_eq!(refused.field("/type"), "/problems/idempotency-key-reused");

    let name = json!({ "name": "Ada King" });
    let first = repeating.patch("/v1/me", "*", &name).await.expect(200);
    let again = repeating.patch("/v1/me", "*", &name).await.expect(200);
    assert_eq!(first.position(), again.position());
    let refused = repeating.patch("/v1/me", &first.etag(), &name).await.expect(422);
    assert_eq!(refused.field("/type"), "/problems/idempotency-key-reused");
}

#[tokio::test]
async fn two_strangers_under_one_key_are_told_apart_by_their_networks() {
    let installation = Installation::with(&[("trusted_proxies", "1")]).await;
    let node = installation.node().await;
    let from = |network: &str| {
        node.client().saying("Idempotency-Key", KEY).saying("X-Forwarded-For", network)
    };
    let (ada, bob) = (Person::named("ada"), Person::named("bob"));

    let first = ada.try_register(&from("192.0.2.1")).await.expect(201);
    let other = bob.try_register(&from("192.0.2.2")).await.expect(201);

    assert_ne!(first.field("/account_id"), other.field("/account_id"));
    let again = ada.try_register(&from("192.0.2.1")).await.expect(201);
    assert_eq!(first.field("/account_id"), again.field("/account_id"));
}

#[tokio::test]
async fn many_registrations_of_one_address_at_once_give_one_account() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let (anybody, ada) = (node.client(), Person::named("ada"));

    let answers = join_all((0..AT_ONCE).map(|_| ada.try_register(&anybody))).await;

    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [&[201][..], &[409; AT_ONCE - 1]].concat());
    let log = installation.log().await;
    let registered =
        "select count(*) from event_log.events where event_type = 'account.registered'";
    assert_eq!(log.query_one(registered, &[]).await.unwrap().get::<_, i64>(0), 1);
    ada.sign_in(&anybody).await;
}

#[tokio::test]
async fn a_reset_that_is_sent_again_signs_nobody_out() {
    let harness = AccountHarness::new().await;
    let (ada, anybody) = (&harness.ada, &harness.anybody);
    anybody.post("/v1/password-resets", json!({ "email": ada.email })).await.expect(202);
    let token = harness.installation.mail(&ada.email, 2).await.token().to_owned();
    let repeating = anybody.saying("Idempotency-Key", KEY);
    let body = json!({ "token": token, "password": "quite another password" });
    let path = "/v1/password-resets/completions";
    let first = repeating.post(path, &body).await.expect(204);
    let changed = Person { password: "quite another password".to_owned(), ..ada.clone() };
    let later = changed.sign_in(anybody).await;

    let again = repeating.post(path, &body).await.expect(204);

    assert_eq!(first.position(), again.position());
    later.get("/v1/me").await.expect(200);
}

#[tokio::test]
async fn signing_out_everywhere_else_again_leaves_later_sessions_open() {
    let harness = AccountHarness::new().await;
    let (ada, anybody) = (&harness.ada, &harness.anybody);
    let phone = ada.sign_in(anybody).await;
    let repeating = harness.signed_in.saying("Idempotency-Key", KEY);
    let first = repeating.delete("/v1/me/sessions").await.expect(204);
    phone.get("/v1/me").await.expect(401);
    let later = ada.sign_in(anybody).await;

    let again = repeating.delete("/v1/me/sessions").await.expect(204);

    assert_eq!(first.position(), again.position());
    later.get("/v1/me").await.expect(200);
}

#[tokio::test]
async fn a_key_that_ended_one_session_is_refused_for_another() {
    let harness = AccountHarness::new().await;
    let end = "/v1/me/sessions/current";
    harness.signed_in.saying("Idempotency-Key", KEY).delete(end).await.expect(204);
    let later = harness.ada.sign_in(&harness.anybody).await;

    let refused = later.saying("Idempotency-Key", KEY).delete(end).await.expect(422);

    assert_eq!(refused.field("/type"), "/problems/idempotency-key-reused");
    later.get("/v1/me").await.expect(200);
}

#[tokio::test]
async fn a_changed_password_that_is_sent_again_is_answered_as_it_was() {
    let harness = AccountHarness::new().await;
    let repeating = harness.signed_in.saying("Idempotency-Key", KEY);
    let change = json!({ "current": harness.ada.password, "new": "quite another password" });
    let first = repeating.put("/v1/me/password", "*", &change).await.expect(204);
    let changed = Person { password: "quite another password".to_owned(), ..harness.ada.clone() };
    let later = changed.sign_in(&harness.anybody).await;

    let again = repeating.put("/v1/me/password", "*", &change).await.expect(204);

    assert_eq!(first.position(), again.position());
    later.get("/v1/me").await.expect(200);
    let other = json!({ "current": harness.ada.password, "new": "a third password of hers" });
    let refused = repeating.put("/v1/me/password", "*", &other).await.expect(422);
    assert_eq!(refused.field("/type"), "/problems/idempotency-key-reused");
}

async fn count(harness: &AccountHarness, event_type: &str) -> i64 {
    let log = harness.installation.log().await;
    let count = "select count(*) from event_log.events where event_type = $1";
    log.query_one(count, &[&event_type]).await.unwrap().get(0)
}
