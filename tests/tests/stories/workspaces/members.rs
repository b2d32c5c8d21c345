//! Members: what they are, and what they were.

use serde_json::{Value, json};
use tests::until;

use super::{Stage, account};

/// Each member's role, by account.
fn roles(listed: &Value) -> Vec<(String, String)> {
    let word = |of: &Value| of.as_str().unwrap().to_owned();
    let items = listed["items"].as_array().unwrap().iter();
    items.map(|item| (word(&item["account_id"]), word(&item["role"]))).collect()
}

#[tokio::test]
async fn names_are_opened_for_a_purpose_only_and_that_is_recorded() {
    let stage = Stage::set().await;
    let id = account(&stage.ada).await;

    let plain = stage.ada.get(&stage.at("members")).await.expect(200).json();
    assert_eq!(plain["items"], json!([{ "account_id": id, "role": "owner" }]));
    let without = stage.ada.get(&stage.at("members?names=true")).await.expect(400);
    assert_eq!(without.field("/errors/0/parameter"), "purpose");
    stage.ada.get(&stage.at("members?names=true&purpose=product_news")).await.expect(400);

    let names = stage.at("members?names=true&purpose=account_administration");
    let names = stage.ada.get(&names).await.expect(200);
    assert_eq!(names.field("/items/0/name"), "ada of Example");
    assert!(names.json()["items"][0].get("email").is_none());
    assert_eq!(names.etag(), stage.etag().await, "it is an event");
    let all = stage.at("members?names=true&purpose=service_communication");
    assert_eq!(stage.ada.get(&all).await.expect(200).field("/items/0/email"), "ada@example.org");

    let opened = "select data::text from event_log.events
        where event_type = 'workspace.member_names_opened' order by position";
    let opened = stage.installation.log().await.query(opened, &[]).await.unwrap();
    let told: Vec<String> = opened.iter().map(|row| row.get(0)).collect();
    assert_eq!(
        told,
        [
            r#"{"purpose":"account_administration","count":1}"#,
            r#"{"purpose":"service_communication","count":1}"#,
        ]
    );
}

#[tokio::test]
async fn an_admin_changes_roles_but_not_an_owners_and_nobody_raises_themselves() {
    let stage = Stage::set().await;
    let bob = stage.colleague("bob", "admin").await;
    let eve = stage.colleague("eve", "viewer").await;
    let (ada_id, bob_id, eve_id) =
        (account(&stage.ada).await, account(&bob).await, account(&eve).await);
    let of = |id: &str| stage.at(&format!("members/{id}"));
    let role = |role: &str| json!({ "role": role });

    let etag = stage.etag().await;
    bob.put(&of(&eve_id), &etag, role("operator")).await.expect(204);
    bob.put(&of(&eve_id), &etag, role("viewer")).await.expect(412);
    bob.put(&of(&eve_id), "*", role("owner")).await.expect(403);
    bob.put(&of(&ada_id), "*", role("viewer")).await.expect(403);
    bob.put(&of(&bob_id), "*", role("billing")).await.expect(403);
    eve.put(&of(&eve_id), "*", role("admin")).await.expect(403);
    bob.put(&of(&eve_id), "*", role("king")).await.expect(422);
    bob.put(&of("00000000-0000-7000-8000-000000000000"), "*", role("viewer")).await.expect(404);
    stage.ada.put(&of(&ada_id), "*", role("admin")).await.expect(409);
    stage.ada.put(&of(&bob_id), "*", role("owner")).await.expect(204);
    stage.ada.put(&of(&ada_id), "*", role("admin")).await.expect(204);

    let listed = stage.ada.get(&stage.at("members")).await.expect(200).json();
    let found = roles(&listed).into_iter().find(|(id, _)| *id == eve_id).unwrap();
    assert_eq!(found.1, "operator");
}

#[tokio::test]
async fn who_belonged_at_a_time_is_told_by_the_log() {
    let stage = Stage::set().await;
    let founded = now(&stage).await;
    let bob = stage.colleague("bob", "viewer").await;
    let (ada_id, bob_id) = (account(&stage.ada).await, account(&bob).await);
    let joined = now(&stage).await;
    let of_bob = stage.at(&format!("members/{bob_id}"));
    stage.ada.put(&of_bob, "*", json!({ "role": "admin" })).await.expect(204);
    let raised = now(&stage).await;
    bob.delete(&of_bob).await.expect(204);
    bob.get(&stage.path).await.expect(404);

    let at = async |time: &str| {
        let path = stage.at(&format!("members?as_of={time}"));
        let mut roles = roles(&stage.ada.get(&path).await.expect(200).json());
        roles.sort_by_key(|(id, _)| *id != ada_id);
        roles
            .into_iter()
            .map(|(id, role)| if id == bob_id { role } else { format!("ada {role}") })
            .collect::<Vec<_>>()
    };
    assert_eq!(at("2020-01-01T00:00:00Z").await, Vec::<String>::new());
    assert_eq!(at(&founded).await, ["ada owner"]);
    assert_eq!(at(&joined).await, ["ada owner", "viewer"]);
    assert_eq!(at(&raised).await, ["ada owner", "admin"]);
    assert_eq!(at("2999-01-01T00:00:00Z").await, ["ada owner"]);
    stage.ada.get(&stage.at("members?as_of=yesterday")).await.expect(400);
}

/// The database's own time, which stands on every event.
async fn now(stage: &Stage) -> String {
    let log = stage.installation.log().await;
    let now =
        "select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
    log.query_one(now, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_member_leaves_or_is_removed_and_the_last_owner_stays() {
    let stage = Stage::set().await;
    let bob = stage.colleague("bob", "operator").await;
    let eve = stage.colleague("eve", "viewer").await;
    let of = |id: &str| stage.at(&format!("members/{id}"));
    let (ada_id, eve_id) = (account(&stage.ada).await, account(&eve).await);

    bob.delete(&of(&eve_id)).await.expect(403);
    stage.ada.delete(&of(&ada_id)).await.expect(409);
    stage.ada.delete(&of(&eve_id)).await.expect(204);
    stage.ada.delete(&of(&eve_id)).await.expect(404);

    eve.get(&stage.path).await.expect(404);
    until("she no longer lists it", async || {
        let listed = eve.get("/v1/workspaces").await.expect(200).json();
        (listed["items"] == json!([])).then_some(())
    })
    .await;
    until("he still lists it, and how many they are", async || {
        let listed = bob.get("/v1/workspaces").await.expect(200).json();
        (listed["items"][0]["members"] == 2).then_some(())
    })
    .await;
}
