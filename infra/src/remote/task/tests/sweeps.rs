use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::SystemTime;

use domain::ServerId;

use super::super::*;
use super::harness::*;
use crate::clock::Clock;
use crate::ids::Ids;

const DAY: Duration = Duration::from_hours(24);

/// A file that was written so many days ago, as the last one of its folder.
fn put(path: &Path, days: u32) {
    let folder = path.parent().unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::write(path, "1 1 another-boot\n").unwrap();
    date(path, days);
    date(folder, days);
}

/// What has changed so many days ago for the last time.
fn date(path: &Path, days: u32) {
    let file = File::open(path).unwrap();
    let now = SystemTime::from(Clock::system().now());
    file.set_modified(now - DAY * days).unwrap();
}

#[tokio::test]
async fn what_ended_or_was_removed_14_days_ago_is_deleted_and_nothing_else() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let make = |task: TaskId, files: &[(&str, u32)]| {
        for (name, days) in files {
            put(&harness.folder(&task).join(name), *days);
        }
        task
    };
    let ended = make(task(), &[("started", 20), ("out", 1), ("exit", 15)]);
    let removed = make(task(), &[("started", 20), ("gone", 15)]);
    let elsewhere = TaskId { server: ServerId(Ids::system().uuid()), ..task() };
    let wanted = make(task(), &[("started", 20), ("exit", 15)]);
    let kept = [
        wanted,
        make(task(), &[("started", 20), ("exit", 13)]),
        make(task(), &[("started", 40), ("exit", 30), ("gone", 1)]),
        make(task(), &[("exit", 30), ("kept", 13)]),
        make(task(), &[("started", 40), ("out", 40)]),
        make(elsewhere, &[("started", 20), ("exit", 15)]),
    ];
    assert_eq!(sweep(&connection, wanted.server, &[wanted]).await, Ok(2));
    for task in [ended, removed] {
        assert!(!harness.folder(&task).exists(), "{task}");
    }
    for task in kept {
        assert!(fs::read_dir(harness.folder(&task)).unwrap().count() >= 2, "{task}");
    }
    assert_eq!(sweep(&connection, wanted.server, &[]).await, Ok(1));
    assert_eq!(fs::read_dir(harness.sshd.home().join(".lethe/runs")).unwrap().count(), 5);
}

#[tokio::test]
async fn no_symbolic_link_is_followed() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let outside = tempfile::tempdir().unwrap();
    let (precious, server) = (outside.path().join("run/exit"), task().server);
    put(&precious, 30);
    let [linked, holding, pointing] = [task(), task(), task()].map(|task| harness.folder(&task));
    fs::create_dir_all(&holding).unwrap();
    symlink(outside.path().join("run"), holding.join("link")).unwrap();
    put(&holding.join("exit"), 30);
    symlink(outside.path().join("run"), &linked).unwrap();
    fs::create_dir(&pointing).unwrap();
    symlink(&precious, pointing.join("exit")).unwrap();
    date(&pointing, 30);
    assert_eq!(sweep(&connection, server, &[]).await, Ok(1));
    assert!(!holding.exists() && linked.is_symlink() && pointing.join("exit").is_symlink());
    assert!(precious.exists());

    let place = harness.sshd.home().join(".lethe");
    fs::remove_dir_all(&place).unwrap();
    let far = outside.path().join("runs").join(task().to_string()).join("exit");
    put(&far, 30);
    symlink(outside.path(), &place).unwrap();
    assert_eq!(sweep(&connection, server, &[]).await, Ok(0));
    assert!(far.exists());
}

#[tokio::test]
async fn a_run_at_work_stays_whatever_its_files_say() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = launch(&connection, "until [ -e go ]; do sleep 0.05; done").await;
    let exit = harness.folder(&task).join("exit");
    put(&exit, 30);
    assert_eq!(sweep(&connection, task.server, &[]).await, Ok(0));
    fs::remove_file(&exit).unwrap();
    fs::write(harness.sshd.home().join("go"), "").unwrap();
    end(&connection, &task).await;
    // Its keeper lives a moment longer.
    until("it is deleted", async || {
        put(&exit, 30);
        match sweep(&connection, task.server, &[]).await {
            Ok(1) => Ok(()),
            other => Err(other),
        }
    })
    .await;
    assert!(!harness.folder(&task).exists());
}
