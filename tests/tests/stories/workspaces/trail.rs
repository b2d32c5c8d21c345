//! The trail of a workspace, as its owner reads it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tests::{Client, Harness, Person, create_workspace};

use super::tokens::issue_token;

/// Every page of a list.
async fn all(by: &Client, path: &str) -> Vec<Value> {
    let (mut items, mut next) = (vec![], path.to_owned());
    loop {
        let page = by.get(&next).await.expect(200).json();
        items.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next"].as_str() else { return items };
        next = format!("{path}&cursor={cursor}");
    }
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_owner_reads_what_happened_in_the_workspace_and_nothing_of_elsewhere() {
    let harness = Harness::new().await;
    let bob = harness.invited("bob", "auditor").await;
    let operator = harness.member("cara", "operator").await;
    create_workspace(&bob, "Looms").await;
    let rename = json!({ "name": "Mills" });
    let renamed = harness.ada.patch(&harness.path, "*", rename).await.expect(200);
    let path = harness.at("audit-events");
    harness.ada.get_at(&path, &renamed.position()).await.expect(200);

    let oldest = all(&harness.ada, &format!("{path}?limit=3")).await;
    let mut newest = all(&harness.ada, &format!("{path}?limit=3&order=newest")).await;

    assert_eq!(types(&newest)[0], "workspace.renamed");
    newest.reverse();
    assert_eq!(oldest, newest);
    assert_eq!(types(&oldest)[..2], ["workspace.created", "workspace.member_joined"]);
    for seen in ["seat.limit_set", "workspace.invitation_accepted", "workspace.renamed"] {
        assert!(types(&oldest).contains(&seen), "{seen}: {:?}", types(&oldest));
    }
    let shown = serde_json::to_string(&oldest).unwrap();
    for hidden in ["Engines", "Mills", "Looms", &Person::named("bob").email, "position"] {
        assert!(!shown.contains(hidden), "{hidden} is shown");
    }
    assert_eq!(types(&oldest).iter().filter(|name| **name == "workspace.created").count(), 1);
    assert_eq!(all(&bob, &format!("{path}?limit=200")).await, oldest);
    operator.get(&path).await.expect(403);
    let (_, reads) = issue_token(&harness, &harness.ada, &["audit:read"]).await;
    assert_eq!(all(&reads, &format!("{path}?limit=200")).await[..oldest.len()], oldest);
    let (_, other) = issue_token(&harness, &harness.ada, &["runs:read"]).await;
    other.get(&path).await.expect(403);
}

#[tokio::test]
async fn the_trail_is_filtered_and_its_cursors_count_nobody_elses_events() {
    let harness = Harness::new().await;
    let bob = harness.invited("bob", "admin").await;
    for name in ["Looms", "Mills", "Wheels"] {
        bob.patch(&harness.path, "*", json!({ "name": name })).await.expect(200);
    }
    let last = bob.patch(&harness.path, "*", json!({ "name": "Cogs" })).await.expect(200);
    let path = harness.at("audit-events");
    bob.get_at(&path, &last.position()).await.expect(200);

    let bobs = format!("{path}?limit=2&type=workspace.renamed&actor_id={}", bob.account().await);
    let first = harness.ada.get(&bobs).await.expect(200).json();
    let cursor = first["next"].as_str().unwrap();
    let held = URL_SAFE_NO_PAD.decode(cursor).unwrap();
    let last = &first["items"][1];
    let held: Value = serde_json::from_slice(&held[16..]).unwrap();
    assert_eq!(held, json!([last["stream_id"], last["version"]]), "no position of the log");
    assert_eq!(all(&harness.ada, &bobs).await.len(), 4);
    let newest = all(&harness.ada, &format!("{bobs}&order=newest")).await;
    assert_eq!(newest[3], first["items"][0]);

    let stream = format!("{path}?limit=200&stream_id={}", harness.workspace_id());
    let of_stream = all(&harness.ada, &stream).await;
    let versions: Vec<i64> =
        of_stream.iter().map(|event| event["version"].as_i64().unwrap()).collect();
    assert_eq!(versions, (1..=i64::try_from(versions.len()).unwrap()).collect::<Vec<_>>());
    let since = of_stream[3]["recorded_at"].as_str().unwrap();
    let later = all(&harness.ada, &format!("{stream}&from={since}&order=newest")).await;
    assert_eq!(later.len(), of_stream.len() - 3);
    assert_eq!(all(&harness.ada, &format!("{stream}&to={since}")).await, of_stream[..3]);

    harness.ada.get(&format!("{path}?limit=2&cursor={cursor}")).await.expect(400);
    harness.ada.get(&format!("{path}?type=Workspace")).await.expect(400);
    harness.ada.get(&format!("{path}?order=up")).await.expect(400);
    let backwards = harness.ada.get(&format!("{path}?from={since}&to={since}")).await.expect(400);
    assert_eq!(backwards.field("/errors/0/parameter"), "to");
    let foreign = create_workspace(&harness.ada, "Looms").await;
    let there = format!("{foreign}/audit-events?limit=200&stream_id={}", harness.workspace_id());
    assert_eq!(all(&harness.ada, &there).await, Vec::<Value>::new());
}
