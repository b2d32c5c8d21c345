//! Whoever has requested a run is removed from the workspace while it waits.

use serde_json::json;
use tests::{Person, RunHarness, until};

#[tokio::test]
async fn what_waits_begins_only_if_its_requester_belongs_to_the_workspace_then() {
    let (harness, node) = RunHarness::with(&[("runs_per_server", "1")]).await;
    let bob = Person::named("bob").settle(&node.client(), &harness.installation).await;
    let account = bob.account().await;
    let workspace = harness.workspace.rsplit('/').next().unwrap();
    harness.installation.join(workspace, &account, "operator").await;
    bob.post_once(&harness.path("seat-leases"), json!({})).await.expect(201);
    let running = harness.start("sleep 1000").await;
    harness.in_state(&running, "running").await;
    let body = json!({ "command": "touch ~/of-bob", "server_ids": [harness.server] });
    let requested = bob.post_once(&harness.path("runs"), body).await.expect(201);
    let of_bob = format!("runs/{}", requested.field("/run_id"));
    let of_ada = harness.start("touch ~/of-ada").await;
    harness.ada.delete(&harness.path(&format!("members/{account}"))).await.expect(204);
    for run in [&of_bob, &of_ada] {
        harness.in_state(run, "queued").await;
    }

    harness.post(&format!("{running}/cancel"), json!({})).await.expect(202);

    let ended = harness.in_state(&of_bob, "failed").await;
    let failure = json!({ "kind": "not_started", "obstacle": "requester_not_allowed" });
    assert_eq!(ended["servers"][0]["ending"]["failure"], failure, "{ended}");
    harness.in_state(&of_ada, "succeeded").await;
    let has_begun = |name: &str| harness.sshd.home().join(name).exists();
    assert!(has_begun("of-ada") && !has_begun("of-bob"));
    let log = harness.installation.log().await;
    until("no task is left", async || {
        let count = "select count(*) from working.run_tasks";
        log.query_one(count, &[]).await.unwrap().get::<_, i64>(0) == 0
    })
    .await;

    harness.post(&format!("{of_bob}/retry"), json!({})).await.expect(202);

    harness.in_state(&of_bob, "succeeded").await;
    assert!(has_begun("of-bob"), "another attempt is of whoever has requested it");
}
