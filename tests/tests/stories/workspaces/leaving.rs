//! Somebody whose erasure is requested, and the workspaces that others come to depend on.

use reqwest::Method;
use serde_json::json;
use tests::{Client, Harness, Person, problem, until};

use super::tokens::in_days;

/// Requests the erasure, with a grace, and signs in again.
async fn leave(harness: &Harness, client: &Client, name: &str) -> Client {
    let person = Person::named(name);
    let asks = json!({ "password": person.password, "grace_days": 7 });
    client.ask_for_erasure(asks).await.expect(202);
    person.sign_in(&harness.node.client()).await
}

async fn stay(client: &Client) {
    client.delete("/v1/me/erasure").await.expect(204);
}

#[tokio::test]
async fn nobody_joins_a_workspace_whose_only_owner_leaves() {
    let harness = Harness::new().await;
    let bob = harness.person("bob").await;
    let link = harness.invite(&Person::named("bob").email, "viewer").await;
    let accepts = json!({ "token": link });
    let ada = leave(&harness, &harness.ada, "ada").await;

    let refused = bob.post("/v1/invitations/accept", &accepts).await;

    assert_eq!(problem(&refused, 409), "refused");
    assert_eq!(harness.events("workspace.member_joined").await.len(), 1);
    stay(&ada).await;
    bob.post("/v1/invitations/accept", &accepts).await.expect(200);
}

#[tokio::test]
async fn whoever_is_invited_as_an_owner_joins_when_the_other_one_leaves() {
    let harness = Harness::new().await;
    let bob = harness.person("bob").await;
    let link = harness.invite(&Person::named("bob").email, "owner").await;
    leave(&harness, &harness.ada, "ada").await;

    bob.post("/v1/invitations/accept", json!({ "token": link })).await.expect(200);
}

#[tokio::test]
async fn whoever_leaves_does_not_bring_back_a_workspace_that_others_belong_to() {
    let harness = Harness::new().await;
    let bob = harness.member("bob", "viewer").await;
    until("it is known that Bob has joined", async || {
        let listed = bob.get("/v1/workspaces").await.expect(200).json();
        listed["items"].as_array().is_some_and(|items| items.len() == 1).then_some(())
    })
    .await;
    let asks = json!({ "password": Person::named("ada").password, "grace_days": 14 });
    let deletes = harness.ada.call(Method::POST, &harness.at("deletion")).header("If-Match", "*");
    deletes.json(asks).send().await.expect(202);
    let ada = leave(&harness, &harness.ada, "ada").await;

    let refused = ada.delete(&harness.at("deletion")).await;

    assert_eq!(problem(&refused, 409), "erasure-requested");
    stay(&ada).await;
    ada.delete(&harness.at("deletion")).await.expect(204);
}

#[tokio::test]
async fn whoever_leaves_creates_no_workspace_invites_nobody_and_issues_no_token() {
    let harness = Harness::new().await;
    let ada = leave(&harness, &harness.ada, "ada").await;
    let begins = async || {
        let invites = json!({ "email": "bob@example.org", "role": "viewer" });
        let issues = json!({ "name": "ci", "scopes": ["runs:read"], "expires_at": in_days(30) });
        [
            ada.post("/v1/workspaces", json!({ "name": "Mills" })).await,
            ada.post(&harness.at("invitations"), invites).await,
            ada.post(&harness.at("api-tokens"), issues).await,
        ]
    };

    for refused in begins().await {
        assert_eq!(problem(&refused, 409), "erasure-requested");
    }

    stay(&ada).await;
    for begun in begins().await {
        begun.expect(201);
    }
}
