//! Members: what they are, and what they were.

use serde_json::{Value, json};
use tests::{Harness, until};

/// Each member's role, by account.
fn roles(listed: &Value) -> Vec<(String, String)> {
    let word = |of: &Value| of.as_str().unwrap().to_owned();
    let items = listed["items"].as_array().unwrap().iter();
    items.map(|item| (word(&item["account_id"]), word(&item["role"]))).collect()
}

#[tokio::test]
async fn names_are_opened_for_a_purpose_only_and_that_is_recorded() {
    let harness = Harness::new().await;
    let id = harness.ada.account().await;

    let plain = harness.ada.get(&harness.at("members")).await.expect(200).json();
    assert_eq!(plain["items"], json!([{ "account_id": id, "kind": "person", "role": "owner" }]));
    let without = harness.ada.get(&harness.at("members?names=true")).await.expect(400);
    assert_eq!(without.field("/errors/0/parameter"), "purpose");
    harness.ada.get(&harness.at("members?names=true&purpose=product_news")).await.expect(400);

    let names = harness.at("members?names=true&purpose=account_administration");
    let names = harness.ada.get(&names).await.expect(200);
    assert_eq!(names.field("/items/0/name"), "ada of Example");
    assert!(names.json()["items"][0].get("email").is_none());
    assert_eq!(names.etag(), harness.etag().await, "it is an event");
    let all = harness.at("members?names=true&purpose=service_communication");
    assert_eq!(harness.ada.get(&all).await.expect(200).field("/items/0/email"), "ada@example.org");

    let opened = "select data::text from event_log.events
        where event_type = 'workspace.member_names_opened' order by position";
    let opened = harness.installation.log().await.query(opened, &[]).await.unwrap();
    let types: Vec<String> = opened.iter().map(|row| row.get(0)).collect();
    assert_eq!(
        types,
        [
            r#"{"purpose":"account_administration","count":1}"#,
            r#"{"purpose":"service_communication","count":1}"#,
        ]
    );
}

#[tokio::test]
async fn names_are_sorted_page_by_page_and_those_that_are_shown_are_recorded() {
    let harness = Harness::new().await;
    for name in ["eve", "bob"] {
        harness.member(name, "viewer").await;
    }
    let log = harness.installation.log().await;
    until("their names are read", async || {
        let read = "select count(*) from read_models.accounts_v4";
        (log.query_one(read, &[]).await.unwrap().get::<_, i64>(0) == 3).then_some(())
    })
    .await;
    let names = "members?names=true&purpose=service_communication&order=name&limit=2";
    let get = async |cursor: &str| harness.ada.get(&harness.at(&format!("{names}{cursor}"))).await;

    let bad = get("&cursor=AAAA").await.expect(400);
    assert_eq!(bad.field("/type"), "/problems/bad-cursor");
    assert!(harness.events("workspace.member_names_opened").await.is_empty(), "it opens nothing");

    let first = get("").await.expect(200).json();
    let cursor = format!("&cursor={}", first["next"].as_str().unwrap());
    let rest = get(&cursor).await.expect(200).json();
    let addresses = [first, rest].map(|page| {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| item["email"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    });
    assert_eq!(addresses[0], ["ada@example.org", "bob@example.org"]);
    assert_eq!(addresses[1], ["eve@example.org"]);
    let opened = harness.events("workspace.member_names_opened").await;
    let counts: Vec<&Value> = opened.iter().map(|event| &event["count"]).collect();
    assert_eq!(counts, [&json!(2), &json!(1)]);
}

#[tokio::test]
async fn each_opening_of_names_is_recorded_whatever_its_key() {
    let harness = Harness::new().await;
    let names = harness.at("members?names=true&purpose=account_administration");
    let repeating = harness.ada.saying("Idempotency-Key", "0123456789abcdef");

    for _ in 0..2 {
        repeating.get(&names).await.expect(200);
    }

    assert_eq!(harness.events("workspace.member_names_opened").await.len(), 2);
}

#[tokio::test]
async fn a_time_that_no_table_holds_is_refused() {
    let harness = Harness::new().await;
    for time in ["-5000-01-01T00:00:00Z", "%2B200000-01-01T00:00:00Z", "2026-01-01T00:00:00+01:00"]
    {
        let refused = harness.ada.get(&harness.at(&format!("members?as_of={time}"))).await;
        let refused = refused.expect(400);
        assert_eq!(refused.field("/errors/0/parameter"), "as_of", "{time}");
        assert!(refused.field("/errors/0/detail").contains("%2B"), "{time}");
    }
    let fits = harness.at("members?as_of=0001-01-01T00:00:00Z");
    harness.ada.get(&fits).await.expect(200);
}

#[tokio::test]
async fn an_admin_changes_roles_but_not_an_owners_and_nobody_raises_themselves() {
    let harness = Harness::new().await;
    let bob = harness.invited("bob", "admin").await;
    let eve = harness.invited("eve", "viewer").await;
    let (ada_id, bob_id, eve_id) =
        (harness.ada.account().await, bob.account().await, eve.account().await);
    let of = |id: &str| harness.at(&format!("members/{id}"));
    let role = |role: &str| json!({ "role": role });

    let etag = harness.etag().await;
    bob.put(&of(&eve_id), &etag, role("operator")).await.expect(200);
    bob.put(&of(&eve_id), &etag, role("viewer")).await.expect(412);
    bob.put(&of(&eve_id), "*", role("owner")).await.expect(403);
    bob.put(&of(&ada_id), "*", role("viewer")).await.expect(403);
    bob.put(&of(&bob_id), "*", role("billing")).await.expect(403);
    eve.put(&of(&eve_id), "*", role("admin")).await.expect(403);
    bob.put(&of(&eve_id), "*", role("king")).await.expect(422);
    bob.put(&of("00000000-0000-7000-8000-000000000000"), "*", role("viewer")).await.expect(404);
    harness.ada.put(&of(&ada_id), "*", role("admin")).await.expect(409);
    harness.ada.put(&of(&bob_id), "*", role("owner")).await.expect(200);
    harness.ada.put(&of(&ada_id), "*", role("admin")).await.expect(200);

    let listed = harness.ada.get(&harness.at("members")).await.expect(200).json();
    let found = roles(&listed).into_iter().find(|(id, _)| *id == eve_id).unwrap();
    assert_eq!(found.1, "operator");
}

#[tokio::test]
async fn who_belonged_at_a_time_is_told_by_the_log() {
    let harness = Harness::new().await;
    let founded = now(&harness).await;
    let bob = harness.invited("bob", "viewer").await;
    let (ada_id, bob_id) = (harness.ada.account().await, bob.account().await);
    let joined = now(&harness).await;
    let of_bob = harness.at(&format!("members/{bob_id}"));
    harness.ada.put(&of_bob, "*", json!({ "role": "admin" })).await.expect(200);
    let raised = now(&harness).await;
    bob.delete(&of_bob).await.expect(204);
    bob.get(&harness.path).await.expect(404);

    let at = async |time: &str| {
        let path = harness.at(&format!("members?as_of={time}"));
        let mut roles = roles(&harness.ada.get(&path).await.expect(200).json());
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
    harness.ada.get(&harness.at("members?as_of=yesterday")).await.expect(400);
}

#[tokio::test]
async fn names_of_those_who_left_are_not_opened_for_a_time_at_which_they_belonged() {
    let harness = Harness::new().await;
    let bob = harness.invited("bob", "viewer").await;
    let eve = harness.invited("eve", "viewer").await;
    let (bob_id, eve_id) = (bob.account().await, eve.account().await);
    let joined = now(&harness).await;
    bob.delete(&harness.at(&format!("members/{bob_id}"))).await.expect(204);

    let names = format!("members?as_of={joined}&names=true&purpose=service_communication");
    let listed = harness.ada.get(&harness.at(&names)).await.expect(200).json();

    let items = listed["items"].as_array().unwrap();
    let of = |id: &str| items.iter().find(|item| item["account_id"] == *id).unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!(of(&bob_id), &json!({ "account_id": bob_id, "kind": "person", "role": "viewer" }));
    assert_eq!(of(&eve_id)["email"], "eve@example.org");
    let opened = &harness.events("workspace.member_names_opened").await[0];
    assert_eq!(opened["count"], 2, "{opened}");
}

/// The database's own time, which stands on every event.
async fn now(harness: &Harness) -> String {
    let log = harness.installation.log().await;
    let now =
        "select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
    log.query_one(now, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_member_leaves_or_is_removed_and_the_last_owner_stays() {
    let harness = Harness::new().await;
    let bob = harness.invited("bob", "operator").await;
    let eve = harness.invited("eve", "viewer").await;
    let of = |id: &str| harness.at(&format!("members/{id}"));
    let (ada_id, eve_id) = (harness.ada.account().await, eve.account().await);

    bob.delete(&of(&eve_id)).await.expect(403);
    harness.ada.delete(&of(&ada_id)).await.expect(409);
    harness.ada.delete(&of(&eve_id)).await.expect(204);
    harness.ada.delete(&of(&eve_id)).await.expect(404);

    eve.get(&harness.path).await.expect(404);
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
