use std::path::{Path, PathBuf};

use super::super::*;
use super::harness::*;
use test_support::sshd::SshdOptions;

/// A complete run, on a server with another shell and other tools.
async fn story(options: &SshdOptions, exact: bool) {
    let harness = SshHarness::with(options);
    let connection = harness.connect().await;
    assert_eq!(
        run(&connection, "echo out; echo err >&2; exit 3").await,
        (Ending::Exited(3), "out\n".to_owned(), "err\n".to_owned())
    );
    assert_eq!(run(&connection, "kill -KILL $$").await.0, Ending::Signalled(9));
    if exact {
        assert_eq!(run(&connection, "kill -INT $$").await.0, Ending::Signalled(2));
    }
    let launch = Launch {
        task: task(),
        command: "echo on; sleep 1000",
        environment: &[],
        timeout_seconds: HOUR,
    };
    assert_eq!(start(&connection, &launch).await, Ok(Started::Launched));
    assert_eq!(start(&connection, &launch).await, Ok(Started::AlreadyThere));
    let mut tail = tail(&connection, &launch.task, 0, 0).await.unwrap();
    read_on(&mut tail, &mut [Vec::new(), Vec::new()], 3, 0).await.unwrap();
    drop(tail);
    assert_eq!(probe(&connection, &launch.task).await, Ok(TaskState::Running));
    assert!(!kill_all(&connection, &launch.task, LONG).await);
    let ended = end(&connection, &launch.task).await;
    assert_eq!(ended.ending, Ending::Signalled(15));
    remove(&connection, &launch.task).await.unwrap();
    drop(connection);
    harness.until_only(0).await;
}

/// A folder in which every programme that our scripts call is this one.
pub(super) fn instead(of: &[&str], programme: &Path) -> (tempfile::TempDir, SshdOptions) {
    let folder = tempfile::tempdir().unwrap();
    for name in of {
        std::os::unix::fs::symlink(programme, folder.path().join(name)).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let environment = vec![("PATH".to_owned(), path)];
    (folder, SshdOptions { environment, ..SshdOptions::default() })
}

#[tokio::test]
async fn bash_as_a_login_shell_and_as_sh() {
    let bash = PathBuf::from("/bin/bash");
    story(&SshdOptions { shell: bash.clone(), ..SshdOptions::default() }, true).await;
    let (_folder, options) = instead(&["sh"], &bash);
    story(&options, true).await;
}

#[tokio::test]
async fn a_restricted_shell() {
    let rbash = PathBuf::from("/bin/rbash");
    story(&SshdOptions { shell: rbash, ..SshdOptions::default() }, true).await;
}

#[tokio::test]
async fn busybox_alone() {
    let Some(busybox) = test_support::sshd::busybox() else {
        panic!("busybox is missing: `.ci/tools busybox` gets it")
    };
    let all = [
        "sh", "setsid", "dd", "head", "tail", "cat", "wc", "ln", "mv", "rm", "mkdir", "grep",
        "sleep", "true", "chmod", "kill", "seq", "env", "tee", "id", "uname",
    ];
    let (folder, options) = instead(&all, &busybox);
    let environment = vec![("PATH".to_owned(), folder.path().display().to_string())];
    let shell = folder.path().join("sh");
    story(&SshdOptions { shell, environment, ..options }, false).await;
}

#[tokio::test]
async fn a_login_may_say_what_it_likes() {
    let harness = SshHarness::with(&SshdOptions {
        shell: PathBuf::from("/bin/bash"),
        ..SshdOptions::default()
    });
    let noise = "echo Welcome; printf 'no newline'; echo careful >&2; printf 'here neither' >&2\n";
    std::fs::write(harness.sshd.home().join(".bashrc"), noise).unwrap();
    let connection = harness.connect().await;
    let limits = crate::remote::Limits { within: LONG, bytes_max: 1000 };
    let said = connection.exec("true", b"", limits).await.unwrap();
    assert_eq!(said.out, b"Welcome\nno newline");
    let (ending, out, err) = run(&connection, "echo out; echo err >&2").await;
    assert_eq!((ending, out.as_str(), err.as_str()), (Ending::Exited(0), "out\n", "err\n"));
}

#[tokio::test]
async fn a_full_disk_is_never_a_success() {
    let harness = SshHarness::start();
    let place = harness.sshd.home().join(".lethe");
    std::fs::create_dir(&place).unwrap();
    let mount = |arguments: &[&str]| {
        std::process::Command::new("mount").args(arguments).arg(&place).status().unwrap().success()
    };
    if !mount(&["-t", "tmpfs", "-o", "size=64k", "tmpfs"]) {
        let left_out = std::env::var_os("LETHE_TEST_NO_MOUNT").is_some();
        assert!(left_out, "a tmpfs cannot be mounted: run as root, or set LETHE_TEST_NO_MOUNT=1");
        return;
    }
    let connection = harness.connect().await;
    let task = launch(&connection, "head -c 1000000 /dev/zero; exit 0").await;
    let found = wait(&connection, &task).await;
    let next = Launch {
        task: super::harness::task(),
        command: "true",
        environment: &[],
        timeout_seconds: HOUR,
    };
    let refused = start(&connection, &next).await;
    drop(connection);
    harness.until_only(0).await;
    // Lazily: a process that is just ending still stands in it.
    let umount = std::process::Command::new("umount").arg("-l").arg(&place).status();
    assert!(umount.unwrap().success());
    assert_eq!(found, Ok(TaskState::Vanished { rebooted: false }));
    assert_eq!(refused, Err(TaskError::Unsupported(Unsupported::Folder)));
}
