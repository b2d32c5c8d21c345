use std::time::Duration;

use super::super::script::Script;
use super::super::*;
use super::harness::*;

const SHORT: Duration = Duration::from_secs(1);

/// Starts it, waits until it has said so, and kills it. Answers whether that was forced.
async fn killed(harness: &SshHarness, command: &str, grace: Duration) -> (TaskId, bool) {
    let connection = harness.connect().await;
    let task = launch(&connection, command).await;
    let mut tail = tail(&connection, &task, 0, 0).await.unwrap();
    read_on(&mut tail, &mut [Vec::new(), Vec::new()], 3, 0).await.unwrap();
    drop(tail);
    let forced = kill_all(&connection, &task, grace).await;
    assert!(marked(&task).is_empty());
    assert!(!kill_all(&connection, &task, grace).await);
    drop(connection);
    harness.until_only(0).await;
    (task, forced)
}

async fn ending(harness: &SshHarness, task: &TaskId) -> Ending {
    end(&harness.connect().await, task).await.ending
}

#[tokio::test]
async fn a_shell_goes_with_its_children() {
    let harness = SshHarness::start();
    let command = "sh -c 'sleep 1000; true' & (sleep 1000; true) & echo on; sleep 1000; echo never";
    let (task, forced) = killed(&harness, command, LONG).await;
    assert!(!forced);
    assert_eq!(ending(&harness, &task).await, Ending::Signalled(15));
}

#[tokio::test]
async fn a_command_may_clean_up_when_told_to_go() {
    let harness = SshHarness::start();
    let command = "trap 'echo cleaned; exit 7' TERM; echo on; while :; do sleep 0.1; done";
    let (task, forced) = killed(&harness, command, LONG).await;
    assert!(!forced);
    assert_eq!(ending(&harness, &task).await, Ending::Exited(7));
    let out = std::fs::read_to_string(harness.folder(&task).join("out")).unwrap();
    assert_eq!(out, "on\ncleaned\n");
}

#[tokio::test]
async fn one_that_ignores_it_is_forced() {
    let harness = SshHarness::start();
    let command = "trap '' TERM HUP INT; echo on; while :; do sleep 1000; done";
    let (task, forced) = killed(&harness, command, SHORT).await;
    assert!(forced);
    assert_eq!(ending(&harness, &task).await, Ending::Signalled(9));
}

/// The whole seconds since the machine was started.
fn uptime() -> u64 {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    uptime.split('.').next().unwrap().parse().unwrap()
}

fn signal(process: u32, name: &str) {
    let kill = std::process::Command::new("kill").args([name, &process.to_string()]).status();
    assert!(kill.unwrap().success());
}

/// As on a machine that stands still for longer than the grace.
#[tokio::test]
async fn one_that_went_while_its_killer_was_paused_is_not_forced() {
    let (harness, grace) = (SshHarness::start(), Duration::from_secs(20));
    let connection = harness.connect().await;
    let command = "trap ': >~/ending; while [ ! -e ~/go ]; do sleep 0.1; done; exit' TERM; \
                   echo on; while :; do sleep 0.1; done";
    let task = launch(&connection, command).await;
    let mut tail = tail(&connection, &task, 0, 0).await.unwrap();
    read_on(&mut tail, &mut [Vec::new(), Vec::new()], 3, 0).await.unwrap();
    let script = Script::kill(&task, grace.as_secs(), StopCause::Cancel).command;
    let length = script.split_whitespace().find(|word| word.starts_with("bs=")).unwrap();

    let pauses = async {
        until("it is asked to end", async || harness.sshd.home().join("ending").exists()).await;
        let running = harness.sshd.processes().unwrap();
        let killer = running.iter().find(|process| process.command.contains(length)).unwrap().pid;
        signal(killer, "-STOP");
        let paused = uptime();
        std::fs::write(harness.sshd.home().join("go"), "").unwrap();
        until("it is gone", async || marked(&task).is_empty()).await;
        until("the grace is over", async || uptime() > paused + grace.as_secs()).await;
        signal(killer, "-CONT");
    };
    let (forced, ()) = tokio::join!(kill_all(&connection, &task, grace), pauses);

    assert!(!forced);
}

#[tokio::test]
async fn a_stopped_one_goes_too() {
    let harness = SshHarness::start();
    let (_, forced) = killed(&harness, "echo on; kill -STOP $$", LONG).await;
    assert!(!forced);
}

#[tokio::test]
async fn a_grandchild_in_a_session_of_its_own_is_found() {
    let harness = SshHarness::start();
    let command = "setsid sh -c 'trap \"\" TERM; : >~/trapped; \
                   (setsid sleep 1000 &) ; while :; do sleep 1000; done' \
                   </dev/null >/dev/null 2>&1 & \
                   while [ ! -e ~/trapped ]; do sleep 0.01; done; echo on; sleep 1000";
    let (_, forced) = killed(&harness, command, SHORT).await;
    assert!(forced);
}

#[tokio::test]
async fn a_daemon_is_found_after_its_run_has_ended() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = launch(&connection, "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo on").await;
    let ended = end(&connection, &task).await;
    assert_eq!(ended.ending, Ending::Exited(0));
    until("one process left", async || marked(&task).len() == 1).await;
    assert!(!kill_all(&connection, &task, LONG).await);
    assert!(marked(&task).is_empty());
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Ended(ended)));
}

#[tokio::test]
async fn one_without_the_mark_is_found_by_its_session() {
    let harness = SshHarness::start();
    let command = "env -i HOME=\"$HOME\" /bin/sh -c 'trap \"\" TERM; : >~/trapped; \
                   sleep 1000; sleep 1000' & \
                   while [ ! -e ~/trapped ]; do sleep 0.01; done; echo on";
    let connection = harness.connect().await;
    let task = launch(&connection, command).await;
    assert_eq!(end(&connection, &task).await.ending, Ending::Exited(0));
    until("an end of what is marked", async || marked(&task).is_empty()).await;
    assert!(kill_all(&connection, &task, SHORT).await);
}

#[tokio::test]
async fn other_runs_are_left_alone() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let other = launch(&connection, "sleep 1000").await;
    killed_alone(&connection, &harness, &other).await;
}

async fn killed_alone(
    connection: &crate::remote::Connection,
    harness: &SshHarness,
    other: &TaskId,
) {
    let mut same = *other;
    // The marks of the first and the twelfth attempt begin alike.
    same.attempt = 12;
    let launch =
        Launch { task: same, command: "sleep 1000", environment: &[], timeout_seconds: HOUR };
    start(connection, &launch).await.unwrap();
    until("its group", async || harness.folder(&same).join("group").exists()).await;
    kill_all(connection, other, LONG).await;
    assert!(marked(other).is_empty());
    assert_eq!(probe(connection, &same).await, Ok(TaskState::Running));
    kill_all(connection, &same, LONG).await;
    harness.until_only(0).await;
}

#[tokio::test]
async fn one_that_is_only_just_starting_goes_too() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    for _ in 0..8 {
        let task = launch(&connection, "sleep 1000").await;
        kill_all(&connection, &task, LONG).await;
        assert!(marked(&task).is_empty());
        let found = probe(&connection, &task).await.unwrap();
        let ended = matches!(found, TaskState::Ended(End { ending: Ending::Signalled(15), .. }));
        assert!(ended || found == TaskState::Vanished { rebooted: false }, "{found:?}");
        remove(&connection, &task).await.unwrap();
    }
}

#[tokio::test]
async fn a_kill_asks_nothing_of_what_left_nothing_and_was_removed() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let leaves = launch(&connection, "sleep 1000 >/dev/null 2>&1 & echo on").await;
    let alone = launch(&connection, "echo on").await;
    for (task, says) in [(leaves, ""), (alone, "alone\n")] {
        end(&connection, &task).await;
        remove(&connection, &task).await.unwrap();
        let tombstone = harness.folder(&task).join("gone");
        assert_eq!(std::fs::read_to_string(&tombstone).unwrap(), says);
        remove(&connection, &task).await.unwrap();
        assert_eq!(std::fs::read_to_string(&tombstone).unwrap(), says);
    }
    // Whoever reads it waits for ever.
    let note = harness.folder(&alone).join("started");
    std::fs::remove_file(&note).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&note).status().unwrap().success());

    assert!(!kill_all(&connection, &leaves, LONG).await);
    assert!(marked(&leaves).is_empty());
}
