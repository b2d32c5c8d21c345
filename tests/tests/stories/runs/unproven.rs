//! Runs whose end cannot be proven: they end so, wait for the proof without a slot, and have it in the end.

use std::fs;
use std::process::Command;

use serde_json::json;
use tests::{BlindSshd, LIMIT, RunHarness, until};

/// A run whose processes nobody can prove to be gone, after all kills but one.
async fn blind_at_work(harness: &mut RunHarness) -> (BlindSshd, String) {
    let (far, run) = at_work(harness, "sleep 3614").await;
    far.blind();
    (far, run)
}

/// A run that sleeps on a server of its own, after all kills but one.
async fn at_work(harness: &mut RunHarness, sleep: &str) -> (BlindSshd, String) {
    let far = BlindSshd::start();
    harness.server = harness.register(&far.sshd, far.sshd.port()).await;
    let run = harness.start(&format!("echo begun; {sleep}; true")).await;
    harness.is_at_work(&run).await;
    until("it sleeps", async || far.runs(sleep).then_some(())).await;
    let tried = "update working.run_tasks set kill_tries = 13";
    let log = harness.installation.log().await;
    assert_eq!(log.execute(tried, &[]).await.unwrap(), 1);
    (far, run)
}

#[tokio::test]
async fn a_cancelled_run_that_may_go_on_says_so_and_holds_no_slot_until_it_is_proven_to_be_gone() {
    let (mut harness, _node) = RunHarness::with(&[("runs_per_server", "1")]).await;
    let (far, run) = blind_at_work(&mut harness).await;

    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);

    let shown = harness.in_state(&run, "unproven").await;
    let on = &shown["servers"][0];
    let ending = json!({ "kind": "cancelled", "forced": false, "proven": false });
    assert_eq!(on["ending"], ending, "{shown}");
    assert_eq!((&on["left"]["why"], &on["attempts_left"]), (&json!("no_tool"), &json!([1])));
    let log = harness.installation.log().await;
    let hours = "select round(extract(epoch from next_at - clock_timestamp()) / 3600)::text
        from working.run_tasks where state = 'lost' and kill_tries = 14 and secrets_id is null";
    until("its row waits for an hour", async || {
        let rows = log.query(hours, &[]).await.unwrap();
        rows.first().is_some_and(|row| row.get::<_, String>(0) == "1")
    })
    .await;
    far.see();
    let other = harness.start("true").await;
    harness.in_state(&other, "succeeded").await;
    assert_eq!(harness.run(&run).await.unwrap()["state"], "unproven");

    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);

    until("it is proven to be gone", async || {
        (harness.run(&run).await?["state"] == "cancelled").then_some(())
    })
    .await;
    assert_eq!(harness.installation.events("run.proven_gone").await.len(), 1);
    until("its row is deleted", async || {
        log.query("select from working.run_tasks", &[]).await.unwrap().is_empty()
    })
    .await;
    assert!(!far.runs("sleep 3614"));
    harness.post(&format!("{run}/cancel"), json!({})).await.expect(409);
}

#[tokio::test]
async fn a_cancelled_run_whose_server_answers_no_kill_ends_without_a_proof() {
    let (mut harness, _node) = RunHarness::new().await;
    let (far, run) = at_work(&mut harness, "sleep 3620").await;
    far.hang_up_on_kills();

    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);

    let shown = harness.in_state(&run, "unproven").await;
    assert_eq!(shown["servers"][0]["left"]["why"], "no_tool", "{shown}");
    assert!(far.runs("sleep 3620"));

    far.answer_kills();
    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);
    until("it is proven to be gone", async || {
        (harness.run(&run).await?["state"] == "cancelled").then_some(())
    })
    .await;
    assert!(!far.runs("sleep 3620"));
}

/// Its keeper and its first process were killed, as by a kernel that is out of memory, and nobody knows of the others.
#[tokio::test]
async fn a_command_that_has_gone_without_a_note_may_run_until_nothing_of_it_is_left() {
    let (mut harness, _node) = RunHarness::new().await;
    let (far, run) = at_work(&mut harness, "sleep 3621").await;
    far.blind_and_behead();
    far.sshd.kill_sessions().unwrap();

    let shown = harness.in_state(&run, "lost").await;

    let on = &shown["servers"][0];
    assert_eq!((&on["ending"]["why"], &on["attempts_left"]), (&json!("unknown"), &json!([1])));
    let log = harness.installation.log().await;
    let left = "select from working.run_tasks where state = 'lost' and kill_tries = 14";
    until("its row stays", async || log.query(left, &[]).await.unwrap().len() == 1).await;

    far.see();
    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);
    until("it is proven to be gone", async || {
        (harness.run(&run).await?["state"] == "cancelled").then_some(())
    })
    .await;
    assert!(!far.runs("sleep 3621"));
}

#[tokio::test]
async fn an_attempt_does_not_wait_without_end_for_one_that_is_not_proven_to_be_gone() {
    let (mut harness, _node) = RunHarness::with(&[("run_lost_seconds", "2")]).await;
    let (far, run) = blind_at_work(&mut harness).await;
    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);
    harness.in_state(&run, "unproven").await;

    harness.post(&format!("{run}/retry"), json!({})).await.expect(202);

    until("the second attempt has given up", async || {
        let shown = harness.run(&run).await?;
        let on = &shown["servers"][0];
        (on["attempt"] == 2 && on["ending"]["failure"]["kind"] == "not_started").then_some(())
    })
    .await;
    assert_eq!(harness.installation.events("run.started").await.len(), 1);
    let log = harness.installation.log().await;
    until("only the first is looked for", async || {
        let rows = log.query("select attempt from working.run_tasks", &[]).await.unwrap();
        let rows: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
        if rows == [1] { Ok(()) } else { Err(rows) }
    })
    .await;
    far.see();
}

#[tokio::test]
async fn a_start_of_which_nobody_knows_what_became_is_not_sent_without_end() {
    let (mut harness, _node) = RunHarness::with(&[("run_lost_seconds", "2")]).await;
    let far = BlindSshd::start();
    harness.server = harness.register(&far.sshd, far.sshd.port()).await;
    far.mumble_of_starts();

    let run = harness.start("touch ~/begun").await;

    let shown = harness.in_state(&run, "failed").await;
    let failure = json!({ "kind": "not_started", "obstacle": "command" });
    assert_eq!(shown["servers"][0]["ending"]["failure"], failure, "{shown}");
    assert!(!far.sshd.home().join("begun").exists());
}

/// As after a restore of the log, which does not know any more that somebody has cancelled it.
#[tokio::test]
async fn a_lost_command_that_was_ended_for_a_reason_in_no_log_is_proven_to_be_gone() {
    let (harness, _node) = RunHarness::with(&[("run_lost_seconds", "2")]).await;
    let run = harness.start("echo begun; sleep 3622; true").await;
    harness.is_at_work(&run).await;
    harness.sshd.stop().unwrap();
    assert_eq!(harness.ended(&run, LIMIT).await["state"], "lost");
    let mut folders = fs::read_dir(harness.sshd.home().join(".lethe/runs")).unwrap();
    let folder = folders.next().unwrap().unwrap().path();
    fs::write(folder.join("stopped"), "cancel\n").unwrap();
    let note = fs::read_to_string(folder.join("group")).unwrap();
    let group = format!("-{}", note.split_whitespace().next().unwrap());
    assert!(Command::new("kill").args(["-TERM", "--", &group]).status().unwrap().success());
    until("its end is noted", async || folder.join("exit").exists()).await;

    harness.sshd.restart().unwrap();
    let log = harness.installation.log().await;
    let look = "update working.run_tasks set next_at = null where state = 'lost'";
    until("its row says that it is lost", async || log.execute(look, &[]).await.unwrap() == 1)
        .await;

    until("it is proven to be gone", async || {
        let shown = harness.run(&run).await?;
        let on = &shown["servers"][0];
        (on["settled"] == "proven_gone" && !on["log"].is_null()).then_some(())
    })
    .await;
    assert_eq!(harness.run(&run).await.unwrap()["state"], "lost");
    until("no task is left", async || {
        log.query("select from working.run_tasks", &[]).await.unwrap().is_empty()
    })
    .await;
}

/// Its follower is let go on, and nobody else is let in.
#[tokio::test]
async fn a_run_is_cancelled_by_the_connection_that_is_left() {
    let (harness, _node) = RunHarness::new().await;
    let run = harness.start("echo begun; sleep 3616").await;
    harness.is_at_work(&run).await;
    until("its first line is stored", async || harness.lines(&run).await.len() == 1).await;
    harness.sshd.deauthorize().unwrap();

    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);

    let shown = harness.in_state(&run, "cancelled").await;
    assert_eq!(shown["servers"][0]["ending"]["proven"], true, "{shown}");
    let left = harness.sshd.processes().unwrap();
    assert!(left.iter().all(|process| !process.command.contains("sleep 3616")), "{left:?}");
}
