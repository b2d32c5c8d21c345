//! Workspaces, through HTTP.

mod deletion;
mod hastened;
mod invitations;
mod invited;
mod leaving;
mod members;
mod positions;
mod rotation;
mod service_accounts;
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

/// Its reader has not come to it, or has parked it: the reader of the memberships has gone on.
#[tokio::test]
async fn a_workspace_that_its_read_model_lacks_is_listed_as_the_log_has_it() {
    let harness = Harness::new().await;
    harness.member("bob", "viewer").await;
    let renamed = harness.ada.patch(&harness.path, "*", json!({ "name": "Looms" })).await;
    let position = renamed.expect(200).position();
    let shown = harness.ada.get_at("/v1/workspaces", &position).await.expect(200).json();
    let log = harness.installation.log().await;
    let lose = "delete from read_models.workspaces_v3";
    assert_eq!(log.execute(lose, &[]).await.unwrap(), 1);

    let listed = harness.ada.get("/v1/workspaces").await.expect(200).json();

    assert_eq!(listed, shown);
    assert_eq!(
        (&listed["items"][0]["name"], &listed["items"][0]["members"]),
        (&json!("Looms"), &json!(2))
    );
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
        let page = harness.ada.get_at(&path, &least).await.expect(200).json();
        let items = page["items"].as_array().unwrap().iter();
        names.extend(items.map(|item| item["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/workspaces?limit=2&cursor={next}");
    }

    names.sort();
    assert_eq!(names, ["Engines", "Looms", "Mills"]);
    let none = eve.get("/v1/workspaces").await.expect(200);
    assert_eq!(none.json()["items"], json!([]));
}

#[tokio::test]
async fn roles_and_their_rights_are_data() {
    let harness = Harness::new().await;

    let anybody = harness.node.client();
    let items = async |path: &str| -> Vec<Value> {
        anybody.get(path).await.expect(200).json()["items"].as_array().unwrap().clone()
    };
    let (roles, all) = (items("/v1/roles").await, items("/v1/rights").await);

    let rights = |role: &str| {
        let found = roles.iter().find(|shown| shown["role"] == role).unwrap();
        found["rights"].as_array().unwrap().clone()
    };
    assert_eq!(rights("owner").len(), all.len());
    assert!(!rights("viewer").contains(&json!("runs:start")));
    assert_eq!(all.iter().filter(|right| right["tokens"] == false).count(), 3);
}
