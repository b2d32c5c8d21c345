//! A workspace is deleted while a command runs on its server.

use reqwest::Method;
use serde_json::json;
use tests::{Answer, Client, Person, RunHarness, until};

fn sleeping(harness: &RunHarness, command: &str) -> usize {
    let processes = harness.sshd.processes().unwrap();
    processes.iter().filter(|process| process.command.contains(command)).count()
}

/// Starts it, requests the deletion of its workspace, and answers the claim code.
async fn delete_while_it_runs(harness: &RunHarness, command: &str, sleeps: usize) -> String {
    let run = harness.start(command).await;
    harness.in_state(&run, "running").await;
    until("it sleeps", async || (sleeping(harness, "sleep 36") >= sleeps).then_some(())).await;
    delete(harness).await
}

async fn delete(harness: &RunHarness) -> String {
    let asks = json!({ "password": Person::named("ada").password, "grace_days": 0 });
    let deletes = harness.ada.call(Method::POST, &harness.path("deletion")).header("If-Match", "*");
    deletes.json(asks).send().await.expect(202).field("/claim_code")
}

async fn completed(client: &Client, code: &str) -> Answer {
    until("the erasure is complete", async || {
        let proof = client.get(&format!("/v1/erasures/{code}")).await.expect(200);
        matches!(&*proof.field("/state"), "completed" | "backup_proven").then_some(proof)
    })
    .await
}

#[tokio::test]
async fn what_runs_is_ended_before_the_keys_of_its_workspace_are_erased() {
    let (harness, _node) = RunHarness::new().await;
    let code = delete_while_it_runs(&harness, "sleep 3600 & sleep 3601", 2).await;

    let proof = completed(&harness.ada, &code).await;

    assert_eq!(sleeping(&harness, "sleep 36"), 0);
    assert_eq!(proof.json()["certificate"]["runs_not_ended"], json!([]));
    assert!(proof.field("/certificate/statement").contains("were not ended are in runs_not_ended"));
}

#[tokio::test]
async fn a_node_that_is_killed_as_it_ends_the_runs_of_a_workspace_leaves_them_to_another() {
    let (harness, node) = RunHarness::new().await;
    let second = harness.installation.node().await;
    // It takes the ten seconds between TERM and KILL.
    let code = delete_while_it_runs(&harness, "trap '' TERM; sleep 3602", 1).await;

    node.kill();

    let proof = completed(&harness.ada.at(second.api()), &code).await;
    assert_eq!(sleeping(&harness, "sleep 3602"), 0);
    assert_eq!(proof.json()["certificate"]["runs_not_ended"], json!([]));
}

#[tokio::test]
async fn a_lost_attempt_is_ended_though_a_later_one_came_to_nothing() {
    let (harness, _node) = RunHarness::with(&[("run_lost_seconds", "2")]).await;
    let run = harness.start("sleep 3603").await;
    harness.in_state(&run, "running").await;
    until("it sleeps", async || (sleeping(&harness, "sleep 36") >= 1).then_some(())).await;
    harness.lose_and_cancel_the_next(&run).await;
    assert!(sleeping(&harness, "sleep 3603") >= 1);
    harness.sshd.restart().unwrap();

    let proof = completed(&harness.ada, &delete(&harness).await).await;

    assert_eq!(sleeping(&harness, "sleep 3603"), 0);
    assert_eq!(proof.json()["certificate"]["runs_not_ended"], json!([]));
}
