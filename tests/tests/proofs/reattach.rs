//! Whatever dies between Lethe and a command, the run is found again or said to be lost: it never
//! runs twice, and no line of its log is missing or doubled.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tests::{Proxy, RunHarness, until, until_within};

const LINES: usize = 150;
const LIMIT: Duration = Duration::from_mins(3);

/// Notes each time that it starts, and counts slowly until it is let go.
fn counting(name: &str) -> String {
    format!(
        "echo started >> ~/{name}; n=0; while [ $n -lt {LINES} ] || ! [ -e ~/go ]; do \
         n=$((n + 1)); echo {name} $n; sleep 0.05; done"
    )
}

async fn lines_of(harness: &RunHarness, run: &str, least: usize) {
    until(&format!("{run} has said something"), async || {
        let lines = harness.get(&format!("{}?limit=2000", harness.log_of(run))).await;
        (lines.status == 200 && lines.text().lines().count() >= least).then_some(())
    })
    .await;
}

/// Every line once, in order, and started once.
async fn check(harness: &RunHarness, name: &str, run: &str) {
    let lines = harness.lines(run).await;
    assert!(lines.len() >= LINES, "{} lines", lines.len());
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(line["n"], at + 1);
        assert_eq!(line["text"], format!("{name} {}\n", at + 1));
    }
    let started = fs::read_to_string(harness.sshd.home().join(name)).unwrap();
    assert_eq!(started, "started\n", "{name} ran twice");
}

async fn count(harness: &RunHarness, event_type: &str) -> i64 {
    let log = harness.installation.log().await;
    let count = "select count(*) from event_log.events where event_type = $1";
    log.query_one(count, &[&event_type]).await.unwrap().get(0)
}

/// How many runs were found again; on a slow machine a run may be more than once.
async fn count_reattached(harness: &RunHarness) -> i64 {
    let log = harness.installation.log().await;
    let count = "select count(distinct stream_id) from event_log.events
        where event_type = 'run.reattached'";
    log.query_one(count, &[]).await.unwrap().get(0)
}

fn go(harness: &RunHarness) {
    fs::write(harness.sshd.home().join("go"), "").unwrap();
}

#[tokio::test]
async fn runs_go_on_when_lethe_is_killed_and_another_node_finds_them_all() {
    let _alone = tests::alone().await;
    let (mut harness, node) = RunHarness::with(&[("runs_per_server", "10")]).await;
    let names: Vec<String> = (0..10).map(|number| format!("run{number}")).collect();
    let mut runs = Vec::new();
    for name in &names {
        runs.push(harness.start(&counting(name)).await);
    }
    for run in &runs {
        lines_of(&harness, run, 5).await;
    }

    node.kill();
    let second = harness.installation.node().await;
    let token = harness.ada.token().unwrap().to_owned();
    harness.ada = second.client().bearing(&token);
    until("all are found again", async || (count_reattached(&harness).await == 10).then_some(()))
        .await;
    go(&harness);

    for (name, run) in names.iter().zip(&runs) {
        assert_eq!(harness.ended(run, LIMIT).await["state"], "succeeded");
        check(&harness, name, run).await;
    }
    assert_eq!(count(&harness, "run.started").await, 10);
    drop(second);
}

#[tokio::test]
async fn a_node_that_stops_hands_its_runs_over_at_once() {
    let (mut harness, node) = RunHarness::new().await;
    let run = harness.start(&counting("handed")).await;
    lines_of(&harness, &run, 5).await;
    let second = harness.installation.node().await;

    assert!(node.stop().await.success());

    let token = harness.ada.token().unwrap().to_owned();
    harness.ada = second.client().bearing(&token);
    until("it is found again", async || (count_reattached(&harness).await == 1).then_some(()))
        .await;
    go(&harness);
    assert_eq!(harness.ended(&run, LIMIT).await["state"], "succeeded");
    check(&harness, "handed", &run).await;
}

#[tokio::test]
async fn a_run_outlives_the_sessions_of_sshd_and_sshd_itself() {
    let (harness, _node) = RunHarness::new().await;
    let run = harness.start(&counting("cut")).await;
    lines_of(&harness, &run, 5).await;
    harness.sshd.kill_sessions().unwrap();
    lines_of(&harness, &run, 30).await;
    harness.sshd.restart().unwrap();
    lines_of(&harness, &run, 60).await;
    go(&harness);

    assert_eq!(harness.ended(&run, LIMIT).await["state"], "succeeded");
    check(&harness, "cut", &run).await;
    assert_eq!(count(&harness, "run.started").await, 1);
}

#[tokio::test]
async fn a_network_that_goes_silent_makes_a_run_lost_and_found_again() {
    let _alone = tests::alone().await;
    let (mut harness, _node) = RunHarness::with(&[("run_lost_seconds", "5")]).await;
    let proxy = Proxy::to(harness.sshd.port()).await;
    harness.server = harness.register(&harness.sshd, proxy.port()).await;
    let run = harness.start(&counting("silent")).await;
    lines_of(&harness, &run, 5).await;
    harness.in_state(&run, "running").await;

    proxy.go_silent();
    let lost = harness.ended(&run, LIMIT).await;
    assert_eq!(lost["state"], "lost", "{lost}");
    assert_eq!(lost["servers"][0]["ending"]["why"], "unreachable");
    proxy.speak();
    go(&harness);

    until_within(LIMIT, "it is found again and succeeds", async || {
        let shown = harness.get(&run).await.expect(200).json();
        let state = shown["state"].as_str().unwrap();
        assert!(["lost", "running", "succeeded"].contains(&state), "{shown}");
        if state == "succeeded" { Ok(()) } else { Err(shown) }
    })
    .await;
    check(&harness, "silent", &run).await;
}

#[tokio::test]
async fn a_lost_run_that_is_cancelled_is_killed_when_it_is_found() {
    let _alone = tests::alone().await;
    let (mut harness, _node) = RunHarness::with(&[("run_lost_seconds", "2")]).await;
    let proxy = Proxy::to(harness.sshd.port()).await;
    harness.server = harness.register(&harness.sshd, proxy.port()).await;
    let run = harness.start("sleep 4200").await;
    let sleeps = || {
        let processes = harness.sshd.processes().unwrap();
        processes.iter().any(|process| process.command == "sleep 4200")
    };
    until("it sleeps", async || sleeps().then_some(())).await;
    harness.in_state(&run, "running").await;
    proxy.go_silent();
    assert_eq!(harness.ended(&run, LIMIT).await["state"], "lost");

    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);
    assert!(sleeps(), "nobody reaches it");
    proxy.speak();

    until_within(LIMIT, "it is found and killed", async || {
        let shown = harness.get(&run).await.expect(200).json();
        if shown["state"] == "cancelled" { Ok(()) } else { Err(shown) }
    })
    .await;
    assert!(!sleeps());
    harness.post(&format!("{run}/cancel"), json!({})).await.expect(409);
}

/// What notes of this boot there are say another one, and nothing of the run is left.
fn reboot(harness: &RunHarness) {
    kill_all(harness);
    forget_boot(harness);
}

fn kill_all(harness: &RunHarness) {
    for process in harness.sshd.processes().unwrap() {
        let pid = process.pid.to_string();
        Command::new("kill").args(["-9", &pid]).status().unwrap();
    }
}

fn forget_boot(harness: &RunHarness) {
    for started in started(&harness.sshd.home().join(".lethe")) {
        let note = fs::read_to_string(&started).unwrap();
        let (line, rest) = note.split_once('\n').unwrap();
        let (process, _) = line.rsplit_once(' ').unwrap();
        let other = format!("{process} 00000000-0000-4000-8000-000000000000\n{rest}");
        fs::write(started, other).unwrap();
    }
}

fn started(folder: &PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(started(&path));
        } else if path.file_name().is_some_and(|name| name == "started") {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn what_a_lost_command_left_running_does_not_keep_its_run_open() {
    let (harness, _node) = RunHarness::new().await;
    let run = harness.start(&counting("noisy")).await;
    lines_of(&harness, &run, 5).await;

    harness.sshd.stop().unwrap();
    forget_boot(&harness);
    harness.sshd.restart().unwrap();

    assert_eq!(harness.ended(&run, LIMIT).await["state"], "lost");
    go(&harness);
}

#[tokio::test]
async fn a_command_that_has_gone_without_a_note_is_lost_and_so_is_one_of_which_there_is_nothing() {
    let (harness, _node) = RunHarness::new().await;
    let runs = [harness.start(&counting("dead")).await, harness.start(&counting("none")).await];
    for run in &runs {
        lines_of(&harness, run, 5).await;
    }

    harness.sshd.stop().unwrap();
    kill_all(&harness);
    let id = runs[1].rsplit('/').next().unwrap();
    for folder in fs::read_dir(harness.sshd.home().join(".lethe/runs")).unwrap() {
        let path = folder.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with(id) {
            fs::remove_dir_all(path).unwrap();
        }
    }
    harness.sshd.restart().unwrap();

    for (run, why) in runs.iter().zip(["vanished", "missing"]) {
        let shown = harness.ended(run, LIMIT).await;
        assert_eq!(shown["state"], "lost", "{shown}");
        assert_eq!(shown["servers"][0]["ending"]["why"], why, "{shown}");
        assert!(shown["servers"][0]["attempts_left"].is_null(), "{shown}");
    }
}

#[tokio::test]
async fn a_server_that_reboots_loses_its_runs_and_their_logs_say_so() {
    let (harness, _node) = RunHarness::new().await;
    let runs = [harness.start(&counting("one")).await, harness.start(&counting("two")).await];
    for run in &runs {
        lines_of(&harness, run, 5).await;
    }

    harness.sshd.stop().unwrap();
    reboot(&harness);
    harness.sshd.restart().unwrap();

    let ended = join_all(runs.iter().map(|run| harness.ended(run, LIMIT))).await;
    for (run, shown) in runs.iter().zip(ended) {
        assert_eq!(shown["state"], "lost", "{shown}");
        assert_eq!(shown["servers"][0]["ending"]["why"], "rebooted", "{shown}");
        assert_eq!(shown["servers"][0]["log"]["truncated"], true, "{shown}");
        let lines: Vec<Value> = harness.lines(run).await;
        assert!(lines.len() >= 5 && shown["servers"][0]["log"]["lines"] == lines.len());
    }
    harness.post(&format!("{}/retry", runs[0]), json!({})).await.expect(202);
    go(&harness);
    until("the second attempt has succeeded", async || {
        let shown = harness.run(&runs[0]).await?;
        let on = &shown["servers"][0];
        (on["attempt"] == 2 && on["state"] == "succeeded").then_some(())
    })
    .await;
}
