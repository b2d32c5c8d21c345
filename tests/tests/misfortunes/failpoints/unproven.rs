//! Kills while a start that was sent is forbidden, and while it is not proven that a run has ended.

use std::time::Duration;

use serde_json::json;
use tests::{BlindSshd, RunHarness, TestServer, until};

use super::crash::{Kill, Report};
use super::requests::Request;

const LIMIT: Duration = Duration::from_mins(2);

fn cancel(harness: &RunHarness, run: &str) -> Request {
    let path = harness.path(&format!("{run}/cancel"));
    let request = Request::post(&harness.ada, &path, json!({})).or(&[202]);
    request.moving().appends("run.cancel_requested")
}

/// A node dies before it sends a start, and another one once the server starts the cancelled command no more: the next
/// one says that it was cancelled.
pub async fn forbid(report: &mut Report, harness: &mut RunHarness, node: TestServer) -> TestServer {
    let name = "forbidden";
    let command = format!("echo started >> ~/{name}");
    let body = json!({ "command": command, "server_ids": [harness.server] });
    let request = Request::post(&harness.ada, &harness.path("runs"), body);
    let requests = vec![request.moving().appends("run.requested")];
    assert!(node.stop().await.success());
    report.die(&harness.installation, "run.launching", &[], requests).await;
    let log = harness.installation.log().await;
    let task = log.query_one("select run_id::text from working.run_tasks", &[]).await.unwrap();
    let run = format!("runs/{}", task.get::<_, String>(0));

    // Nobody looks for the start before it is cancelled.
    harness.sshd.stop().unwrap();
    let installation = &harness.installation;
    let requests = vec![cancel(harness, &run)];
    let dying = report.die(installation, "run.forbidden", &[], requests);
    let letting_in = async {
        let cancelled = "select count(*) from working.run_tasks where cancel";
        until("its task is cancelled", async || {
            log.query_one(cancelled, &[]).await.unwrap().get::<_, i64>(0) == 1
        })
        .await;
        harness.sshd.restart().unwrap();
    };
    tokio::join!(dying, letting_in);

    let node = installation.node().await;
    harness.ada = harness.ada.at(node.api());
    let shown = harness.ended(&run, LIMIT).await;
    assert_eq!(shown["state"], "cancelled", "{shown}");
    assert!(!harness.sshd.home().join(name).exists(), "it was started");
    node
}

/// An end that is not proven is in the log once, and so is the proof, wherever a node dies.
pub async fn leave(report: &mut Report, harness: &mut RunHarness, node: TestServer) -> TestServer {
    let far = BlindSshd::start();
    let usual = harness.server.clone();
    harness.ada = harness.ada.at(node.api());
    harness.server = harness.register(&far.sshd, far.sshd.port()).await;
    let run = harness.start("sleep 3619").await;
    harness.is_at_work(&run).await;
    until("it sleeps", async || far.runs("sleep 3619").then_some(())).await;
    far.blind();
    let log = harness.installation.log().await;
    let tried = "update working.run_tasks set kill_tries = 13";
    assert_eq!(log.execute(tried, &[]).await.unwrap(), 1);

    assert!(node.stop().await.success());
    let requests = vec![cancel(harness, &run)];
    report.die(&harness.installation, "run.left", &[], requests).await;
    let node = harness.installation.node().await;
    harness.ada = harness.ada.at(node.api());
    assert_eq!(harness.ended(&run, LIMIT).await["state"], "unproven");
    let left = "select count(*) from working.run_tasks
        where state = 'lost' and next_at > clock_timestamp() + interval '50 minutes'";
    until("nobody holds a slot for it", async || {
        log.query_one(left, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    assert_eq!(harness.installation.events("run.cancelled").await.last().unwrap()["proven"], false);

    far.see();
    let requests = vec![cancel(harness, &run)];
    let events = &[("run.cancel_requested", 1), ("run.proven_gone", 1), ("run.cancelled", 0)];
    let kill = Kill { failpoint: "run.proven_gone", requests, settings: &[], events };
    let (node, _) = report.kill(&harness.installation, node, kill).await;
    harness.ada = harness.ada.at(node.api());
    assert_eq!(harness.ended(&run, LIMIT).await["state"], "cancelled");
    assert!(!far.runs("sleep 3619"));
    harness.server = usual;
    node
}
