//! Signing out everywhere: nothing that is on its way keeps it from being done, and nobody whose session was
//! ended does it.

use reqwest::Method;
use serde_json::json;
use tests::{Installation, Person};

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_was_cut_short_does_not_keep_the_others_from_being_signed_out() {
    let installation = Installation::new().await.with_failpoints();
    let node = installation.node().await;
    let ada = Person::named("ada");
    let desk = ada.settle(&node.client(), &installation).await;
    let phone = ada.sign_in(&node.client()).await;
    assert!(node.stop().await.success());
    let mut armed = installation.node_with(&[("failpoint", "session.opened")]).await;
    let body = json!({ "email": ada.email, "password": ada.password });
    let cut_short = armed.client().call(Method::POST, "/v1/sessions").json(body).try_send().await;
    assert!(cut_short.is_err(), "{cut_short:?}");
    armed.ended().await;

    // Without workers: nothing is repaired behind the answer.
    let node = installation.api_node().await;
    desk.at(node.api()).delete("/v1/me/sessions").await.expect(204);

    phone.at(node.api()).get("/v1/me").await.expect(401);
    desk.at(node.api()).get("/v1/me").await.expect(200);
    assert_eq!(installation.events("session.closed").await.len(), 1);
    assert_eq!(installation.events("account.api_tokens_ended").await.len(), 1);
    let rows = "select count(*) from working.sessions";
    let rows: i64 = installation.log().await.query_one(rows, &[]).await.unwrap().get(0);
    assert_eq!(rows, 1, "the row of the sign-in that was cut short is gone, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_ended_meanwhile_ends_nobody_elses() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let ada = Person::named("ada");
    let desk = ada.settle(&node.client(), &installation).await;
    let thief = ada.sign_in(&node.client()).await;
    let ends = thief.call(Method::DELETE, "/v1/me/sessions").json(json!({}));
    let held = thief.hold(ends, "/v1/me/consents").await;
    desk.delete("/v1/me/sessions").await.expect(204);
    let phone = ada.sign_in(&node.client()).await;

    held.send().await.expect(401);

    phone.get("/v1/me").await.expect(200);
    desk.get("/v1/me").await.expect(200);
}
