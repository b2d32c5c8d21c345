//! A server whose address is changed while a command runs there: on the machine that has the address now nothing is
//! looked for, ended or started. And one that is removed meanwhile: nobody looks for the command any more.

use serde_json::json;
use tests::{LIMIT, RunHarness, Sshd, until};

#[tokio::test]
async fn a_command_is_looked_for_and_ended_only_where_it_was_started() {
    let (harness, _node) = RunHarness::with(&[("run_lost_seconds", "2")]).await;
    let other = Sshd::start().unwrap();
    let run = harness.start("echo began >> ~/began; sleep 3613").await;
    harness.is_at_work(&run).await;
    let sleeps = || {
        let processes = harness.sshd.processes().unwrap();
        processes.iter().any(|process| process.command == "sleep 3613")
    };
    until("it sleeps", async || sleeps().then_some(())).await;

    harness.move_to(&other).await;
    harness.sshd.kill_sessions().unwrap();

    assert_eq!(harness.ended(&run, LIMIT).await["state"], "lost");
    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);
    let log = harness.installation.log().await;
    let looked =
        "select count(*) from working.run_tasks where cancel and next_at > clock_timestamp()";
    until("it was looked for", async || {
        log.query_one(looked, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    assert_eq!(harness.ended(&run, LIMIT).await["state"], "lost");
    assert!(!other.home().join(".lethe").exists(), "nothing is done there");
    assert!(sleeps());

    harness.move_to(&harness.sshd).await;
    let look = "update working.run_tasks set next_at = null";
    assert_eq!(log.execute(look, &[]).await.unwrap(), 1);

    until("it is found and ended", async || {
        (harness.run(&run).await?["state"] == "cancelled").then_some(())
    })
    .await;
    assert!(!sleeps());
    let began = std::fs::read_to_string(harness.sshd.home().join("began")).unwrap();
    assert_eq!(began, "began\n");
}

#[tokio::test]
async fn what_may_run_on_a_server_that_is_removed_is_given_up() {
    let (harness, _node) = RunHarness::with(&[("run_lost_seconds", "2")]).await;
    let (lost, running) =
        (harness.start("sleep 3617").await, harness.start("sleep 3618; exit 3").await);
    harness.is_at_work(&lost).await;
    harness.is_at_work(&running).await;
    harness.sshd.stop().unwrap();
    assert_eq!(harness.ended(&lost, LIMIT).await["state"], "lost");
    assert_eq!(harness.ended(&running, LIMIT).await["state"], "lost");

    let server = harness.path(&format!("servers/{}", harness.server));
    let remove = harness.ada.call("DELETE".parse().unwrap(), &server).header("If-Match", "*");
    remove.send().await.expect(204);

    let log = harness.installation.log().await;
    until("no task is left", async || {
        log.query("select from working.run_tasks", &[]).await.unwrap().is_empty()
    })
    .await;
    let given_up = harness.installation.events("run.given_up").await;
    assert_eq!(given_up.len(), 2);
    assert!(given_up.iter().all(|event| event["by"].is_null()), "{given_up:?}");
    for run in [lost, running] {
        until("its log is over", async || {
            let shown = harness.run(&run).await?;
            let on = &shown["servers"][0];
            (shown["state"] == "lost" && on["settled"] == "given_up" && !on["log"].is_null())
                .then_some(())
        })
        .await;
        harness.post(&format!("{run}/cancel"), json!({})).await.expect(409);
    }
}
