//! One lease a person, under a fence that grows.

use chrono::{DateTime, Utc};
use infra::ids::Ids;
use reqwest::Method;
use serde_json::json;
use tests::{Client, Harness, Installation, TestServer, lease_of, problem, until};

#[tokio::test]
async fn a_seat_is_leased_shown_renewed_and_given_back() {
    let harness = Harness::new().await;
    let taken = harness.take_seat(&harness.ada).await.expect(201);
    let (lease, fence) = lease_of(&taken);
    assert_eq!(taken.json()["ttl_seconds"], 120);
    assert_eq!(taken.header("location"), Some(&*harness.at(&format!("seat-leases/{lease}"))));

    let position = taken.position().to_string();
    let seats = harness.ada.saying("Lethe-Min-Position", &position).get(&harness.at("seats")).await;
    let seats = seats.expect(200).json();
    assert_eq!((&seats["limit"], &seats["in_use"]), (&json!(5), &json!(1)));
    let shown = &seats["leases"][0];
    assert_eq!((&shown["lease_id"], &shown["fence"]), (&json!(lease), &json!(fence)));
    assert_eq!((&shown["own"], &shown["expires_at"]), (&json!(true), &taken.json()["expires_at"]));
    assert_eq!(shown["account_id"], harness.ada.account().await);

    let time = |text: String| text.parse::<DateTime<Utc>>().unwrap();
    let renewed = harness.renew(&harness.ada, &lease, fence).await.expect(200);
    assert!(time(renewed.field("/expires_at")) > time(taken.field("/expires_at")));
    assert_eq!(problem(&harness.renew(&harness.ada, &lease, fence + 1).await, 409), "lease-lost");

    harness.give_back(&harness.ada, &lease).await.expect(204);
    harness.give_back(&harness.ada, &lease).await.expect(204);
    assert_eq!(problem(&harness.renew(&harness.ada, &lease, fence).await, 409), "lease-lost");
    harness.seats(|seats| seats["in_use"] == 0).await;
    assert_eq!(harness.events("seat.lease_released").await.len(), 1);
    assert_eq!(harness.seat_rows().await, 0);
}

#[tokio::test]
async fn the_same_key_is_the_same_lease_until_it_has_ended() {
    let harness = Harness::new().await;
    let path = harness.at("seat-leases");
    assert_eq!(problem(&harness.ada.post(&path, json!({})).await, 400), "bad-header");
    let key = "the key of a first lease";

    assert_eq!(problem(&harness.take_seat_as(&harness.ada, key).await, 400), "bad-header");
    let key = key.replace(' ', "-");
    let first = harness.take_seat_as(&harness.ada, &key).await.expect(201);
    let again = harness.take_seat_as(&harness.ada, &key).await.expect(201);

    assert_eq!(first.body, again.body);
    assert_eq!(first.position(), again.position());
    harness.give_back(&harness.ada, &lease_of(&first).0).await.expect(204);
    let over = harness.take_seat_as(&harness.ada, &key).await;
    assert_eq!(problem(&over, 409), "lease-lost", "nothing is held under this key any more");
    assert_eq!(harness.seat_rows().await, 0);
}

#[tokio::test]
async fn on_another_device_one_takes_ones_own_lease_over() {
    let harness = Harness::new().await;
    let (first, fence) = harness.lease(&harness.ada).await;

    let other = harness.take_seat(&harness.ada).await;
    assert_eq!(problem(&other, 409), "seat-held");
    assert_eq!(other.field("/lease_id"), first);
    let (second, greater) = lease_of(&harness.take_over(&harness.ada, &first).await.expect(201));

    assert!(greater > fence);
    assert_ne!(first, second);
    assert_eq!(problem(&harness.renew(&harness.ada, &first, fence).await, 409), "lease-lost");
    assert_eq!(problem(&harness.take_over(&harness.ada, &first).await, 409), "lease-lost");
    harness.renew(&harness.ada, &second, greater).await.expect(200);
    let events = harness.events("seat.lease_taken_over").await;
    assert_eq!((&events[0]["from"], &events[0]["to"]), (&json!(first), &json!(second)));
    let seats = harness.seats(|seats| seats["leases"][0]["lease_id"] == *second).await;
    assert_eq!(seats["in_use"], 1);
    assert_eq!(harness.seat_rows().await, 1);
}

#[tokio::test]
async fn whoever_is_gone_loses_the_seat_when_its_time_is_over() {
    let harness = Harness::with(&[("seat_lease_seconds", "5"), ("seat_limit_default", "1")]).await;
    let bo = harness.member("bo", "operator").await;
    let (lease, fence) = harness.lease(&harness.ada).await;
    assert_eq!(problem(&harness.take_seat(&bo).await, 409), "seat-limit-reached");

    let taken = until("the seat is free", async || {
        Some(harness.take_seat(&bo).await).filter(|answer| answer.status == 201)
    })
    .await;

    assert!(lease_of(&taken).1 > fence);
    let expired = harness.events("seat.lease_expired").await;
    assert_eq!(expired[0]["lease"], lease);
    assert_eq!(problem(&harness.renew(&harness.ada, &lease, fence).await, 409), "lease-lost");
}

#[tokio::test]
async fn nobody_is_denied_for_a_lease_whose_time_is_over_even_where_no_worker_runs() {
    let settings = [("seat_lease_seconds", "1"), ("seat_limit_default", "1")];
    let installation = Installation::with(&settings).await;
    assert!(installation.run(&["migrate"]).await.status.success());
    let mut command = installation.command();
    command.arg("api");
    let api = TestServer::start(command).await;
    let (ada, bo) = (installation.stranger().await, installation.stranger().await);
    let [ada_asks, bo_asks] = [&ada.1, &bo.1].map(|token| api.client().bearing(token));
    let made = ada_asks.post("/v1/workspaces", json!({ "name": "Engines" })).await.expect(201);
    let workspace = made.field("/workspace_id");
    installation.join(&workspace, &bo.0, "operator").await;
    let path = format!("/v1/workspaces/{workspace}/seat-leases");
    let ask = async |who: &Client| {
        let key = Ids::system().uuid().to_string();
        who.call(Method::POST, &path).header("Idempotency-Key", &key).send().await
    };
    let first = lease_of(&ask(&ada_asks).await.expect(201));

    let second = until("the seat is free", async || {
        Some(ask(&bo_asks).await).filter(|answer| answer.status == 201)
    });
    let second = lease_of(&second.await);
    let third = until("one's own lease is over", async || {
        Some(ask(&bo_asks).await).filter(|answer| answer.status == 201)
    });
    let third = lease_of(&third.await);

    assert!(first.1 < second.1 && second.1 < third.1);
}
