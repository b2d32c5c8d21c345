//! One lease a person, under a fence that grows.

use chrono::{DateTime, Utc};
use infra::ids::Ids;
use reqwest::Method;
use serde_json::json;
use tests::{Answer, Client, Harness, Installation, Person, TestServer, lease_of, problem, until};

#[tokio::test]
async fn a_seat_is_leased_shown_renewed_and_given_back() {
    let harness = Harness::new().await;
    let taken = harness.take_seat(&harness.ada).await.expect(201);
    let (lease, fence) = lease_of(&taken);
    assert_eq!(taken.header("location"), Some(&*harness.at(&format!("seat-leases/{lease}"))));

    let seats = harness.ada.get_at(&harness.at("seats"), &taken.position()).await;
    let seats = seats.expect(200).json();
    assert_eq!((&seats["limit"], &seats["in_use"]), (&json!(5), &json!(1)));
    let shown = &seats["items"][0];
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
    harness.seat_rows(0).await;
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
    harness.seat_rows(0).await;

    let (next, fence) = harness.lease(&harness.ada).await;
    let over = harness.take_seat_as(&harness.ada, &key).await;
    assert_eq!(problem(&over, 409), "lease-lost", "what is held has another key");
    harness.seat_rows(1).await;
    harness.renew(&harness.ada, &next, fence).await.expect(200);
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
    let seats = harness.seats(|seats| seats["items"][0]["lease_id"] == *second).await;
    assert_eq!(seats["in_use"], 1);
    harness.seat_rows(1).await;
}

#[tokio::test]
async fn whoever_is_gone_loses_the_seat_when_its_time_is_over() {
    let settings = [("seat_lease_seconds", "600"), ("seat_limit_default", "1")];
    let harness = Harness::with(&settings).await;
    let bo = harness.member("bo", "operator").await;
    let (lease, fence) = harness.lease(&harness.ada).await;
    assert_eq!(problem(&harness.take_seat(&bo).await, 409), "seat-limit-reached");

    harness.end_lease(&lease).await;
    let taken = until("the seat is free", async || {
        Some(harness.take_seat(&bo).await).filter(|answer| answer.status == 201)
    })
    .await;

    assert!(lease_of(&taken).1 > fence);
    let expired = harness.events("seat.lease_expired").await;
    assert_eq!(expired[0]["lease"], lease);
    assert_eq!(problem(&harness.renew(&harness.ada, &lease, fence).await, 409), "lease-lost");
}

/// A node that only serves the API: no worker ends leases whose time is over. Its settings say how
/// many seats there are.
struct ApiOnly {
    installation: Installation,
    api: TestServer,
    ada: Client,
    workspace: String,
}

impl ApiOnly {
    async fn with(seats: &str) -> Self {
        let settings = [("seat_lease_seconds", "1"), ("seat_limit_default", seats)];
        let installation = Installation::with(&settings).await;
        let whole = installation.node().await;
        let ada = Person::named("ada").settle(&whole.client(), &installation).await;
        whole.stop().await;
        let api = installation.api_node().await;
        let ada = ada.at(api.client().base());
        let made = ada.post("/v1/workspaces", json!({ "name": "Engines" })).await.expect(201);
        let workspace = made.field("/workspace_id");
        Self { installation, api, ada, workspace }
    }

    async fn member(&self) -> Client {
        let bo = Person::named("bo");
        let account = bo.register(&self.api.client()).await;
        self.installation.join(&self.workspace, &account, "operator").await;
        bo.sign_in(&self.api.client()).await
    }

    async fn ask(&self, who: &Client) -> Answer {
        let path = format!("/v1/workspaces/{}/seat-leases", self.workspace);
        let key = Ids::system().uuid().to_string();
        who.call(Method::POST, &path).header("Idempotency-Key", &key).send().await
    }

    /// The seat that is given in the end, and its fence.
    async fn obtain(&self, who: &Client) -> (String, u64) {
        let given = until("a seat is given", async || {
            Some(self.ask(who).await).filter(|answer| answer.status == 201)
        });
        lease_of(&given.await)
    }
}

#[tokio::test]
async fn nobody_is_denied_for_a_lease_whose_time_is_over_even_where_no_worker_runs() {
    let node = ApiOnly::with("1").await;
    let bo = node.member().await;
    let first = lease_of(&node.ask(&node.ada).await.expect(201));

    let second = node.obtain(&bo).await;
    let third = node.obtain(&bo).await;

    assert!(first.1 < second.1 && second.1 < third.1);
}

#[tokio::test]
async fn ones_own_lease_whose_time_is_over_is_ended_though_other_seats_are_free() {
    let node = ApiOnly::with("5").await;
    let first = lease_of(&node.ask(&node.ada).await.expect(201));

    let second = node.obtain(&node.ada).await;

    assert!(first.1 < second.1);
    let expired = node.installation.events("seat.lease_expired").await;
    assert_eq!(expired.len(), 1);
    assert_eq!(expired[0]["lease"], first.0);
}

#[tokio::test]
async fn a_seat_whose_time_is_over_is_no_seat_even_where_no_worker_runs() {
    let node = ApiOnly::with("5").await;
    node.ask(&node.ada).await.expect(201);
    let path = format!("/v1/workspaces/{}/runs", node.workspace);
    let body = json!({ "command": "true", "server_ids": [Ids::system().uuid()] });

    let refused = until("the lease is over", async || {
        Some(node.ada.post_once(&path, &body).await).filter(|answer| answer.status == 409)
    });

    assert_eq!(problem(&refused.await, 409), "seat-needed");
    assert_eq!(node.installation.events("seat.lease_expired").await.len(), 0);
}
