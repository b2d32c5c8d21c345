//! Members: what they are, and what they were.

use serde_json::json;

use crate::{Stage, account};

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
