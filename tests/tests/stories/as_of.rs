//! The rows of a stream as its events make them, as an operator asks for them.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use tests::Harness;

const ROWS: &str = "/v1/admin/projections";

#[tokio::test]
async fn the_rows_of_a_stream_are_shown_as_they_were_at_any_position_and_time() {
    let harness = Harness::new().await;
    let operator = harness.operator().await;
    let at = format!("{ROWS}/workspaces/streams/{}", harness.workspace_id());
    let show = async |query: &str| -> Value {
        operator.get(&format!("{at}{query}")).await.expect(200).json()
    };
    let renamed = harness.ada.patch(&harness.path, "*", json!({ "name": "Mills" })).await;
    let position = harness.installation.position_of(&renamed.expect(200)).await;
    let log = harness.installation.log().await;
    let find = "select recorded_at, version from event_log.events where position = $1";
    let event = log.query_one(find, &[&position]).await.unwrap();
    let (recorded_at, version): (DateTime<Utc>, i64) = (event.get(0), event.get(1));

    let now = show("").await;
    let after = show(&format!("?through={position}")).await;
    let before = show(&format!("?through={}", position - 1)).await;
    let none = show("?through=0").await;

    let row = &now["rows"][0];
    assert_eq!((&row["version"], &row["position"]), (&json!(version), &json!(position)));
    assert_eq!(row["workspace_id"], harness.workspace_id());
    assert_eq!((&after["rows"], &after["through"]), (&now["rows"], &json!(position)));
    assert_eq!(before["rows"][0]["version"], version - 1);
    let sealed = |shown: &Value| shown["rows"][0]["name"].as_str().unwrap().to_owned();
    assert_ne!(sealed(&before), sealed(&after));
    assert!(!now.to_string().contains("Mills"), "{now}");
    assert_eq!(none, json!({ "through": 0, "rows": [] }));

    let as_of = async |time: DateTime<Utc>| {
        show(&format!("?as_of={}", time.to_rfc3339_opts(SecondsFormat::Micros, true))).await
    };
    assert_eq!(as_of(recorded_at).await, after);
    let earlier = as_of(recorded_at - TimeDelta::microseconds(1)).await;
    assert_eq!(earlier["rows"], before["rows"]);
    assert!(earlier["through"].as_i64().unwrap() < position, "{earlier}");
    assert_eq!(as_of(recorded_at - TimeDelta::days(1)).await, none);
}

#[tokio::test]
async fn what_has_no_rows_of_streams_is_refused_and_so_is_what_the_log_does_not_have() {
    let harness = Harness::new().await;
    let operator = harness.operator().await;
    let workspace = harness.workspace_id();
    let at = |name: &str, rest: &str| format!("{ROWS}/{name}/streams/{rest}");
    let whole = at("workspaces", workspace);

    let other = operator.get(&at("accounts", workspace)).await.expect(200).json();
    assert_eq!(other["rows"], json!([]), "it reads none of its events");
    for nothing in [
        at("nobodies", workspace),
        at("mailer", workspace),
        at("workspaces", "0"),
        at("workspaces", "00000000-0000-0000-0000-000000000001"),
    ] {
        operator.get(&nothing).await.expect(404);
    }
    let trail = operator.get(&at("audit_trail", workspace)).await.expect(404);
    assert!(trail.field("/detail").contains("GET /v1/audit-events"), "{}", trail.text());
    for (query, parameter, why) in [
        ("through=1000000000", "through", "the log ends at "),
        ("through=-1", "through", "this must be a whole number"),
        ("through=1&as_of=2026-01-01T00:00:00Z", "as_of", "send either `through` or `as_of`"),
        ("as_of=yesterday", "as_of", "this must be a time"),
    ] {
        let refused = operator.get(&format!("{whole}?{query}")).await.expect(400);
        assert_eq!(refused.field("/errors/0/parameter"), parameter, "{query}");
        assert!(refused.field("/errors/0/detail").starts_with(why), "{}", refused.text());
    }
    let auditor = harness.installation.operator_with("audit").await;
    harness.node.client().bearing(&auditor).get(&whole).await.expect(403);
}
