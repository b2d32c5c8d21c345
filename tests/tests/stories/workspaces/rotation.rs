//! Tokens that get another secret, or another name.

use serde_json::{Value, json};
use tests::{Answer, Client, Harness, Person};

use super::tokens::{in_days, issue_token};

/// A node beside that of the harness, and a token of Ada's that reads the workspace.
struct Rotation {
    harness: Harness,
    second: tests::TestServer,
    path: String,
    first: String,
}

async fn given() -> Rotation {
    let harness = Harness::new().await;
    let second = harness.installation.node().await;
    let (id, token) = issue_token(&harness, &harness.ada, &["workspace:read"]).await;
    let first = token.token().unwrap().to_owned();
    Rotation { path: harness.at(&format!("api-tokens/{id}")), harness, second, first }
}

impl Rotation {
    async fn rotate(&self, by: &Client, body: Value) -> Answer {
        by.post(&format!("{}/rotate", self.path), body).await
    }

    /// On both nodes the secret has this status.
    async fn is(&self, secret: &str, status: u16) {
        for node in [self.harness.node.client(), self.second.client()] {
            node.bearing(secret).get(&self.harness.path).await.expect(status);
        }
    }
}

#[tokio::test]
async fn both_secrets_of_a_rotated_token_work_until_what_ends_it_ends_both() {
    let given = given().await;
    let ada = &given.harness.ada;

    let rotated = given.rotate(ada, json!({})).await.expect(200);

    let second = rotated.field("/token");
    assert!(second.starts_with("lw_") && second != given.first);
    given.is(&given.first, 200).await;
    given.is(&second, 200).await;
    let shown = ada.get(&given.path).await.expect(200);
    assert_eq!(shown.etag(), rotated.etag());
    for field in ["/name", "/expires_at", "/former_secret_expires_at"] {
        assert_eq!(shown.field(field), rotated.field(field));
    }
    assert!(!shown.text().contains(&second));
    let events = given.harness.installation.events("workspace.api_token_rotated").await;
    assert_eq!(events.len(), 1);

    ada.delete(&given.path).await.expect(204);
    given.is(&given.first, 401).await;
    given.is(&second, 401).await;
}

#[tokio::test]
async fn a_sign_out_everywhere_ends_both_secrets() {
    let given = given().await;
    let second = given.rotate(&given.harness.ada, json!({})).await.expect(200).field("/token");

    given.harness.ada.delete("/v1/me/sessions").await.expect(204);

    given.is(&given.first, 401).await;
    given.is(&second, 401).await;
}

#[tokio::test]
async fn without_an_overlap_every_former_secret_ends_at_once() {
    let given = given().await;
    let ada = &given.harness.ada;
    let second = given.rotate(ada, json!({ "overlap_minutes": 30 })).await.expect(200);
    let early = given.rotate(ada, json!({})).await.expect(409);
    assert_eq!(early.field("/type"), "/problems/refused");

    let third = given.rotate(ada, json!({ "overlap_minutes": 0 })).await.expect(200);

    given.is(&given.first, 401).await;
    given.is(&second.field("/token"), 401).await;
    given.is(&third.field("/token"), 200).await;
    assert!(third.json().get("former_secret_expires_at").is_none());
    let refused = given.rotate(ada, json!({ "overlap_minutes": 61 })).await.expect(422);
    assert_eq!(refused.field("/errors/0/pointer"), "/overlap_minutes");
}

#[tokio::test]
async fn the_same_rotation_has_the_same_secret_while_that_works() {
    let given = given().await;
    let once = given.harness.ada.saying("Idempotency-Key", "another-secret");
    let body = json!({ "expires_at": in_days(60) });

    let answers = futures_util::future::join_all([
        given.rotate(&once, body.clone()),
        given.rotate(&once.at(given.second.api()), body.clone()),
    ])
    .await;
    let rotated = given.rotate(&once, body.clone()).await.expect(200);

    for answer in answers.iter().filter(|answer| answer.status != 409) {
        assert_eq!(answer.body, rotated.body);
    }
    given.is(&rotated.field("/token"), 200).await;
    let events = given.harness.installation.events("workspace.api_token_rotated").await;
    assert_eq!(events.len(), 1);
    let other = json!({ "overlap_minutes": 5 });
    let reused = given.rotate(&once, other).await.expect(422);
    assert_eq!(reused.field("/type"), "/problems/idempotency-key-reused");
    let anew = json!({ "overlap_minutes": 0 });
    given.rotate(&given.harness.ada, anew).await.expect(200);
    let late = given.rotate(&once, body).await.expect(200);
    assert!(late.json().get("token").is_none(), "{}", late.text());
}

#[tokio::test]
async fn a_rotation_needs_what_issuing_needs_and_is_for_the_member_whom_the_token_acts_for() {
    let given = given().await;
    let harness = &given.harness;
    let password = Person::named("ada").password;
    let bob = harness.invited("bob", "owner").await;
    let refused = given.rotate(&bob, json!({})).await.expect(403);
    assert!(refused.field("/detail").contains("acts for another member"), "{}", refused.text());
    let token = harness.node.client().bearing(&given.first);
    given.rotate(&token, json!({})).await.expect(403);
    let needed = given.rotate(&harness.ada, json!({ "expires_at": in_days(91) })).await.expect(403);
    assert_eq!(needed.field("/type"), "/problems/password-needed");
    let database = harness.installation.log().await;
    let older = "update working.sessions set opened_at = opened_at - interval '11 minutes'";
    assert!(database.execute(older, &[]).await.unwrap() > 0);
    // It has not looked at the session yet.
    let ada = harness.ada.at(given.second.api());
    let needed = given.rotate(&ada, json!({})).await.expect(403);
    assert_eq!(needed.field("/type"), "/problems/password-needed");
    given.is(&given.first, 200).await;

    let asks = json!({ "expires_at": in_days(300), "password": password });
    let rotated = given.rotate(&ada, asks).await.expect(200);
    assert_eq!(rotated.field("/expires_at")[..10], in_days(300)[..10]);
    given.is(&rotated.field("/token"), 200).await;
}

#[tokio::test]
async fn a_token_has_another_name_which_only_those_see_who_manage_tokens() {
    let given = given().await;
    let (harness, ada) = (&given.harness, &given.harness.ada);
    let bob = harness.invited("bob", "admin").await;

    let renamed = bob.patch(&given.path, "*", json!({ "name": "deploys of Ada" })).await;

    assert_eq!(renamed.expect(200).field("/name"), "deploys of Ada");
    assert_eq!(ada.get(&given.path).await.expect(200).field("/name"), "deploys of Ada");
    let own = ada.get("/v1/me/api-tokens").await.expect(200);
    assert_eq!(own.field("/items/0/name"), "deploys of Ada");
    given.is(&given.first, 200).await;
    let events = harness.installation.events("workspace.api_token_renamed").await;
    assert_eq!(events.len(), 1);
    let log = harness.installation.log().await;
    let named = "select count(*) from event_log.events where data::text like '%deploys of Ada%'";
    assert_eq!(log.query_one(named, &[]).await.unwrap().get::<_, i64>(0), 0);
    let wrong = ada.patch(&given.path, "*", json!({ "name": "" })).await.expect(422);
    assert_eq!(wrong.field("/errors/0/pointer"), "/name");
}
