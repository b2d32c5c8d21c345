//! Why there are so many seats, and what a lowered limit does.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use tests::{Harness, problem};

#[tokio::test]
async fn every_seat_taken_is_said_with_the_numbers_and_told_once() {
    let harness = Harness::with(&[("seat_limit_default", "2")]).await;
    let (bo, cy) = (harness.member("bo", "operator").await, harness.member("cy", "admin").await);
    harness.lease(&harness.ada).await;
    let (lease, _) = harness.lease(&bo).await;

    for _ in 0..3 {
        let denied = harness.take_seat(&cy).await;
        assert_eq!(problem(&denied, 409), "seat-limit-reached");
        let body = denied.json();
        assert_eq!((&body["in_use"], &body["limit"]), (&json!(2), &json!(2)));
        assert!(denied.header("retry-after").is_some());
    }

    assert_eq!(harness.events("seat.denied").await.len(), 1, "who polls does not fill the log");
    harness.give_back(&bo, &lease).await.expect(204);
    harness.lease(&cy).await;
    assert_eq!(problem(&harness.take_seat(&bo).await, 409), "seat-limit-reached");
    assert_eq!(harness.events("seat.denied").await.len(), 2);
}

#[tokio::test]
async fn a_limit_has_a_cause() {
    let harness = Harness::new().await;
    let seats = harness.seats(|_| true).await;
    let cause = &seats["limit_cause"];
    assert_eq!((&seats["limit"], &cause["cause"]), (&json!(5), &json!("default")));
    assert_eq!(
        (&cause["type"], &cause["actor_id"]),
        (&json!("seat.limit_set"), &json!(harness.ada.account().await))
    );

    harness.set_seat_limit(&harness.operator().await, 7).await;

    let seats = harness.seats(|seats| seats["limit"] == 7).await;
    let cause = &seats["limit_cause"];
    assert_eq!(cause["cause"], "admin");
    assert_ne!(cause["actor_id"], harness.ada.account().await);
    let log = harness.installation.log().await;
    let last = "select event_id::text from event_log.events
        where event_type = 'seat.limit_set' order by position desc limit 1";
    let event: String = log.query_one(last, &[]).await.unwrap().get(0);
    assert_eq!((&cause["event_id"], &cause["position"]), (&json!(event), &Value::Null));
}

#[tokio::test]
async fn only_an_operator_sets_a_limit_and_only_a_real_one() {
    let harness = Harness::new().await;
    let operator = harness.operator().await;
    let put = async |who: &tests::Client, workspace: &str, limit: i64| {
        let path = format!("/v1/admin/workspaces/{workspace}/seat-limit");
        who.put(&path, "*", json!({ "limit": limit })).await
    };

    put(&harness.ada, harness.workspace_id(), 9).await.expect(401);
    put(&operator, harness.workspace_id(), 10_001).await.expect(422);
    put(&operator, harness.workspace_id(), -1).await.expect(422);
    put(&operator, &Uuid::nil().to_string(), 9).await.expect(404);
    put(&operator, "engines", 9).await.expect(404);
    put(&operator, harness.workspace_id(), 0).await.expect(200);
    assert_eq!(problem(&harness.take_seat(&harness.ada).await, 409), "seat-limit-reached");
}

#[tokio::test]
async fn under_a_lowered_limit_nobody_is_cut_off_and_the_newest_go_first() {
    let harness = Harness::with(&[("seat_lease_seconds", "600")]).await;
    let bo = harness.member("bo", "operator").await;
    let operator = harness.operator().await;
    let (oldest, first) = harness.lease(&harness.ada).await;
    let (newest, second) = harness.lease(&bo).await;

    harness.set_seat_limit(&operator, 1).await;

    let refused = harness.renew(&bo, &newest, second).await;
    assert_eq!(problem(&refused, 409), "seat-limit-lowered");
    assert_eq!(problem(&harness.take_over(&bo, &newest).await, 409), "seat-limit-lowered");
    harness.renew(&harness.ada, &oldest, first).await.expect(200);
    let seats = harness.seats(|seats| seats["limit"] == 1).await;
    assert_eq!(seats["in_use"], 2, "nobody is cut off");

    harness.end_lease(&newest).await;
    harness
        .seats(|seats| {
            let of_bo = seats["items"].as_array().unwrap();
            of_bo.iter().all(|lease| lease["lease_id"] != *newest)
        })
        .await;
}

#[tokio::test]
async fn a_limit_that_is_lowered_before_the_body_of_a_renewal_comes_counts() {
    let harness = Harness::new().await;
    let bo = harness.member("bo", "operator").await;
    let operator = harness.operator().await;
    harness.lease(&harness.ada).await;
    let (newest, fence) = harness.lease(&bo).await;
    let path = harness.at(&format!("seat-leases/{newest}/renew"));
    let renewal = bo.call(Method::POST, &path).json(json!({ "fence": fence }));
    let held = bo.hold(renewal, &harness.at("seats")).await;

    harness.set_seat_limit(&operator, 1).await;

    assert_eq!(problem(&held.send().await, 409), "seat-limit-lowered");
}

#[tokio::test]
async fn a_role_that_is_lowered_before_the_body_of_a_renewal_comes_counts() {
    let harness = Harness::new().await;
    let bo = harness.member("bo", "operator").await;
    let (lease, fence) = harness.lease(&bo).await;
    let his = harness.at(&format!("members/{}", bo.account().await));
    let path = harness.at(&format!("seat-leases/{lease}/renew"));
    let renewal = bo.call(Method::POST, &path).json(json!({ "fence": fence }));
    let held = bo.hold(renewal, &harness.at("seats")).await;

    harness.ada.put(&his, "*", json!({ "role": "viewer" })).await.expect(200);

    assert_eq!(problem(&held.send().await, 403), "forbidden");
}
