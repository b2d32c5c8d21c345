//! Workspaces, through HTTP.

mod deletion;
mod hastened;
mod invitations;
mod invited;
mod leaving;
mod members;
mod succession;
pub mod tokens;
mod trail;

use serde_json::{Value, json};
use tests::{Harness, create_workspace};

#[tokio::test]
async fn a_workspace_is_its_owners_and_looks_to_others_as_if_it_were_not_there() {
    let harness = Harness::new().await;
    let eve = harness.person("eve").await;

    let shown = harness.ada.get(&harness.path).await.expect(200).json();
    assert_eq!((&shown["name"], &shown["role"]), (&json!("Engines"), &json!("owner")));
    let hers = eve.get(&harness.path).await.expect(404).json();
    let nobodys = "/v1/workspaces/00000000-0000-7000-8000-000000000000";
    assert_eq!(hers, eve.get(nobodys).await.expect(404).json());
    harness.node.client().get(&harness.path).await.expect(401);
}

#[tokio::test]
async fn a_workspace_is_renamed_by_whoever_read_its_last_version() {
    let harness = Harness::new().await;
    let etag = harness.etag().await;

    let renamed =
        harness.ada.patch(&harness.path, &etag, json!({ "name": "Looms" })).await.expect(200);
    let late =
        harness.ada.patch(&harness.path, &etag, json!({ "name": "Mills" })).await.expect(412);

    assert_eq!(late.etag(), renamed.etag());
    assert_eq!(harness.ada.get(&harness.path).await.expect(200).field("/name"), "Looms");
    let bare =
        harness.ada.call(reqwest::Method::PATCH, &harness.path).json(json!({ "name": "Mills" }));
    bare.send().await.expect(428);
    let empty = harness.ada.patch(&harness.path, "*", json!({ "name": " " })).await.expect(422);
    assert_eq!(empty.field("/errors/0/pointer"), "/name");
}

#[tokio::test]
async fn ones_workspaces_are_listed_page_by_page_and_nobody_elses() {
    let harness = Harness::new().await;
    let eve = harness.person("eve").await;
    create_workspace(&harness.ada, "Looms").await;
    let third = harness.ada.post("/v1/workspaces", json!({ "name": "Mills" })).await.expect(201);
    let least = third.position();

    let mut names = Vec::new();
    let mut path = "/v1/workspaces?limit=2".to_owned();
    loop {
        let page = harness.ada.get_at(&path, least).await.expect(200).json();
        let items = page["items"].as_array().unwrap().iter();
        names.extend(items.map(|item| item["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/workspaces?limit=2&cursor={next}");
    }

    names.sort();
    assert_eq!(names, ["Engines", "Looms", "Mills"]);
    let none = eve.get_at("/v1/workspaces", least).await.expect(200);
    assert_eq!(none.json()["items"], json!([]));
}

#[tokio::test]
async fn roles_and_their_rights_are_data() {
    let harness = Harness::new().await;

    let table = harness.node.client().get("/v1/roles").await.expect(200).json();

    let rights = |role: &str| {
        let roles = table["roles"].as_array().unwrap().clone();
        let found = roles.into_iter().find(|shown| shown["role"] == role).unwrap();
        found["rights"].as_array().unwrap().clone()
    };
    assert_eq!(rights("owner").len(), table["rights"].as_array().unwrap().len());
    assert!(!rights("viewer").contains(&json!("runs:start")));
    let of_tokens: Vec<&Value> = table["rights"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|right| right["tokens"] == false)
        .collect();
    assert_eq!(of_tokens.len(), 3);
}
