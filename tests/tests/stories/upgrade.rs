//! A node that is older than what stands in the log.

use serde_json::Value;
use tests::{Harness, until};

/// An event of a newer version, a day old.
const APPEND: &str = "
    insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id,
      event_type, schema_version, data, subjects, recorded_at)
    select max(position) + 1, gen_random_uuid(), 'planet', gen_random_uuid(), 1, gen_random_uuid(),
      'planet.discovered', 1, '{}', '{}', now() - interval '1 day'
    from event_log.events returning position";

#[tokio::test]
async fn a_node_alone_with_an_event_that_it_does_not_know_stands_still_and_says_why() {
    let harness = Harness::new().await;
    let log = harness.installation.log().await;
    let position: i64 = log.query_one(APPEND, &[]).await.unwrap().get(0);
    let client = harness.node.client();
    let event = format!("the event at position {position} (planet.discovered, version 1)");

    until("it is not ready", async || {
        let status = client.get("/readyz").await.status;
        let readers = harness.node.readiness().await["readers"].as_str().unwrap().to_owned();
        let says = readers.contains(&event) && readers.contains("memberships is 86");
        if status == 503 && says { Ok(()) } else { Err(readers) }
    })
    .await;

    let operator = harness.operator().await;
    let released = |reader: &Value| {
        let error = reader["last_error"].as_str().unwrap_or_default();
        reader["node_id"].is_null() && error.starts_with(&event)
    };
    until("the operator sees every reader but the trail without an owner", async || {
        let readers = operator.get("/v1/admin/projections").await.expect(200).json();
        let items = readers["items"].as_array().unwrap().clone();
        let (left, kept): (Vec<_>, Vec<_>) = items.into_iter().partition(&released);
        let kept: Vec<_> = kept.iter().map(|reader| reader["name"].clone()).collect();
        if kept == ["audit_trail"] && left.len() > 10 { Ok(()) } else { Err(kept) }
    })
    .await;
    until("it is measured", async || {
        let metrics = reqwest::get(harness.node.metrics()).await.unwrap().text().await.unwrap();
        let is_shown =
            metrics.contains("lethe_reader_unknown_event{reader=\"mailer\",version=\"1\"} 1");
        if is_shown { Ok(()) } else { Err(metrics) }
    })
    .await;
    let parked = operator.get("/v1/admin/parked-streams").await.expect(200).json();
    assert_eq!(parked["items"], Value::Array(Vec::new()));
}
