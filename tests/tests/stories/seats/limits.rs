//! Why there are so many seats, and what a lowered limit does.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::house::{House, problem};

#[tokio::test]
async fn every_seat_taken_is_said_with_the_numbers_and_told_once() {
    let house = House::with(&[("seat_limit_default", "2")]).await;
    let (bo, cy) = (house.colleague("bo", "operator").await, house.colleague("cy", "admin").await);
    house.lease(&house.ada).await;
    let (lease, _) = house.lease(&bo).await;

    for _ in 0..3 {
        let denied = house.ask(&cy).await;
        assert_eq!(problem(&denied, 409), "seat-limit-reached");
        let body = denied.json();
        assert_eq!((&body["in_use"], &body["limit"]), (&json!(2), &json!(2)));
        assert!(denied.header("retry-after").is_some());
    }

    assert_eq!(house.told("seat.denied").await.len(), 1, "who polls does not fill the log");
    house.give_back(&bo, &lease).await.expect(204);
    house.lease(&cy).await;
    assert_eq!(problem(&house.ask(&bo).await, 409), "seat-limit-reached");
    assert_eq!(house.told("seat.denied").await.len(), 2);
}

#[tokio::test]
async fn a_limit_has_a_cause() {
    let house = House::new().await;
    let seats = house.seats(|_| true).await;
    let cause = &seats["limit_cause"];
    assert_eq!((&seats["limit"], &cause["cause"]), (&json!(5), &json!("default")));
    assert_eq!(
        (&cause["type"], &cause["actor"]),
        (&json!("seat.limit_set"), &json!(house.ada.account().await))
    );

    house.set_limit(&house.operator().await, 7).await;

    let seats = house.seats(|seats| seats["limit"] == 7).await;
    let cause = &seats["limit_cause"];
    assert_eq!(cause["cause"], "admin");
    assert_ne!(cause["actor"], house.ada.account().await);
    let log = house.installation.log().await;
    let at = "select event_id::text from event_log.events where position = $1";
    let position = cause["position"].as_i64().unwrap();
    let event: String = log.query_one(at, &[&position]).await.unwrap().get(0);
    assert_eq!(cause["event_id"], event);
}

#[tokio::test]
async fn only_an_operator_sets_a_limit_and_only_a_real_one() {
    let house = House::new().await;
    let operator = house.operator().await;
    let put = async |who: &tests::Client, workspace: &str, limit: i64| {
        let path = format!("/v1/admin/workspaces/{workspace}/seat-limit");
        who.call(Method::PUT, &path).json(json!({ "limit": limit })).send().await
    };

    put(&house.ada, &house.workspace, 9).await.expect(401);
    put(&operator, &house.workspace, 10_001).await.expect(422);
    put(&operator, &house.workspace, -1).await.expect(422);
    put(&operator, &Uuid::nil().to_string(), 9).await.expect(404);
    put(&operator, "engines", 9).await.expect(404);
    put(&operator, &house.workspace, 0).await.expect(204);
    assert_eq!(problem(&house.ask(&house.ada).await, 409), "seat-limit-reached");
}

#[tokio::test]
async fn under_a_lowered_limit_nobody_is_cut_off_and_the_newest_go_first() {
    let house = House::with(&[("seat_lease_seconds", "8")]).await;
    let bo = house.colleague("bo", "operator").await;
    let operator = house.operator().await;
    let (oldest, first) = house.lease(&house.ada).await;
    let (newest, second) = house.lease(&bo).await;

    house.set_limit(&operator, 1).await;

    let refused = house.renew(&bo, &newest, second).await;
    assert_eq!(problem(&refused, 409), "seat-limit-lowered");
    assert_eq!(problem(&house.take_over(&bo, &newest).await, 409), "seat-limit-lowered");
    house.renew(&house.ada, &oldest, first).await.expect(200);
    let seats = house.seats(|seats| seats["limit"] == 1).await;
    assert_eq!(seats["in_use"], 2, "nobody is cut off");
    house
        .seats(|seats| {
            let of_bo = seats["leases"].as_array().unwrap();
            of_bo.iter().all(|lease| lease["lease_id"] != *newest)
        })
        .await;
}
