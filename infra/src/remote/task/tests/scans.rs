//! What a kill finds, whatever hides it, and what it leaves alone.

use std::path::Path;
use std::process::{Command, Stdio};

use super::super::*;
use super::harness::*;
use super::shells::instead;
use test_support::sshd::SshdOptions;

/// Starts it, and waits until it has said that all of it is there.
async fn begun(connection: &Connection, command: &str) -> TaskId {
    let task = launch(connection, command).await;
    let mut tail = tail(connection, &task, 0, 0).await.unwrap();
    read_on(&mut tail, &mut [Vec::new(), Vec::new()], 3, 0).await.unwrap();
    task
}

/// How many processes of this machine are this command, with or without a mark.
fn count(command: &str) -> usize {
    let wanted = command.replace(' ', "\0") + "\0";
    let entries = std::fs::read_dir("/proc").unwrap();
    let read = entries.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    read.filter(|line| *line == wanted.as_bytes()).count()
}

/// One in a session of its own, one that has lost its parent, too, and their environment is empty.
const TRACELESS: &str = "env -i setsid sleep 7001 & (env -i setsid sh -c 'sleep 7001; :' &); \
                         echo on; sleep 1000";

#[tokio::test]
async fn one_that_left_every_trace_behind_is_found() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = begun(&connection, TRACELESS).await;
    until("both sleep", async || count("sleep 7001") == 2).await;

    assert!(!kill_all(&connection, &task, LONG).await);

    assert_eq!(count("sleep 7001"), 0);
    drop(connection);
    harness.until_only(0).await;
}

#[tokio::test]
async fn one_that_left_every_trace_behind_is_found_after_its_run_has_ended() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let command = "(env -i setsid sh -c 'sleep 7002; :' >/dev/null 2>&1 &); echo on";
    let task = begun(&connection, command).await;
    until("it sleeps", async || count("sleep 7002") == 1).await;
    let ended = end(&connection, &task).await;

    assert!(!kill_all(&connection, &task, LONG).await);

    assert_eq!(count("sleep 7002"), 0);
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Ended(ended)));
}

#[tokio::test]
async fn programmes_that_find_nothing_are_not_believed() {
    let (_folder, options) = instead(&["grep", "sed", "awk", "tr"], Path::new("/bin/false"));
    let harness = SshHarness::with(&options);
    let connection = harness.connect().await;
    let command = "setsid sleep 7003 & echo on; sleep 1000";
    let task = begun(&connection, command).await;
    until("it sleeps", async || count("sleep 7003") == 1).await;

    assert!(!kill_all(&connection, &task, LONG).await);

    assert_eq!(count("sleep 7003"), 0);
    assert!(marked(&task).is_empty());
}

#[tokio::test]
async fn a_number_that_has_gone_to_somebody_else_is_left_alone() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    // Its first process has ended, and left one in its group and session.
    let mut other = Command::new("setsid");
    other.args(["sh", "-c", "sleep 7004 >/dev/null 2>&1 & echo $$"]);
    let said = other.stdin(Stdio::null()).output().unwrap().stdout;
    let group = String::from_utf8(said).unwrap().trim().to_owned();
    let task = begun(&connection, "echo on").await;
    end(&connection, &task).await;
    std::fs::write(harness.folder(&task).join("group"), format!("{group} 1\n")).unwrap();

    assert!(!kill_all(&connection, &task, LONG).await);

    let left = count("sleep 7004");
    Command::new("kill").args(["--", &format!("-{group}")]).status().unwrap();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn who_ends_a_command_is_noted_before_it_ends() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    // The shell itself says on standard error that what it waited for was ended.
    let command = "trap 'exit 7' TERM; echo on; exec 2>/dev/null; while :; do sleep 0.1; done";
    for cause in [StopCause::Cancel, StopCause::Timeout] {
        let task = begun(&connection, command).await;
        assert!(kill(&connection, &task, LONG, cause).await.unwrap().proven);
        let expected = End { stopped: Some(cause), ..ended(Ending::Exited(7), 3, 0) };
        assert_eq!(end(&connection, &task).await, expected);
        // The first note counts.
        kill_all(&connection, &task, LONG).await;
        assert_eq!(end(&connection, &task).await, expected);
    }
}

#[tokio::test]
async fn what_a_former_version_began_is_probed_killed_and_removed() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = begun(&connection, "setsid sleep 7005 >/dev/null 2>&1 & echo on").await;
    let ended = end(&connection, &task).await;
    until("one process left", async || marked(&task).len() == 1).await;
    let folder = harness.folder(&task);
    for name in ["started", "exit"] {
        let note = std::fs::read_to_string(folder.join(name)).unwrap();
        let line = note.lines().next().unwrap();
        std::fs::write(folder.join(name), format!("{line}\n")).unwrap();
    }
    std::fs::remove_file(folder.join("kept")).unwrap();

    let ended = End { written: None, ..ended };
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Ended(ended)));
    // That nothing is left cannot be shown there.
    let killed = kill(&connection, &task, LONG, StopCause::Cancel).await.unwrap();
    assert!(!killed.forced);
    assert_eq!((count("sleep 7005"), marked(&task).len()), (0, 0));
    remove(&connection, &task).await.unwrap();
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Missing));
}

#[tokio::test]
async fn what_was_never_started_leaves_nothing_to_kill() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    assert!(!kill_all(&connection, &task(), LONG).await);
    let forbidden = task();
    forbid(&connection, &forbidden).await.unwrap();
    assert!(!kill_all(&connection, &forbidden, LONG).await);
    drop(connection);
    harness.until_only(0).await;
}

/// Only root can raise a limit again: where the test is not, the process is found by that.
const RAISED: &str = "{ ulimit -w unlimited || ulimit -x unlimited || :; } 2>/dev/null";

/// Of each only one trace is left, after its parent and its run have ended.
#[tokio::test]
async fn each_trace_of_a_process_is_enough() {
    let (_folder, without_reaper) = instead(&["perl"], Path::new("/bin/false"));
    let rows = [
        ("its limit", &without_reaper, "env -i setsid sh -c 'sleep 7006; :'".to_owned()),
        ("its mark", &without_reaper, format!("{RAISED}; setsid sh -c 'sleep 7007; :'")),
        ("its session", &without_reaper, format!("{RAISED}; env -i sh -c 'sleep 7008; :'")),
        (
            "its keeper's note",
            &SshdOptions::default(),
            format!("{RAISED}; env -i setsid sh -c 'sleep 7009; :'"),
        ),
    ];
    for (number, (trace, options, leaves)) in (7006..).zip(rows) {
        let sleep = format!("sleep {number}");
        let harness = SshHarness::with(options);
        let connection = harness.connect().await;
        let task = begun(&connection, &format!("({leaves} >/dev/null 2>&1 &); echo on")).await;
        until("it sleeps", async || count(&sleep) == 1).await;
        end(&connection, &task).await;
        let note = harness.folder(&task).join("kept");
        until("its keeper has gone", async || note.exists()).await;

        let killed = kill(&connection, &task, LONG, StopCause::Cancel).await.unwrap();

        assert_eq!(count(&sleep), 0, "{trace} is not found: {killed:?}");
        assert!(killed.proven, "{trace}: {killed:?}");
    }
}
