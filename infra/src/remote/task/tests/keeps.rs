//! What the keeper of a command does: its pipes, its time, its tombstone.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use futures_util::future::join;
use test_support::sshd::SshdOptions;

use super::super::*;
use super::harness::*;

#[tokio::test]
async fn what_is_written_to_dev_stderr_again_loses_nothing() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let command = "echo a >&2; echo b >/dev/stderr; echo c | tee /dev/stderr; echo d >/dev/stdout";
    let (ending, out, err) = run(&connection, command).await;
    assert_eq!((ending, out.as_str(), err.as_str()), (Ending::Exited(0), "c\nd\n", "a\nb\nc\n"));
}

#[tokio::test]
async fn an_output_that_was_cut_on_its_server_shows() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let command = "cd ~/.lethe/runs/*; echo first; while [ ! -s out ]; do sleep 0.01; done; \
                   : >out; echo second";
    let task = launch(&connection, command).await;
    let end = end(&connection, &task).await;
    assert_eq!(end, End { written: Some([13, 0]), ..ended(Ending::Exited(0), 7, 0) });
}

#[tokio::test]
async fn a_server_ends_in_time_what_nobody_watches() {
    let harness = SshHarness::start();
    let task = task();
    let command = "env -i /bin/sleep 1000 & setsid sleep 1000 & sleep 1000";
    let launch = Launch { task, command, environment: &[], timeout_seconds: 1 };
    let connection = harness.connect().await;
    assert_eq!(start(&connection, &launch).await, Ok(Started::Launched));
    drop(connection);
    harness.until_only(0).await;
    let found = probe(&harness.connect().await, &task).await;
    let end = ended(Ending::Signalled(15), 0, 0);
    assert_eq!(found, Ok(TaskState::Ended(End { stopped: Some(StopCause::Timeout), ..end })));
}

#[tokio::test]
async fn one_that_ends_in_time_was_not_stopped() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = task();
    let launch = Launch { task, command: "kill $$", environment: &[], timeout_seconds: 60 };
    start(&connection, &launch).await.unwrap();
    assert_eq!(end(&connection, &task).await, ended(Ending::Signalled(15), 0, 0));
    drop(connection);
    // Nor does what would have ended it stay.
    harness.until_only(0).await;
}

#[tokio::test]
async fn a_removed_one_is_not_started_again() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = task();
    let command = "echo started >>~/starts";
    let launch = Launch { task, command, environment: &[], timeout_seconds: HOUR };
    assert_eq!(start(&connection, &launch).await, Ok(Started::Launched));
    end(&connection, &task).await;
    remove(&connection, &task).await.unwrap();
    assert_eq!(start(&connection, &launch).await, Ok(Started::AlreadyThere));
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Missing));
    assert_eq!(forbid(&connection, &task).await, Ok(Forbidden::Now));
    assert_eq!(std::fs::read_to_string(harness.sshd.home().join("starts")).unwrap(), "started\n");
}

#[tokio::test]
async fn a_forbidden_one_is_never_started() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = task();
    let command = "echo started >>~/starts; sleep 1000";
    let launch = Launch { task, command, environment: &[], timeout_seconds: HOUR };
    assert_eq!(forbid(&connection, &task).await, Ok(Forbidden::Now));
    assert_eq!(forbid(&connection, &task).await, Ok(Forbidden::Now));
    assert_eq!(start(&connection, &launch).await, Ok(Started::AlreadyThere));
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Missing));
    assert!(!harness.sshd.home().join("starts").exists());
    // Also where only its removal was asked for.
    let other = Launch { task: super::harness::task(), ..launch };
    remove(&connection, &other.task).await.unwrap();
    assert_eq!(start(&connection, &other).await, Ok(Started::AlreadyThere));
    assert_eq!(probe(&connection, &other.task).await, Ok(TaskState::Missing));

    let running = launch_with(&connection, command, &[]).await;
    assert_eq!(forbid(&connection, &running).await, Ok(Forbidden::There));
    assert_eq!(probe(&connection, &running).await, Ok(TaskState::Running));
    kill_all(&connection, &running, LONG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_start_and_its_ban_at_once_one_comes_first() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    for number in 0..20 {
        let task = task();
        let command = format!("echo {number} >>~/starts");
        let launch = Launch { task, command: &command, environment: &[], timeout_seconds: HOUR };
        let both = if number % 2 == 0 {
            join(start(&connection, &launch), forbid(&connection, &task)).await
        } else {
            let (forbidden, started) =
                join(forbid(&connection, &task), start(&connection, &launch)).await;
            (started, forbidden)
        };
        match both {
            (Ok(Started::Launched), Ok(Forbidden::There)) => {
                end(&connection, &task).await;
            }
            (Ok(Started::AlreadyThere), Ok(Forbidden::Now)) => {
                assert_eq!(probe(&connection, &task).await, Ok(TaskState::Missing));
                let starts = std::fs::read_to_string(harness.sshd.home().join("starts"));
                let line = number.to_string();
                assert!(starts.unwrap_or_default().lines().all(|started| started != line));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_login_shell_that_runs_no_file_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let shell = folder.path().join("shell");
    std::fs::write(&shell, "#!/bin/sh\n[ \"$1\" = -c ] || exit 0\nexec /bin/sh \"$@\"\n").unwrap();
    std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o755)).unwrap();
    let harness = SshHarness::with(&SshdOptions { shell, ..SshdOptions::default() });
    let connection = harness.connect().await;
    let task = task();
    let launch = Launch { task, command: "true", environment: &[], timeout_seconds: HOUR };
    let refused = start(&connection, &launch).await;
    assert_eq!(refused, Err(TaskError::Unsupported(Unsupported::Shell)));
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Missing));
    // One that names its interpreter does not need the shell.
    let (ending, out, _) = run(&connection, "#!/bin/sh\necho on").await;
    assert_eq!((ending, out.as_str()), (Ending::Exited(0), "on\n"));
}

#[tokio::test]
async fn a_last_line_without_an_end_gets_one() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let (ending, out, _) = run(&connection, "#!/usr/bin/env cat\nI am read").await;
    assert_eq!((ending, out.as_str()), (Ending::Exited(0), "#!/usr/bin/env cat\nI am read\n"));
}

#[tokio::test]
async fn a_home_from_which_no_programme_runs_is_one_to_run_in() {
    let harness = SshHarness::start();
    let place = harness.sshd.home().join(".lethe");
    std::fs::create_dir(&place).unwrap();
    if !mount(&["-t", "tmpfs", "-o", "noexec,size=1m", "tmpfs"], &place) {
        let left_out = std::env::var_os("LETHE_TEST_NO_MOUNT").is_some();
        assert!(left_out, "a tmpfs cannot be mounted: run as root, or set LETHE_TEST_NO_MOUNT=1");
        return;
    }
    let connection = harness.connect().await;
    let named = run(&connection, "#! /bin/sh -e\necho on; false; echo never").await;
    let plain = run(&connection, "echo on").await;
    drop(connection);
    harness.until_only(0).await;
    // Lazily: a process that is just ending still stands in it.
    let umount = std::process::Command::new("umount").arg("-l").arg(&place).status();
    assert!(umount.unwrap().success());
    assert_eq!(named, (Ending::Exited(1), "on\n".to_owned(), String::new()));
    assert_eq!(plain, (Ending::Exited(0), "on\n".to_owned(), String::new()));
}

fn mount(arguments: &[&str], place: &Path) -> bool {
    std::process::Command::new("mount").args(arguments).arg(place).status().unwrap().success()
}

#[tokio::test]
async fn a_login_keeps_its_own_variables() {
    let names = ["task", "state", "line", "shell", "code", "mask", "group", "inner", "boot", "how"];
    let environment = names.map(|name| (name.to_owned(), format!("its-{name}"))).to_vec();
    let harness = SshHarness::with(&SshdOptions { environment, ..SshdOptions::default() });
    let connection = harness.connect().await;
    let command = names.map(|name| format!("echo ${name}\n")).concat();
    let (_, out, _) = run(&connection, &command).await;
    let expected = names.map(|name| format!("its-{name}\n")).concat();
    assert_eq!(out, expected);
}
