//! What an operator reads: the trail, its export, and how the readers are.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use infra::postgres::{ConnectOptions, connect_one};
use serde_json::{Value, json};
use tests::{Client, Person};

use super::AccountHarness;

#[tokio::test]
async fn the_trail_is_filtered_and_paged_and_shows_nobody() {
    let harness = AccountHarness::new().await;
    let auditor = harness.operator("audit").await;
    let me = harness.signed_in.get("/v1/me").await.expect(200);
    let account = me.field("/account_id");
    let change = json!({ "name": "Ada King" });
    let changed = harness.signed_in.patch("/v1/me", "*", change).await.expect(200);
    let position = harness.installation.position_of(&changed).await;

    let path = format!("/v1/audit-events?tenant_id={account}&limit=3");
    let mut found: Vec<Value> = vec![];
    let mut next = path.clone();
    loop {
        let page = auditor.get_read(&next).await.expect(200).json();
        found.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("{path}&cursor={cursor}");
    }
    let types: Vec<&str> = found.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types.first(), Some(&"account.registered"));
    assert!(types.contains(&"session.opened") && types.contains(&"account.rectified"));
    assert_eq!(found.last().unwrap()["actor_id"], json!(account));
    let shown = serde_json::to_string(&found).unwrap();
    for secret in [&harness.ada.email, &harness.ada.name, "Ada King", "127.0.0.1"] {
        assert!(!shown.contains(secret), "{secret} is shown");
    }

    let narrow = format!("{path}&type=account.rectified&after=1&before={}", position + 1);
    let narrowed = auditor.get_read(&narrow).await.expect(200);
    assert_eq!(narrowed.json()["items"][0]["position"], position);
    let foreign = next.replace(&account, "00000000-0000-0000-0000-000000000001");
    auditor.get(&foreign).await.expect(400);
    for path in ["/v1/audit-events", "/v1/audit/export"] {
        for (query, parameter) in [
            ("type=Account.Registered", "type"),
            ("type=account.abducted", "type"),
            ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
            ("from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
            ("after=7&before=7", "before"),
            ("after=7&before=3", "before"),
        ] {
            let refused = auditor.get(&format!("{path}?{query}")).await.expect(400);
            assert_eq!(refused.field("/errors/0/parameter"), parameter, "{path} {query}");
        }
    }
    let session = harness.signed_in.get("/v1/audit-events").await.expect(401);
    assert_eq!(session.field("/type"), "/problems/operator-needed");
    harness.anybody.get("/v1/audit-events").await.expect(401);
}

#[tokio::test]
async fn a_trail_that_is_behind_does_not_call_its_end_the_end_of_the_log() {
    let harness = AccountHarness::new().await;
    let auditor = harness.operator("audit").await;
    let listed = async |path: &str| {
        let page = auditor.get_read(path).await.expect(200).json();
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|event| event["position"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let seen = listed("/v1/audit-events?limit=200").await;
    let mut log = harness.installation.log().await;
    let held = log.transaction().await.unwrap();
    held.batch_execute("lock table read_models.audit_trail_v2 in share mode").await.unwrap();
    let change = json!({ "name": "Ada King" });
    let changed = harness.signed_in.patch("/v1/me", "*", change).await.expect(200);
    let position = harness.installation.position_of(&changed).await;

    let refused = auditor.get("/v1/audit-events?limit=200").await.expect(503);
    assert_eq!(refused.field("/type"), "/problems/not-yet");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(listed("/v1/audit-events?limit=2").await, seen[..2], "a full page is shown");
    let before = format!("/v1/audit-events?limit=200&before={}", seen.last().unwrap() + 1);
    assert_eq!(listed(&before).await, seen, "it has read so far");
    tests::until("the node is ready", async || {
        let ready = harness.anybody.get("/readyz").await;
        if ready.status == 200 { Ok(()) } else { Err(ready.text()) }
    })
    .await;

    held.rollback().await.unwrap();

    assert!(listed("/v1/audit-events?limit=200").await.contains(&position));
}

#[tokio::test]
async fn an_export_is_told_before_and_after_and_proves_itself_by_its_trailer() {
    let harness = AccountHarness::new().await;
    let auditor = harness.operator("audit").await;

    let export = auditor.get("/v1/audit/export").await.expect(200);
    assert_eq!(export.header("content-type"), Some("application/x-ndjson"));
    let (events, trailer) = checked(&export.text());
    let positions: Vec<i64> =
        events.iter().map(|event| event["position"].as_i64().unwrap()).collect();
    let through = trailer["through"].as_i64().unwrap();
    assert_eq!(positions, (1..=through).collect::<Vec<_>>());
    assert_eq!(export.position(), (through + 1).to_string());

    let (after, _) = checked(&auditor.get("/v1/audit/export?after=2").await.expect(200).text());
    assert_eq!(after[0]["position"], 3);
    let events: Vec<&Value> =
        after.iter().filter(|event| event["stream_type"] == "operator").collect();
    assert_eq!(events[0]["type"], "operator.token_issued");
    assert_eq!(events[1]["type"], "operator.export_started");
    assert_eq!(events[2]["type"], "operator.export_finished");
    assert_eq!(
        events[2]["data"],
        json!({
            "through": through, "events": through, "complete": true,
        })
    );
    let filtered = auditor.get("/v1/audit/export?type=account.registered").await.expect(200);
    assert_eq!(checked(&filtered.text()).0.len(), 1);
}

#[tokio::test]
async fn an_export_breaks_off_when_its_token_is_revoked_and_the_trail_says_so() {
    let harness = AccountHarness::new().await;
    let auditor = harness.operator("audit").await;
    let log = harness.installation.log_url();
    let log = connect_one(&log, &ConnectOptions::unlimited()).await.unwrap();
    log.batch_execute(&MANY_EVENTS.replace("{count}", "60000")).await.unwrap();
    let id = "select token_id::text from working.operator_tokens";
    let id: String = log.query_one(id, &[]).await.unwrap().get(0);

    let mut export = auditor.call("GET".parse().unwrap(), "/v1/audit/export").begin().await;
    let mut text = export.chunk().await.unwrap().unwrap().to_vec();
    let revoked = harness.installation.run(&["token", "revoke", &id]).await;
    assert!(revoked.status.success(), "{revoked:?}");
    let since = Instant::now();
    tests::until("the limit has passed", async || since.elapsed() >= Duration::from_secs(1)).await;
    while let Ok(Some(chunk)) = export.chunk().await {
        text.extend_from_slice(&chunk);
    }

    assert!(!String::from_utf8_lossy(&text).contains("\"trailer\""), "{} bytes", text.len());
    let ended =
        "select data::text from event_log.events where event_type = 'operator.export_finished'";
    let finished = tests::until("the trail says how it ended", async || {
        log.query_opt(ended, &[]).await.unwrap().map(|row| row.get::<_, String>(0))
    });
    let finished: Value = serde_json::from_str(&finished.await).unwrap();
    assert_eq!(finished["complete"], false);
}

#[tokio::test]
async fn an_export_that_nobody_reads_to_its_end_is_told_as_incomplete() {
    let harness = AccountHarness::new().await;
    let auditor = harness.operator("audit").await;
    let log = harness.installation.log_url();
    let log = connect_one(&log, &ConnectOptions::unlimited()).await.unwrap();
    log.batch_execute(&MANY_EVENTS.replace("{count}", "40000")).await.unwrap();

    let mut export = auditor.call("GET".parse().unwrap(), "/v1/audit/export").begin().await;
    assert!(export.chunk().await.unwrap().is_some());
    drop(export);

    let ended =
        "select data::text from event_log.events where event_type = 'operator.export_finished'";
    let ended = tests::until("the log knows the end of the export", async || {
        log.query_opt(ended, &[]).await.unwrap().map(|row| row.get::<_, String>(0))
    });
    let ended: Value = serde_json::from_str(&ended.await).unwrap();
    assert_eq!(ended["complete"], false);
    assert!(ended["events"].as_u64().unwrap() < 40_000);
}

#[tokio::test]
async fn an_export_goes_on_page_by_page_to_its_end() {
    let harness = AccountHarness::new().await;
    let auditor = harness.operator("audit").await;
    let log = harness.installation.log().await;
    log.batch_execute(&MANY_EVENTS.replace("{count}", "1200")).await.unwrap();

    let (events, trailer) = checked(&auditor.get("/v1/audit/export").await.expect(200).text());

    let through = trailer["through"].as_i64().unwrap();
    assert!(through > 1200, "{through}");
    let positions: Vec<i64> =
        events.iter().map(|event| event["position"].as_i64().unwrap()).collect();
    assert_eq!(positions, (1..=through).collect::<Vec<_>>());
    let path = "/v1/audit/export?type=account.registered";
    let (filtered, _) = checked(&auditor.get(path).await.expect(200).text());
    assert_eq!(filtered.len(), 1, "a page of which nothing is let through is not the end");
    let path = format!("/v1/audit/export?after={}", through - 700);
    let (rest, _) = checked(&auditor.get(&path).await.expect(200).text());
    assert!(rest.len() >= 700, "{}", rest.len());
}

/// Whether a filter of the trail lets an event through.
fn lets_through(event: &Value, (name, value): &(&str, String)) -> bool {
    let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let recorded = || time(event["recorded_at"].as_str().unwrap());
    let position = || event["position"].as_i64().unwrap();
    match *name {
        "from" => recorded() >= time(value),
        "to" => recorded() < time(value),
        "after" => position() > value.parse().unwrap(),
        "before" => position() < value.parse().unwrap(),
        field => event[field] == *value,
    }
}

fn positions(events: &[Value]) -> Vec<i64> {
    events.iter().map(|event| event["position"].as_i64().unwrap()).collect()
}

async fn listed(auditor: &Client, filters: &str) -> Vec<i64> {
    let path = format!("/v1/audit-events?limit=3&{filters}");
    let (mut found, mut next) = (vec![], path.clone());
    loop {
        let page = auditor.get_read(&next).await.expect(200).json();
        found.extend(positions(page["items"].as_array().unwrap()));
        assert!(found.is_sorted_by(|one, next| one < next), "{filters}: {found:?}");
        let Some(cursor) = page["next"].as_str() else { return found };
        next = format!("{path}&cursor={cursor}");
    }
}

#[tokio::test]
async fn the_trail_and_its_export_let_the_same_events_through_each_filter() {
    let harness = AccountHarness::new().await;
    let auditor = harness.operator("audit").await;
    let bob = Person::named("bob");
    bob.settle(&harness.anybody, &harness.installation).await;
    let (all, _) = checked(&auditor.get("/v1/audit/export").await.expect(200).text());
    let ada = harness.signed_in.get("/v1/me").await.expect(200).field("/account_id");
    let of_ada = |event: &&Value| event["stream_id"] == ada && event["actor_id"] == ada;
    let event = all.iter().rfind(of_ada).unwrap();
    let text = |field: &str| event[field].as_str().unwrap().to_owned();
    let id = |name| (name, ada.clone());
    let (event_type, from, to) =
        (("type", text("type")), ("from", text("recorded_at")), ("to", text("recorded_at")));
    let before = ("before", (positions(&all).last().unwrap() + 1).to_string());
    let after = ("after", (event["position"].as_i64().unwrap() - 1).to_string());
    let nobody = ("tenant_id", "00000000-0000-0000-0000-000000000001".to_owned());

    for (filters, finds) in [
        (vec![], true),
        (vec![id("tenant_id")], true),
        (vec![id("actor_id")], true),
        (vec![id("stream_id")], true),
        (vec![event_type.clone()], true),
        (vec![from.clone()], true),
        (vec![to.clone()], true),
        (vec![after.clone()], true),
        (vec![id("tenant_id"), event_type.clone()], true),
        (vec![id("stream_id"), id("actor_id")], true),
        (vec![id("stream_id"), id("tenant_id")], true),
        (vec![id("stream_id"), event_type], true),
        (vec![id("stream_id"), from], true),
        (vec![id("stream_id"), to], true),
        (vec![id("stream_id"), after], true),
        (vec![id("stream_id"), nobody], false),
    ] {
        let filters: Vec<_> = filters.into_iter().chain([before.clone()]).collect();
        let wanted = all.iter().filter(|event| filters.iter().all(|it| lets_through(event, it)));
        let wanted = positions(&wanted.cloned().collect::<Vec<_>>());
        let query = filters.iter().map(|(name, value)| format!("{name}={value}"));
        let query = query.collect::<Vec<_>>().join("&");

        assert_eq!(listed(&auditor, &query).await, wanted, "{query}");
        let export = auditor.get(&format!("/v1/audit/export?{query}")).await.expect(200);
        assert_eq!(positions(&checked(&export.text()).0), wanted, "{query}");
        assert_eq!(!wanted.is_empty(), finds, "{query}");
    }
}

#[tokio::test]
async fn an_export_says_how_far_it_goes_and_goes_no_further() {
    let harness = AccountHarness::new().await;
    let auditor = harness.operator("audit").await;
    let export = async |query: &str| {
        checked(&auditor.get(&format!("/v1/audit/export?{query}")).await.expect(200).text())
    };

    let (events, trailer) = export("before=3").await;
    assert_eq!((positions(&events), &trailer["through"]), (vec![1, 2], &json!(2)));
    let (events, trailer) = export("before=1000000000").await;
    assert_eq!(events.last().unwrap()["position"], trailer["through"]);
    let head = "select max(position) from event_log.events";
    let head: i64 = harness.installation.log().await.query_one(head, &[]).await.unwrap().get(0);
    let (events, trailer) = export(&format!("after={head}")).await;
    let through = trailer["through"].as_i64().unwrap();
    assert!(positions(&events).iter().all(|at| *at <= through), "its own first event is shown");
}

/// With 40,000, far more than the buffers between here and the node hold.
const MANY_EVENTS: &str = "
    select event_log.lock();
    insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id,
      event_type, schema_version, data, subjects, recorded_at)
    select (select max(position) from event_log.events) + n, gen_random_uuid(), 'operator',
      gen_random_uuid(), 1, gen_random_uuid(), 'operator.export_started', 1, '{\"through\":1}',
      '{}', now()
    from generate_series(1, {count}) n";

/// The events of an export, after its trailer has been checked.
fn checked(export: &str) -> (Vec<Value>, Value) {
    let at = export.trim_end().rfind('\n').map_or(0, |end| end + 1);
    let (lines, last) = export.split_at(at);
    let trailer = serde_json::from_str::<Value>(last).unwrap()["trailer"].clone();
    let events: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(trailer["events"], events.len());
    assert_eq!(trailer["sha256"], sha256(lines.as_bytes()));
    (events, trailer)
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(ring::digest::digest(&ring::digest::SHA256, bytes))
}

#[tokio::test]
async fn an_operator_sees_the_readers_and_releases_what_is_parked() {
    let harness = AccountHarness::new().await;
    let admin = harness.operator("admin").await;
    let readers = admin.get("/v1/admin/projections").await.expect(200).json();
    let names: Vec<&str> = readers["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect();
    for name in ["accounts", "sessions", "audit_trail", "mailer", "eraser", "session_closer"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert!(readers["head"].as_i64().unwrap() > 0);
    admin.get("/v1/admin/log-lock").await.expect(200);
    let parked = admin.get("/v1/admin/parked-streams").await.expect(200);
    assert_eq!(parked.json(), json!({ "items": [] }));
    let nothing = "/v1/admin/parked-streams/accounts/00000000-0000-0000-0000-000000000001/release";
    admin.post(nothing, json!({})).await.expect(404);

    let auditor = harness.operator("audit").await;
    let refused = auditor.get("/v1/admin/projections").await.expect(403);
    assert_eq!(refused.field("/type"), "/problems/forbidden");
}
