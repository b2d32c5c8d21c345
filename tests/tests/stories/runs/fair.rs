//! What one workspace asks for keeps no other one from beginning, and only so much of it waits.

use serde_json::json;
use tests::{Person, RunHarness, create_workspace, register_server, until};
use tokio_postgres::Client;

const ASKED_FOR: i64 = 200;

/// How many tasks of all workspaces are in this state.
async fn tasks(log: &Client, state: &str) -> i64 {
    let count = "select count(*) from working.run_tasks where state = $1";
    log.query_one(count, &[&state]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_workspace_that_asks_for_all_there_is_keeps_no_other_from_beginning() {
    let wide = [
        ("runs_per_node", "5"),
        ("runs_per_server", "1000"),
        ("runs_per_workspace", "1000"),
        ("runs_per_account", "1000"),
    ];
    let (harness, node) = RunHarness::with(&wide).await;
    for _ in 0..ASKED_FOR {
        harness.start("sleep 1000").await;
    }
    let log = harness.installation.log().await;
    let all = (4, ASKED_FOR - 4);
    let at_work = async || (tasks(&log, "running").await, tasks(&log, "queued").await);
    until("no slot is free but the one that is kept", async || at_work().await == all).await;
    let bob = Person::named("bob").settle(&node.client(), &harness.installation).await;
    let looms = create_workspace(&bob, "Looms").await;
    bob.post_once(&format!("{looms}/seat-leases"), json!({})).await.expect(201);
    let server = register_server(&bob, &looms, &harness.sshd, harness.sshd.port()).await;

    let body = json!({ "command": "true", "server_ids": [server] });
    let run = bob.post_once(&format!("{looms}/runs"), body).await.expect(201).field("/run_id");

    until("the run of the other workspace has succeeded", async || {
        let shown = bob.get(&format!("{looms}/runs/{run}")).await;
        (shown.status == 200 && shown.field("/state") == "succeeded").then_some(())
    })
    .await;
    until("its task is over", async || at_work().await == all).await;
}

#[tokio::test]
async fn what_is_requested_beyond_what_may_wait_is_refused_and_leaves_nothing() {
    let few = [("runs_queued_per_workspace", "3"), ("runs_per_workspace", "1")];
    let (harness, node) = RunHarness::with(&few).await;
    let log = harness.installation.log().await;
    let secrets = json!({ "TOKEN": "correct-horse-battery-staple" });
    let asks = json!({ "command": "true", "server_ids": [harness.server], "secrets": secrets });
    let running = harness.start("sleep 1000").await;
    harness.in_state(&running, "running").await;
    let first = harness.start("true").await;
    for _ in 0..2 {
        harness.start("true").await;
    }
    until("three wait", async || tasks(&log, "queued").await == 3).await;

    let refused = harness.post("runs", asks.clone()).await.expect(429);

    assert_eq!(refused.field("/type"), "/problems/quota-reached");
    let shown = refused.json();
    assert_eq!((&shown["waiting"], &shown["limit"]), (&json!(3), &json!(3)));
    assert_eq!(refused.header("retry-after"), Some("30"));
    assert_eq!(harness.installation.events("run.requested").await.len(), 4);
    let kept = "select count(*) from working.run_secrets";
    assert_eq!(log.query_one(kept, &[]).await.unwrap().get::<_, i64>(0), 0);

    harness.post(&format!("{first}/cancel"), json!({})).await.expect(202);
    until("two wait", async || tasks(&log, "queued").await == 2).await;
    harness.post("runs", asks).await.expect(201);
    until("three wait again", async || tasks(&log, "queued").await == 3).await;
    let refused = harness.post(&format!("{first}/retry"), json!({})).await.expect(429);
    assert_eq!(refused.field("/type"), "/problems/quota-reached");
    let metrics = reqwest::get(node.metrics()).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("\nlethe_run_quotas_reached_total 2\n"), "{metrics}");
}
