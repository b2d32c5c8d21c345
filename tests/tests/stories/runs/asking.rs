//! Who may ask for a run, of what, and what becomes of what waits.

use serde_json::json;
use tests::{Person, Rig};

#[tokio::test]
async fn a_run_needs_a_seat_and_servers_that_are_ready() {
    let (rig, node) = Rig::new().await;
    let bob = Person::named("bob").settle(&node.client(), &rig.installation).await;
    let id = rig.workspace.rsplit('/').next().unwrap();
    rig.installation.join(id, &bob.account().await, "operator").await;
    let asks = json!({ "command": "true", "servers": [rig.server] });
    let key = ("Idempotency-Key", "0123456789abcdef");
    let ask = |body: &serde_json::Value| {
        bob.call("POST".parse().unwrap(), &rig.path("runs")).header(key.0, key.1).json(body).send()
    };
    assert_eq!(ask(&asks).await.expect(409).field("/type"), "/problems/seat-needed");

    let keyless = rig.ada.post(&rig.path("runs"), &asks).await.expect(400);
    assert_eq!(keyless.field("/errors/0/header"), "Idempotency-Key");
    let place = json!({ "name": "bare", "host": "127.0.0.1", "port": 2222, "user": "root" });
    let bare = rig.post("servers", place).await.expect(201).field("/server_id");
    let nowhere = "00000000-0000-7000-8000-000000000000";
    let servers = [rig.server.as_str(), &bare, nowhere];
    let refused = rig.post("runs", json!({ "command": "true", "servers": servers })).await;
    let refused = refused.expect(422);
    assert_eq!(refused.field("/errors/0/pointer"), "/servers/1");
    assert_eq!(refused.field("/errors/1/pointer"), "/servers/2");

    for wrong in [
        json!({ "servers": [rig.server] }),
        json!({ "command": "true", "deployment": nowhere, "servers": [rig.server] }),
        json!({ "command": "true", "servers": [] }),
        json!({ "command": "true", "servers": [rig.server, rig.server] }),
        json!({ "deployment": nowhere, "servers": [rig.server] }),
        json!({ "command": "true", "servers": [rig.server], "timeout_seconds": 0 }),
        json!({ "command": "true", "servers": [rig.server], "secrets": { "A": "abc" } }),
    ] {
        rig.post("runs", wrong).await.expect(422);
    }
}

#[tokio::test]
async fn the_same_request_again_is_the_same_run() {
    let (rig, _node) = Rig::new().await;
    let asks = json!({ "command": "echo once >> ~/done", "servers": [rig.server] });
    let ask = || {
        let call = rig.ada.call("POST".parse().unwrap(), &rig.path("runs"));
        call.header("Idempotency-Key", "one-run-and-no-more").json(&asks).send()
    };

    let (first, second) = (ask().await.expect(201), ask().await.expect(201));

    assert_eq!(first.field("/run_id"), second.field("/run_id"));
    let run = format!("runs/{}", first.field("/run_id"));
    let shown = rig.in_state(&run, "succeeded").await;
    assert_eq!(shown["command"], "echo once >> ~/done");
    let done = std::fs::read_to_string(rig.sshd.home().join("done")).unwrap();
    assert_eq!(done, "once\n");
    let listed = rig.get(&format!("runs?state=succeeded&server={}", rig.server)).await.expect(200);
    assert_eq!(listed.json()["items"].as_array().unwrap().len(), 1);
    let none = rig.get("runs?state=failed").await.expect(200).json();
    assert_eq!(none["items"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn one_run_of_a_deployment_at_a_time_on_a_server() {
    let (rig, _node) = Rig::new().await;
    let steps = json!([
        { "name": "take", "command": "mkdir ~/lock" },
        { "name": "work", "command": "sleep 1" },
        { "name": "give", "command": "rmdir ~/lock" },
    ]);
    let made = json!({ "name": "release", "steps": steps });
    let path = format!("servers/{}", rig.server);
    let etag = rig.get(&path).await.expect(200).etag();
    let call = rig.ada.call("POST".parse().unwrap(), &rig.path(&format!("{path}/deployments")));
    let made = call.header("If-Match", &etag).json(made).send().await.expect(201);
    let asks = json!({ "deployment": made.field("/deployment_id"), "servers": [rig.server] });

    let runs = [rig.ask(asks.clone()).await, rig.ask(asks.clone()).await, rig.ask(asks).await];

    for run in &runs {
        let shown = rig.in_state(run, "succeeded").await;
        assert_eq!(shown["steps"].as_array().unwrap().len(), 3, "{shown}");
        assert_eq!(rig.lines(run).await.len(), 3);
    }
}
