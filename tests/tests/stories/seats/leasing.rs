//! One lease a person, under a fence that grows.

use chrono::{DateTime, Utc};
use infra::ids::Ids;
use reqwest::Method;
use serde_json::json;
use tests::{Client, Installation, TestServer, until};

use super::house::{House, held, problem};

#[tokio::test]
async fn a_seat_is_leased_shown_renewed_and_given_back() {
    let house = House::new().await;
    let asked = house.ask(&house.ada).await.expect(201);
    let (lease, fence) = held(&asked);
    assert_eq!(asked.json()["ttl_seconds"], 120);
    assert_eq!(asked.header("location"), Some(&*house.path(&format!("seat-leases/{lease}"))));

    let position = asked.position().to_string();
    let seats = house.ada.saying("Lethe-Min-Position", &position).get(&house.path("seats")).await;
    let seats = seats.expect(200).json();
    assert_eq!((&seats["limit"], &seats["in_use"]), (&json!(5), &json!(1)));
    let shown = &seats["leases"][0];
    assert_eq!((&shown["lease_id"], &shown["fence"]), (&json!(lease), &json!(fence)));
    assert_eq!((&shown["own"], &shown["expires_at"]), (&json!(true), &asked.json()["expires_at"]));
    assert_eq!(shown["account_id"], house.ada.account().await);

    let time = |text: String| text.parse::<DateTime<Utc>>().unwrap();
    let renewed = house.renew(&house.ada, &lease, fence).await.expect(200);
    assert!(time(renewed.field("/expires_at")) > time(asked.field("/expires_at")));
    assert_eq!(problem(&house.renew(&house.ada, &lease, fence + 1).await, 409), "lease-lost");

    house.give_back(&house.ada, &lease).await.expect(204);
    house.give_back(&house.ada, &lease).await.expect(204);
    assert_eq!(problem(&house.renew(&house.ada, &lease, fence).await, 409), "lease-lost");
    house.seats(|seats| seats["in_use"] == 0).await;
    assert_eq!(house.told("seat.lease_released").await.len(), 1);
    assert_eq!(house.rows().await, 0);
}

#[tokio::test]
async fn the_same_key_is_the_same_lease_until_it_has_ended() {
    let house = House::new().await;
    let path = house.path("seat-leases");
    assert_eq!(problem(&house.ada.post(&path, json!({})).await, 400), "bad-header");
    let key = "the key of a first lease";

    assert_eq!(problem(&house.ask_again(&house.ada, key).await, 400), "bad-header");
    let key = key.replace(' ', "-");
    let first = house.ask_again(&house.ada, &key).await.expect(201);
    let again = house.ask_again(&house.ada, &key).await.expect(201);

    assert_eq!(first.body, again.body);
    assert_eq!(first.position(), again.position());
    house.give_back(&house.ada, &held(&first).0).await.expect(204);
    let over = house.ask_again(&house.ada, &key).await;
    assert_eq!(problem(&over, 409), "lease-lost", "nothing is held under this key any more");
    assert_eq!(house.rows().await, 0);
}

#[tokio::test]
async fn on_another_device_one_takes_ones_own_lease_over() {
    let house = House::new().await;
    let (first, fence) = house.lease(&house.ada).await;

    let other = house.ask(&house.ada).await;
    assert_eq!(problem(&other, 409), "seat-held");
    assert_eq!(other.field("/lease_id"), first);
    let (second, greater) = held(&house.take_over(&house.ada, &first).await.expect(201));

    assert!(greater > fence);
    assert_ne!(first, second);
    assert_eq!(problem(&house.renew(&house.ada, &first, fence).await, 409), "lease-lost");
    assert_eq!(problem(&house.take_over(&house.ada, &first).await, 409), "lease-lost");
    house.renew(&house.ada, &second, greater).await.expect(200);
    let told = house.told("seat.lease_taken_over").await;
    assert_eq!((&told[0]["from"], &told[0]["to"]), (&json!(first), &json!(second)));
    let seats = house.seats(|seats| seats["leases"][0]["lease_id"] == *second).await;
    assert_eq!(seats["in_use"], 1);
    assert_eq!(house.rows().await, 1);
}

#[tokio::test]
async fn whoever_is_gone_loses_the_seat_when_its_time_is_over() {
    let house = House::with(&[("seat_lease_seconds", "5"), ("seat_limit_default", "1")]).await;
    let bo = house.colleague("bo", "operator").await;
    let (lease, fence) = house.lease(&house.ada).await;
    assert_eq!(problem(&house.ask(&bo).await, 409), "seat-limit-reached");

    let taken = until("the seat is free", async || {
        Some(house.ask(&bo).await).filter(|answer| answer.status == 201)
    })
    .await;

    assert!(held(&taken).1 > fence);
    let expired = house.told("seat.lease_expired").await;
    assert_eq!(expired[0]["lease"], lease);
    assert_eq!(problem(&house.renew(&house.ada, &lease, fence).await, 409), "lease-lost");
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
    let first = held(&ask(&ada_asks).await.expect(201));

    let second = until("the seat is free", async || {
        Some(ask(&bo_asks).await).filter(|answer| answer.status == 201)
    });
    let second = held(&second.await);
    let third = until("one's own lease is over", async || {
        Some(ask(&bo_asks).await).filter(|answer| answer.status == 201)
    });
    let third = held(&third.await);

    assert!(first.1 < second.1 && second.1 < third.1);
}
