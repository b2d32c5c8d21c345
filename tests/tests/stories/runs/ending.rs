//! How runs end: as the command did, as somebody asked, or when the time is over.

use serde_json::json;
use tests::{RunHarness, Sshd, SshdOptions, until};

#[tokio::test]
async fn an_exit_code_and_a_signal_are_told_as_they_were() {
    let (harness, _node) = RunHarness::new().await;
    let (exit, signal) = (harness.start("exit 3").await, harness.start("kill -9 $$").await);

    let ending = |shown: &serde_json::Value| shown["servers"][0]["ending"].clone();
    let shown = harness.in_state(&exit, "failed").await;
    let code = json!({ "kind": "failed", "failure": { "kind": "exit", "code": 3 } });
    assert_eq!(ending(&shown), code);
    let shown = harness.in_state(&signal, "failed").await;
    let number = json!({ "kind": "failed", "failure": { "kind": "signal", "number": 9 } });
    assert_eq!(ending(&shown), number);
}

#[tokio::test]
async fn a_run_has_its_time_and_no_more() {
    let (harness, _node) = RunHarness::new().await;
    let asks =
        json!({ "command": "sleep 1000", "server_ids": [harness.server], "timeout_seconds": 1 });
    let run = harness.request(asks).await;

    harness.in_state(&run, "timed_out").await;

    let left = harness.sshd.processes().unwrap();
    assert!(left.iter().all(|process| !process.command.contains("sleep")), "{left:?}");
}

#[tokio::test]
async fn a_cancelled_run_leaves_nothing_and_one_that_waits_never_begins() {
    let (harness, _node) = RunHarness::with(&[("runs_per_server", "1")]).await;
    let running = harness.start("sleep 1000 & sleep 1001").await;
    harness.in_state(&running, "running").await;
    until("it sleeps", async || {
        let processes = harness.sshd.processes().unwrap();
        processes.iter().any(|process| process.command == "sleep 1001").then_some(())
    })
    .await;
    let waiting = harness.start("touch ~/began").await;
    harness.in_state(&waiting, "queued").await;

    harness.post(&format!("{waiting}/cancel"), json!({})).await.expect(202);
    harness.in_state(&waiting, "cancelled").await;
    harness.post(&format!("{running}/cancel"), json!({})).await.expect(202);
    harness.post(&format!("{running}/cancel"), json!({})).await;
    harness.in_state(&running, "cancelled").await;

    let left = harness.sshd.processes().unwrap();
    assert!(left.iter().all(|process| !process.command.contains("sleep 100")), "{left:?}");
    harness.post(&format!("{running}/cancel"), json!({})).await.expect(409);
    assert!(!harness.sshd.home().join("began").exists());
}

#[tokio::test]
async fn another_attempt_runs_and_the_first_ones_log_stays() {
    let (harness, _node) = RunHarness::new().await;
    let run = harness.start("echo tried; test -e ~/ready").await;
    harness.in_state(&run, "failed").await;
    std::fs::write(harness.sshd.home().join("ready"), "").unwrap();

    let again = harness.post(&format!("{run}/retry"), json!({})).await.expect(202);

    let shown = harness.ada.get_at(&harness.path(&run), &again.position()).await.expect(200);
    assert_eq!(shown.json()["servers"][0]["attempt"], 2);
    harness.in_state(&run, "succeeded").await;
    for attempt in [1, 2] {
        let log =
            harness.get(&format!("{}?attempt={attempt}", harness.log_of(&run))).await.expect(200);
        assert!(log.text().contains("tried"), "{}", log.text());
    }
    harness.get(&format!("{}?attempt=3", harness.log_of(&run))).await.expect(404);
    harness.post(&format!("{run}/retry"), json!({})).await.expect(409);
}

#[tokio::test]
async fn another_attempt_leaves_alone_what_one_that_ended_has_left_running() {
    let (harness, _node) = RunHarness::new().await;
    let daemon = "setsid sleep 3615 </dev/null >/dev/null 2>&1";
    let run = harness.start(&format!("[ -e ~/again ] && exit 0; {daemon} & exit 1")).await;
    harness.in_state(&run, "failed").await;
    let sleeps = || {
        let processes = harness.sshd.processes().unwrap();
        processes.iter().any(|process| process.command == "sleep 3615")
    };
    until("it sleeps", async || sleeps().then_some(())).await;
    std::fs::write(harness.sshd.home().join("again"), "").unwrap();

    harness.post(&format!("{run}/retry"), json!({})).await.expect(202);

    harness.in_state(&run, "succeeded").await;
    assert!(sleeps());
}

/// As if it had ended long ago.
#[tokio::test]
async fn what_a_server_keeps_of_old_runs_is_deleted_when_it_is_connected_to() {
    let settings = [("monitor_seconds", "1"), ("watch_fresh_seconds", "1")];
    let (harness, _node) = RunHarness::with(&settings).await;
    let (old, young) = (harness.start("true").await, harness.start("true").await);
    let folder_of = |run: &str| {
        let id = run.rsplit('/').next().unwrap();
        harness.sshd.home().join(".lethe/runs").join(format!("{id}-1-{}", harness.server))
    };
    for run in [&old, &young] {
        harness.in_state(run, "succeeded").await;
        until("its note is there", async || folder_of(run).join("gone").exists()).await;
    }
    let files = std::fs::read_dir(folder_of(&old)).unwrap().map(|file| file.unwrap().path());
    for path in files.chain([folder_of(&old)]) {
        let mut touch = std::process::Command::new("touch");
        let touched = touch.args(["-d", "15 days ago"]).arg(path).status();
        assert!(touched.unwrap().success());
    }

    until("it is deleted", async || !folder_of(&old).exists()).await;
    assert!(folder_of(&young).exists());
}

#[tokio::test]
async fn what_a_server_lacks_for_a_start_is_said() {
    let (mut harness, _node) = RunHarness::new().await;
    let obstacle = async |harness: &RunHarness, cause: &str| {
        let run = harness.start("true").await;
        let shown = harness.in_state(&run, "failed").await;
        let failure = json!({ "kind": "not_started", "obstacle": cause });
        assert_eq!(shown["servers"][0]["ending"]["failure"], failure, "{shown}");
    };
    std::fs::write(harness.sshd.home().join(".lethe"), "").unwrap();
    obstacle(&harness, "home_unwritable").await;

    let shell = "/bin/true".into();
    let silent = Sshd::start_with(&SshdOptions { shell, ..SshdOptions::default() }).unwrap();
    harness.server = harness.register(&silent, silent.port()).await;
    obstacle(&harness, "shell_refused").await;
    let events = harness.installation.events("run.not_started").await;
    let causes: Vec<_> = events.iter().map(|event| event["cause"].as_str().unwrap()).collect();
    assert_eq!(causes, ["home_unwritable", "shell_refused"]);
}

#[tokio::test]
async fn a_server_that_lets_nobody_in_fails_the_run_before_it_began() {
    let (harness, _node) = RunHarness::new().await;
    harness.sshd.deauthorize().unwrap();
    let run = harness.start("true").await;

    let shown = harness.in_state(&run, "failed").await;

    let failure = &shown["servers"][0]["ending"]["failure"];
    assert_eq!(failure, &json!({ "kind": "not_started", "obstacle": "authentication" }));
}

/// Fails where another attempt is at work, and notes that it began.
const ALONE: &str = "mkdir ~/alone || exit 9; trap 'rmdir ~/alone; exit 1' TERM; \
    echo begun >> ~/begun; sleep 3611";

#[tokio::test]
async fn an_attempt_begins_when_every_earlier_one_has_ended() {
    let (harness, _node) = RunHarness::with(&[("run_lost_seconds", "2")]).await;
    let begun = || {
        let noted = std::fs::read_to_string(harness.sshd.home().join("begun"));
        noted.unwrap_or_default().lines().count()
    };
    let run = harness.start(ALONE).await;
    harness.in_state(&run, "running").await;
    until("the first has begun", async || (begun() == 1).then_some(())).await;
    harness.lose_and_cancel_the_next(&run).await;
    harness.sshd.restart().unwrap();

    harness.post(&format!("{run}/retry"), json!({})).await.expect(202);

    until("the third has begun", async || (begun() == 2).then_some(())).await;
    assert_eq!(harness.in_state(&run, "running").await["servers"][0]["attempt"], 3);
    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);
    harness.in_state(&run, "cancelled").await;
}

#[tokio::test]
async fn a_left_attempt_is_deleted_once_its_server_says_that_it_has_ended() {
    let (harness, _node) = RunHarness::with(&[("run_lost_seconds", "2")]).await;
    let run = harness.start("until [ -e ~/go ]; do sleep 0.05; done").await;
    harness.is_at_work(&run).await;
    harness.lose_and_refuse_the_next(&run).await;
    let log = harness.installation.log().await;
    let look = "update working.run_tasks set next_at = clock_timestamp() where attempt = 1";
    let count = async |sql: &str| log.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    let far = "select count(*) from working.run_tasks
        where attempt = 1 and next_at > clock_timestamp() + interval '1 hour'";
    let left = "select count(*) from working.run_tasks where attempt = 1";
    let runs = harness.sshd.home().join(".lethe/runs");
    let files = || {
        let folders = std::fs::read_dir(&runs).unwrap().map(|folder| folder.unwrap().path());
        folders.filter(|folder| !folder.join("gone").exists()).count()
    };

    assert_eq!(log.execute(look, &[]).await.unwrap(), 1);
    until("it was looked for", async || count(far).await == 1).await;
    assert_eq!((count(left).await, files()), (1, 1), "it runs");
    std::fs::write(harness.sshd.home().join("go"), "").unwrap();

    until("it is deleted", async || {
        // It may have been looked for before it has ended.
        log.execute(look, &[]).await.unwrap();
        count(left).await == 0
    })
    .await;
    assert_eq!(files(), 0);
}
