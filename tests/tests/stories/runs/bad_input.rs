//! What does not fit is named, and nothing half is done.

use serde_json::{Value, json};
use tests::{Answer, LIMIT, RunHarness, TestServer, results, until};

struct InputHarness {
    harness: RunHarness,
    _node: TestServer,
}

impl InputHarness {
    async fn new() -> Self {
        let (harness, node) = RunHarness::with(&[("run_lost_seconds", "2")]).await;
        Self { harness, _node: node }
    }

    /// How many rows the queue and the secrets have, and how many runs were requested.
    async fn traces(&self) -> i64 {
        let all = "select (select count(*) from working.run_tasks)
            + (select count(*) from working.run_secrets)
            + (select count(*) from event_log.events where stream_type = 'run')";
        self.harness.installation.log().await.query_one(all, &[]).await.unwrap().get(0)
    }

    async fn request(&self, secrets: Value) -> Answer {
        let asks =
            json!({ "command": "true", "server_ids": [self.harness.server], "secrets": secrets });
        self.harness.post("runs", asks).await
    }
}

#[tokio::test]
async fn a_secret_that_no_shell_takes_or_that_is_far_too_long_is_named_and_leaves_nothing() {
    let given = InputHarness::new().await;
    let (fits, mebibyte) = ("correct-horse", "a".repeat(1024 * 1024));
    for (name, value, pointer) in [
        ("UID", json!(fits), "/secrets/UID"),
        ("1a", json!(fits), "/secrets/1a"),
        ("a-b", json!(fits), "/secrets"),
        ("", json!(fits), "/secrets"),
        ("a".repeat(101).as_str(), json!(fits), "/secrets"),
        ("SHORT", json!("abc"), "/secrets/SHORT"),
        ("NUMBER", json!(80), "/secrets/NUMBER"),
        ("LONG", json!(mebibyte), "/secrets/LONG"),
    ] {
        let refused = given.request(json!({ "TOKEN": fits, name: value })).await.expect(422);
        assert_eq!(refused.field("/errors/0/pointer"), pointer, "{name}");
        assert_eq!(refused.json()["errors"].as_array().unwrap().len(), 1);
    }
    let refused = given.request(json!({ "LONG": [&mebibyte, &mebibyte] })).await.expect(413);
    assert!(refused.field("/detail").contains("2 MiB"), "{}", refused.text());

    assert_eq!(given.traces().await, 0);
}

#[tokio::test]
async fn another_attempt_is_refused_for_the_same_and_leaves_the_run_as_it_is() {
    let given = InputHarness::new().await;
    let harness = &given.harness;
    let run = harness.start("exit 1").await;
    harness.in_state(&run, "failed").await;
    let log = harness.installation.log().await;
    until("its task is over", async || {
        log.query("select from working.run_tasks", &[]).await.unwrap().is_empty()
    })
    .await;
    let (before, traces) = (harness.run(&run).await.unwrap(), given.traces().await);
    let mebibyte = "a".repeat(1024 * 1024);
    for (body, pointer) in [
        (json!({ "secrets": { "UID": "correct-horse" } }), "/secrets/UID"),
        (json!({ "secrets": { "a-b": "correct-horse" } }), "/secrets"),
        (json!({ "secrets": { "LONG": mebibyte } }), "/secrets/LONG"),
        (json!({ "server_ids": ["engine"] }), "/server_ids"),
    ] {
        let refused = harness.post(&format!("{run}/retry"), body).await.expect(422);
        assert_eq!(refused.field("/errors/0/pointer"), pointer);
    }

    assert_eq!(given.traces().await, traces);
    assert_eq!(harness.run(&run).await.unwrap(), before);
}

#[tokio::test]
async fn a_server_that_moves_where_nobody_may_go_loses_its_run_and_gets_no_other() {
    let given = InputHarness::new().await;
    let harness = &given.harness;
    let run = harness.start("echo begun >> ~/begun; until [ -e ~/go ]; do sleep 0.05; done").await;
    let begun = harness.sshd.home().join("begun");
    until("it has begun", async || begun.exists()).await;
    until("it is known to run", async || {
        let shown = harness.run(&run).await?;
        (shown["servers"][0]["state"] == "running").then_some(())
    })
    .await;
    let server = harness.path(&format!("servers/{}", harness.server));
    let etag = harness.ada.get(&server).await.expect(200).etag();
    let moved = json!({ "host": "10.0.0.7", "port": 22, "user": harness.sshd.user() });
    harness.ada.put(&format!("{server}/address"), &etag, moved).await.expect(200);
    harness.sshd.kill_sessions().unwrap();

    let lost = harness.ended(&run, LIMIT).await;
    assert_eq!(lost["servers"][0]["ending"]["why"], "unreachable", "{lost}");
    assert_eq!(lost["servers"][0]["attempts_left"], json!([1]));
    let checked = harness.ada.post(&format!("{server}/check"), json!({})).await.expect(200).json();
    assert_eq!(checked["stages"][0]["stage"], "address");
    assert_eq!(results(&checked)[..2], ["failed", "not_tried"], "{checked}");
    let before = given.traces().await;
    let refused = given.request(json!({ "TOKEN": "correct-horse" })).await.expect(422);
    assert_eq!(refused.field("/errors/0/pointer"), "/server_ids/0");
    let again = json!({ "server_ids": [harness.server] });
    let refused = harness.post(&format!("{run}/retry"), again).await.expect(422);
    assert_eq!(refused.field("/errors/0/pointer"), "/server_ids/0");

    assert_eq!(given.traces().await, before);
    assert_eq!(std::fs::read_to_string(&begun).unwrap(), "begun\n");
    std::fs::write(harness.sshd.home().join("go"), "").unwrap();
}
