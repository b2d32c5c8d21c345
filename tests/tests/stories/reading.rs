//! Whoever has written something reads it at once, however far the readers of the log are.

use serde_json::json;
use tests::{Client, RunHarness, TestServer};

/// Two hundred with `LETHE_LONG=1`. Nothing is left to chance: nobody reads, from the first turn on.
fn turns() -> usize {
    if tests::long() { 200 } else { 50 }
}

/// An installation on which nobody reads the log any more.
async fn unread() -> (RunHarness, TestServer, Client) {
    let (given, node) = RunHarness::new().await;
    assert!(node.stop().await.success());
    let node = given.installation.api_node().await;
    let ada = given.ada.at(node.api());
    (given, node, ada)
}

#[tokio::test]
async fn an_account_that_is_read_and_then_changed_was_read_as_it_is() {
    let (_given, _node, ada) = unread().await;

    for turn in 0..turns() {
        let me = ada.get("/v1/me").await.expect(200);
        let name = json!({ "name": format!("Ada {turn}") });
        ada.patch("/v1/me", &me.etag(), name).await.expect(200);
        let agrees = json!({ "policy_version": turn + 1 });
        ada.put("/v1/me/consents/product_news", "*", agrees).await.expect(200);

        let consents = ada.get("/v1/me/consents").await.expect(200).json();
        assert_eq!(consents["items"][1]["policy_version"], turn + 1);
        assert_eq!(ada.get("/v1/me").await.expect(200).field("/name"), format!("Ada {turn}"));
    }
}

#[tokio::test]
async fn what_was_made_is_there() {
    let (given, _node, ada) = unread().await;
    let shows = async |location: &str| ada.get(location).await.expect(200);

    for turn in 0..turns() {
        let run = json!({ "command": "true", "server_ids": [given.server] });
        let made = ada.post_once(&given.path("runs"), run).await.expect(201);
        let found = shows(made.header("location").unwrap()).await;
        assert_eq!((found.field("/state"), found.etag()), ("queued".to_owned(), made.etag()));
        let cancel = format!("{}/cancel", made.header("location").unwrap());
        let cancelled = ada.post(&cancel, json!({})).await.expect(202);
        assert_eq!(cancelled.field("/state"), "cancelled", "{turn}");
        let lease = ada.get(&given.path("seats")).await.expect(200).field("/items/0/lease_id");
        ada.delete(&given.path(&format!("seat-leases/{lease}"))).await.expect(204);
        let leased = ada.post_once(&given.path("seat-leases"), json!({})).await.expect(201);
        let seats = shows(&given.path("seats")).await;
        assert_eq!(seats.field("/items/0/lease_id"), leased.field("/lease_id"));
        let made = ada.post("/v1/workspaces", json!({ "name": "Looms" })).await.expect(201);
        shows(made.header("location").unwrap()).await;
        shows(&format!("{}/seats", made.header("location").unwrap())).await;
    }
}
