//! The deletion of a workspace is requested while its runs wait.

use reqwest::Method;
use serde_json::json;
use tests::{Person, RunHarness, create_workspace, register_server};

#[tokio::test]
async fn what_waits_begins_only_once_the_deletion_of_its_workspace_is_cancelled() {
    let (harness, _node) = RunHarness::with(&[("runs_per_server", "1")]).await;
    let running = harness.start("sleep 1000").await;
    harness.in_state(&running, "running").await;
    let waiting = harness.start("true").await;
    harness.in_state(&waiting, "queued").await;
    let asks = json!({ "password": Person::named("ada").password, "grace_days": 3 });
    let deletes = harness.ada.call(Method::POST, &harness.path("deletion")).header("If-Match", "*");
    deletes.json(asks).send().await.expect(202);

    harness.post(&format!("{running}/cancel"), json!({})).await.expect(202);

    harness.in_state(&running, "cancelled").await;
    // Whatever node takes this one has looked at all that waits.
    let other = create_workspace(&harness.ada, "Looms").await;
    harness.ada.post_once(&format!("{other}/seat-leases"), json!({})).await.expect(201);
    let server = register_server(&harness.ada, &other, &harness.sshd, harness.sshd.port()).await;
    let ada = harness.ada.clone();
    let body = json!({ "command": "true", "server_ids": [server] });
    let later = ada.post_once(&format!("{other}/runs"), body).await.expect(201).field("/run_id");
    tests::until("the later run ends", async || {
        let shown = ada.get(&format!("{other}/runs/{later}")).await;
        (shown.status == 200 && shown.field("/state") == "succeeded").then_some(())
    })
    .await;
    let dispatched = "select count(*) from event_log.events
        where event_type = 'run.dispatched' and stream_id = $1";
    let id: uuid::Uuid = waiting.rsplit('/').next().unwrap().parse().unwrap();
    let log = harness.installation.log().await;
    assert_eq!(log.query_one(dispatched, &[&id]).await.unwrap().get::<_, i64>(0), 0);
    harness.in_state(&waiting, "queued").await;

    harness.ada.delete(&harness.path("deletion")).await.expect(204);
    harness.in_state(&waiting, "succeeded").await;
}
