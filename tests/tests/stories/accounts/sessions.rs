//! Signing in and out, on several devices.

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::json;
use tests::{Answer, Installation, Person, until};

use super::{AccountHarness, read_at};

#[tokio::test]
async fn a_session_that_was_closed_from_another_is_refused() {
    let AccountHarness { anybody, ada, signed_in: desk, node: _node, installation: _in } =
        AccountHarness::new().await;
    let opened = ada.try_sign_in(&anybody).await.expect(201);
    let phone = anybody.bearing(&opened.field("/token"));
    let sessions = read_at(&desk, "/v1/me/sessions", &opened.position()).await;
    let sessions = sessions.json()["items"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[0]["session_id"], opened.json()["session_id"]);
    assert_eq!((&sessions[0]["current"], &sessions[1]["current"]), (&false.into(), &true.into()));
    assert_eq!(sessions[0]["ip"], "127.0.0.1");

    let path = format!("/v1/me/sessions/{}", opened.field("/session_id"));
    let closed = desk.delete(&path).await.expect(204);
    phone.get("/v1/me").await.expect(401);
    let left = read_at(&desk, "/v1/me/sessions", &closed.position()).await;
    assert_eq!(left.json()["items"].as_array().unwrap().len(), 1);
    desk.delete("/v1/me/sessions/current").await.expect(204);
    let refused = desk.get("/v1/me").await.expect(401);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"lethe\""));
}

#[tokio::test]
async fn all_other_sessions_are_closed_at_once() {
    let AccountHarness { anybody, ada, signed_in: desk, node: _node, installation: _in } =
        AccountHarness::new().await;
    let others = [ada.sign_in(&anybody).await, ada.sign_in(&anybody).await];

    desk.delete("/v1/me/sessions").await.expect(204);

    for other in others {
        other.get("/v1/me").await.expect(401);
    }
    desk.get("/v1/me").await.expect(200);
}

#[tokio::test]
async fn nobody_sees_or_closes_another_persons_session() {
    let harness = AccountHarness::new().await;
    let bob = Person::named("bob");
    bob.register(&harness.anybody).await;
    let opened = bob.try_sign_in(&harness.anybody).await.expect(201);

    let path = format!("/v1/me/sessions/{}", opened.field("/session_id"));
    let refused = harness.signed_in.delete(&path).await.expect(404);

    assert_eq!(refused.field("/type"), "/problems/not-found");
    harness.anybody.bearing(&opened.field("/token")).get("/v1/me/sessions").await.expect(200);
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_are_one_refusal() {
    let harness = AccountHarness::new().await;
    let mut wrong = harness.ada.clone();
    wrong.password = "not the password of ada".to_owned();

    let known = wrong.try_sign_in(&harness.anybody).await.expect(401);
    let unknown = Person::named("nobody").try_sign_in(&harness.anybody).await.expect(401);

    assert_eq!(known.body, unknown.body);
    for event_type in ["account.login_failed", "strangers.sign_in_refused"] {
        until(event_type, async || {
            (harness.installation.events(event_type).await.len() == 1).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn sessions_are_paged_by_a_signed_cursor() {
    let AccountHarness { anybody, ada, signed_in, node: _node, installation: _in } =
        AccountHarness::new().await;
    let mut position = String::new();
    for _ in 0..4 {
        position = ada.try_sign_in(&anybody).await.expect(201).position();
    }
    let mut found = vec![];
    let mut path = "/v1/me/sessions?limit=2".to_owned();
    loop {
        let page = read_at(&signed_in, &path, &position).await.json();
        let ids = page["items"].as_array().unwrap().iter().map(|item| item["session_id"].clone());
        found.extend(ids);
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/me/sessions?limit=2&cursor={next}");
    }
    assert_eq!(found.len(), 5);
    found.dedup();
    assert_eq!(found.len(), 5);

    let forged = path.replace("cursor=", "cursor=A");
    let refused = signed_in.get(&forged).await.expect(400);
    assert_eq!(refused.field("/type"), "/problems/bad-cursor");
    let others = Person::named("bob");
    others.register(&anybody).await;
    others.sign_in(&anybody).await.get(&path).await.expect(400);
}

#[tokio::test]
async fn a_browsers_cookie_changes_nothing_from_another_site() {
    let AccountHarness { anybody, ada, node, installation: _in, .. } = AccountHarness::new().await;
    let body = json!({ "email": ada.email, "password": ada.password, "kind": "browser" });
    let opened = anybody.post("/v1/sessions", body).await.expect(201);
    assert!(opened.json().get("token").is_none());
    let cookie = opened.header("set-cookie").unwrap().to_owned();
    for attribute in ["__Host-lethe=ls_", "; HttpOnly", "; Secure", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(attribute), "{attribute} is missing");
    }
    let pair = cookie.split(';').next().unwrap();
    let browser = anybody.saying("Cookie", pair);

    browser.get("/v1/me").await.expect(200);
    let foreign = browser.saying("Origin", "https://elsewhere.example");
    let refused = foreign.post("/v1/me/email-verification", json!({})).await.expect(403);
    assert_eq!(refused.field("/type"), "/problems/foreign-origin");
    browser.post("/v1/me/email-verification", json!({})).await.expect(403);
    let own = browser.saying("Origin", node.api());
    let form = own.call(Method::POST, "/v1/me/email-verification");
    form.bytes("text/plain", "{}").send().await.expect(403);
    foreign.delete("/v1/me/sessions/current").await.expect(403);
    browser.delete("/v1/me/sessions/current").await.expect(403);
    let signed_out = own.delete("/v1/me/sessions/current").await.expect(204);
    assert!(clears_cookie(&signed_out), "{:?}", signed_out.headers);
    // It may come after another sign-in of the same browser.
    assert_eq!(browser.get("/v1/me").await.expect(401).header("set-cookie"), None);
    let again = own.delete("/v1/me/sessions/current").await.expect(401);
    assert!(clears_cookie(&again), "{:?}", again.headers);
    let programme = anybody.bearing(pair.split_once('=').unwrap().1);
    assert_eq!(programme.get("/v1/me").await.expect(401).header("set-cookie"), None);
}

fn clears_cookie(answer: &Answer) -> bool {
    let cookie = answer.header("set-cookie").unwrap_or_default();
    cookie.starts_with("__Host-lethe=;") && cookie.contains("Max-Age=0")
}

#[tokio::test]
async fn a_person_sees_how_many_tried_to_sign_in_beside_those_that_are_listed() {
    let installation = Installation::with(&[("sign_ins_per_minute", "100")]).await;
    let node = installation.node().await;
    let ada = Person::named("ada");
    ada.settle(&node.client(), &installation).await;
    let wrong = Person { password: "not the password of ada".to_owned(), ..ada.clone() };
    for _ in 0..14 {
        wrong.try_sign_in(&node.client()).await.expect(401);
    }
    // What was only counted so far comes into the log.
    assert!(node.stop().await.success());

    let node = installation.node().await;
    let signed_in = ada.sign_in(&node.client()).await;
    let shown = signed_in.get("/v1/me/sign-ins").await.expect(200).json();

    let refused = shown["items"].as_array().unwrap().iter().filter(|of| of["succeeded"] == false);
    let attempts: Vec<u64> = refused.map(|of| of["attempts"].as_u64().unwrap()).collect();
    assert_eq!(attempts.iter().sum::<u64>(), 14, "{shown}");
    assert_eq!((attempts[0], attempts.len()), (4, 11), "{shown}");
    let counted = &shown["items"][1];
    assert!(
        counted["first_attempted_at"].as_str().unwrap()
            <= counted["attempted_at"].as_str().unwrap(),
        "{shown}"
    );
    assert!(counted.get("ip").is_none());
}

#[tokio::test]
async fn a_person_sees_who_signed_in_and_who_tried_to() {
    let harness = AccountHarness::new().await;
    let AccountHarness { anybody, ada, signed_in, .. } = &harness;
    let wrong = Person { password: "not the password of ada".to_owned(), ..ada.clone() };
    wrong.try_sign_in(anybody).await.expect(401);
    // It is recorded after its answer.
    until("the wrong password is recorded", async || {
        harness.installation.events("account.login_failed").await.len() == 1
    })
    .await;
    let opened = ada.try_sign_in(anybody).await.expect(201);
    let bob = Person::named("bob");
    bob.register(anybody).await;
    bob.sign_in(anybody).await;

    let shown = signed_in.get("/v1/me/sign-ins?limit=2").await.expect(200).json();

    let items = shown["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!((&items[0]["succeeded"], &items[1]["succeeded"]), (&true.into(), &false.into()));
    assert_eq!(items[0]["session_id"], opened.json()["session_id"]);
    assert!(items[1].get("session_id").is_none());
    assert!(items.iter().all(|item| item["ip"] == "127.0.0.1" && item["attempted_at"].is_string()));
    let next = format!("/v1/me/sign-ins?limit=2&cursor={}", shown["next"].as_str().unwrap());
    let rest = signed_in.get(&next).await.expect(200).json();
    assert_eq!(rest["items"].as_array().unwrap().len(), 1, "her first one, and not bob's");
    assert!(rest["next"].is_null());
    let sessions = read_at(signed_in, "/v1/me/sessions", &opened.position()).await.json();
    for session in sessions["items"].as_array().unwrap() {
        assert!(
            ["last_used_at", "idle_expires_at", "expires_at"]
                .iter()
                .all(|at| session[at].is_string())
        );
    }
}

#[tokio::test]
async fn a_session_ends_unused_after_minutes_and_used_after_days() {
    let settings = [("session_idle_minutes", "30"), ("session_absolute_days", "2")];
    let installation = Installation::with(&settings).await;
    let node = installation.node().await;
    let ada = Person::named("ada");
    ada.register(&node.client()).await;

    let opened = ada.try_sign_in(&node.client()).await.expect(201);

    let times = "select extract(epoch from idle_until - last_used_at)::bigint,
        extract(epoch from absolute_until - opened_at)::bigint, absolute_until from working.sessions";
    let row = installation.log().await.query_one(times, &[]).await.unwrap();
    let (idle, absolute): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!((idle, absolute), (30 * 60, 2 * 24 * 60 * 60));
    let ends: DateTime<Utc> = opened.field("/expires_at").parse().unwrap();
    assert_eq!(ends, row.get::<_, DateTime<Utc>>(2));
}
