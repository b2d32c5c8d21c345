//! How runs end: as the command did, as somebody asked, or when the time is over.

use serde_json::json;
use tests::{Rig, until};

#[tokio::test]
async fn an_exit_code_and_a_signal_are_told_as_they_were() {
    let (rig, _node) = Rig::new().await;
    let (exit, signal) = (rig.start("exit 3").await, rig.start("kill -9 $$").await);

    let ending = |shown: &serde_json::Value| shown["servers"][0]["ending"].clone();
    let shown = rig.in_state(&exit, "failed").await;
    let code = json!({ "kind": "failed", "failure": { "kind": "exit", "code": 3 } });
    assert_eq!(ending(&shown), code);
    let shown = rig.in_state(&signal, "failed").await;
    let number = json!({ "kind": "failed", "failure": { "kind": "signal", "number": 9 } });
    assert_eq!(ending(&shown), number);
}

#[tokio::test]
async fn a_run_has_its_time_and_no_more() {
    let (rig, _node) = Rig::new().await;
    let asks = json!({ "command": "sleep 1000", "servers": [rig.server], "timeout_seconds": 1 });
    let run = rig.ask(asks).await;

    rig.in_state(&run, "timed_out").await;

    let left = rig.sshd.processes().unwrap();
    assert!(left.iter().all(|process| !process.command.contains("sleep")), "{left:?}");
}

#[tokio::test]
async fn a_cancelled_run_leaves_nothing_and_one_that_waits_never_begins() {
    let (rig, _node) = Rig::with(&[("runs_per_server", "1")]).await;
    let running = rig.start("sleep 1000 & sleep 1001").await;
    rig.in_state(&running, "running").await;
    until("it sleeps", async || {
        let processes = rig.sshd.processes().unwrap();
        processes.iter().any(|process| process.command == "sleep 1001").then_some(())
    })
    .await;
    let waiting = rig.start("touch ~/began").await;
    rig.in_state(&waiting, "queued").await;

    rig.post(&format!("{waiting}/cancel"), json!({})).await.expect(202);
    rig.in_state(&waiting, "cancelled").await;
    rig.post(&format!("{running}/cancel"), json!({})).await.expect(202);
    rig.post(&format!("{running}/cancel"), json!({})).await;
    rig.in_state(&running, "cancelled").await;

    let left = rig.sshd.processes().unwrap();
    assert!(left.iter().all(|process| !process.command.contains("sleep 100")), "{left:?}");
    rig.post(&format!("{running}/cancel"), json!({})).await.expect(409);
    assert!(!rig.sshd.home().join("began").exists());
}

#[tokio::test]
async fn another_attempt_runs_and_the_first_ones_log_stays() {
    let (rig, _node) = Rig::new().await;
    let run = rig.start("echo tried; test -e ~/ready").await;
    rig.in_state(&run, "failed").await;
    std::fs::write(rig.sshd.home().join("ready"), "").unwrap();

    let again = rig.post(&format!("{run}/retry"), json!({})).await.expect(202);

    let position = again.position().to_string();
    let path = rig.path(&run);
    let least = rig.ada.call("GET".parse().unwrap(), &path).header("Lethe-Min-Position", &position);
    assert_eq!(least.send().await.expect(200).json()["servers"][0]["attempt"], 2);
    rig.in_state(&run, "succeeded").await;
    for attempt in [1, 2] {
        let log = rig.get(&format!("{}?attempt={attempt}", rig.log_of(&run))).await.expect(200);
        assert!(log.text().contains("tried"), "{}", log.text());
    }
    rig.get(&format!("{}?attempt=3", rig.log_of(&run))).await.expect(404);
    rig.post(&format!("{run}/retry"), json!({})).await.expect(409);
}

#[tokio::test]
async fn a_server_that_lets_nobody_in_fails_the_run_before_it_began() {
    let (rig, _node) = Rig::new().await;
    rig.sshd.deauthorize().unwrap();
    let run = rig.start("true").await;

    let shown = rig.in_state(&run, "failed").await;

    let failure = &shown["servers"][0]["ending"]["failure"];
    assert_eq!(failure, &json!({ "kind": "not_started", "obstacle": "authentication" }));
}
