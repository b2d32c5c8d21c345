//! Workspaces, through HTTP.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

use serde_json::json;
use tests::{Installation, Person};

#[tokio::test]
async fn a_workspace_is_its_owners_and_looks_to_others_as_if_it_were_not_there() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let ada = Person::named("ada").settle(&node.client(), &installation).await;
    let eve = Person::named("eve").settle(&node.client(), &installation).await;

    let made = ada.post("/v1/workspaces", json!({ "name": "Engines" })).await.expect(201);
    let path = made.header("location").unwrap().to_owned();

    let shown = ada.get(&path).await.expect(200).json();
    assert_eq!((&shown["name"], &shown["role"]), (&json!("Engines"), &json!("owner")));
    let hers = eve.get(&path).await.expect(404).json();
    let nobodys = "/v1/workspaces/00000000-0000-7000-8000-000000000000";
    assert_eq!(hers, eve.get(nobodys).await.expect(404).json());
    node.client().get(&path).await.expect(401);
}
