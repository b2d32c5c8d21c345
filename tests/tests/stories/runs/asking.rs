//! Who may ask for a run, of what, and what becomes of what waits.

use serde_json::json;
use tests::{Person, RunHarness, until};

#[tokio::test]
async fn a_run_needs_a_seat_and_servers_that_are_ready() {
    let (harness, node) = RunHarness::new().await;
    let bob = Person::named("bob").settle(&node.client(), &harness.installation).await;
    let id = harness.workspace.rsplit('/').next().unwrap();
    harness.installation.join(id, &bob.account().await, "operator").await;
    let asks = json!({ "command": "true", "server_ids": [harness.server] });
    let key = ("Idempotency-Key", "0123456789abcdef");
    let ask = |body: &serde_json::Value| {
        bob.call("POST".parse().unwrap(), &harness.path("runs"))
            .header(key.0, key.1)
            .json(body)
            .send()
    };
    assert_eq!(ask(&asks).await.expect(409).field("/type"), "/problems/seat-needed");

    let keyless = harness.ada.post(&harness.path("runs"), &asks).await.expect(400);
    assert_eq!(keyless.field("/errors/0/header"), "Idempotency-Key");
    let place = json!({ "name": "bare", "host": "127.0.0.1", "port": 2222, "user": "root" });
    let bare = harness.post("servers", place).await.expect(201).field("/server_id");
    let nowhere = "00000000-0000-7000-8000-000000000000";
    let servers = [harness.server.as_str(), &bare, nowhere];
    let refused = harness.post("runs", json!({ "command": "true", "server_ids": servers })).await;
    let refused = refused.expect(422);
    assert_eq!(refused.field("/errors/0/pointer"), "/server_ids/1");
    assert_eq!(refused.field("/errors/1/pointer"), "/server_ids/2");

    for wrong in [
        json!({ "server_ids": [harness.server] }),
        json!({ "command": "true", "deployment_id": nowhere, "server_ids": [harness.server] }),
        json!({ "command": "true", "server_ids": [] }),
        json!({ "command": "true", "server_ids": [harness.server, harness.server] }),
        json!({ "deployment_id": nowhere, "server_ids": [harness.server] }),
        json!({ "command": "true", "server_ids": [harness.server], "timeout_seconds": 0 }),
        json!({ "command": "true", "server_ids": [harness.server], "secrets": { "A": "abc" } }),
    ] {
        harness.post("runs", wrong).await.expect(422);
    }
    let nowhere_to_run = json!({ "deployment_id": nowhere, "server_ids": [] });
    let refused = harness.post("runs", nowhere_to_run).await.expect(422);
    assert_eq!(refused.field("/errors/0/pointer"), "/server_ids");
    assert_eq!(refused.field("/errors/0/detail"), "this must be a list of 1 to 50 ids");
}

#[tokio::test]
async fn a_refused_request_leaves_no_secrets() {
    let (harness, _node) = RunHarness::new().await;
    let log = harness.installation.log().await;
    let kept = async || -> i64 {
        let kept = "select count(*) from working.run_secrets";
        log.query_one(kept, &[]).await.unwrap().get(0)
    };
    let secrets = json!({ "TOKEN": "correct-horse-battery-staple" });
    let twice = [&harness.server, &harness.server];
    let twice = json!({ "command": "true", "server_ids": twice, "secrets": secrets });
    harness.post("runs", twice).await.expect(422);
    assert_eq!(kept().await, 0);

    let run = harness.start("sleep 1000").await;
    harness.in_state(&run, "running").await;
    let again = json!({ "server_ids": [harness.server], "secrets": secrets });
    harness.post(&format!("{run}/retry"), again).await.expect(409);
    assert_eq!(kept().await, 0);
    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);
    harness.in_state(&run, "cancelled").await;
}

#[tokio::test]
async fn the_same_request_again_is_the_same_run() {
    let (harness, _node) = RunHarness::new().await;
    let asks = json!({ "command": "echo once >> ~/done", "server_ids": [harness.server] });
    let ask = || {
        let call = harness.ada.call("POST".parse().unwrap(), &harness.path("runs"));
        call.header("Idempotency-Key", "one-run-and-no-more").json(&asks).send()
    };

    let (first, second) = (ask().await.expect(201), ask().await.expect(201));

    assert_eq!(first.field("/run_id"), second.field("/run_id"));
    let run = format!("runs/{}", first.field("/run_id"));
    let shown = harness.in_state(&run, "succeeded").await;
    assert_eq!(shown["command"], "echo once >> ~/done");
    let done = std::fs::read_to_string(harness.sshd.home().join("done")).unwrap();
    assert_eq!(done, "once\n");
    let succeeded = format!("runs?state=succeeded&server_id={}", harness.server);
    let listed = until("the read side lists it", async || {
        let items = harness.get(&succeeded).await.expect(200).json()["items"].take();
        if items == json!([]) { Err(items) } else { Ok(items) }
    })
    .await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let none = harness.get("runs?state=failed").await.expect(200).json();
    assert_eq!(none["items"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_answered_without_a_seat_and_without_its_server() {
    let (harness, _node) = RunHarness::new().await;
    let send = async |path: &str, body: &serde_json::Value| {
        let call = harness.ada.call("POST".parse().unwrap(), &harness.path(path));
        call.header("Idempotency-Key", "one-run-and-no-more").json(body).send().await
    };
    let start = json!({ "command": "exit 1", "server_ids": [harness.server] });
    let retry = json!({ "server_ids": [harness.server] });
    let first = send("runs", &start).await.expect(201);
    let run = format!("runs/{}", first.field("/run_id"));
    harness.in_state(&run, "failed").await;
    let retried = send(&format!("{run}/retry"), &retry).await.expect(202);
    harness.in_state(&run, "failed").await;
    let lease = until("the seat is shown", async || {
        let seats = harness.get("seats").await;
        let lease = seats.json().pointer("/items/0/lease_id").cloned();
        lease.ok_or_else(|| seats.text())
    })
    .await;
    let lease = lease.as_str().unwrap();
    harness.ada.delete(&harness.path(&format!("seat-leases/{lease}"))).await.expect(204);
    let server = harness.path(&format!("servers/{}", harness.server));
    let etag = harness.ada.get(&server).await.expect(200).etag();
    let removes = harness.ada.call("DELETE".parse().unwrap(), &server);
    removes.header("If-Match", &etag).send().await.expect(204);

    let again = send("runs", &start).await.expect(201);
    let retried_again = send(&format!("{run}/retry"), &retry).await.expect(202);

    assert_eq!(again.field("/run_id"), first.field("/run_id"));
    assert_eq!(again.position(), first.position());
    assert_eq!(retried_again.position(), retried.position());
    let fresh = harness.post("runs", start).await.expect(409);
    assert_eq!(fresh.field("/type"), "/problems/seat-needed");
}

#[tokio::test]
async fn one_run_of_a_deployment_at_a_time_on_a_server() {
    let (harness, _node) = RunHarness::new().await;
    let steps = json!([
        { "name": "take", "command": "mkdir ~/lock" },
        { "name": "work", "command": "sleep 1" },
        { "name": "give", "command": "rmdir ~/lock" },
    ]);
    let made = json!({ "name": "release", "steps": steps });
    let path = format!("servers/{}", harness.server);
    let etag = harness.get(&path).await.expect(200).etag();
    let call =
        harness.ada.call("POST".parse().unwrap(), &harness.path(&format!("{path}/deployments")));
    let made = call.header("If-Match", &etag).json(made).send().await.expect(201);
    let asks =
        json!({ "deployment_id": made.field("/deployment_id"), "server_ids": [harness.server] });

    let runs = [
        harness.request(asks.clone()).await,
        harness.request(asks.clone()).await,
        harness.request(asks).await,
    ];

    for run in &runs {
        let shown = harness.in_state(run, "succeeded").await;
        assert_eq!(shown["steps"].as_array().unwrap().len(), 3, "{shown}");
        assert_eq!(harness.lines(run).await.len(), 3);
    }
}
