use futures_util::StreamExt;
use futures_util::stream;

use super::super::*;
use super::harness::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_exit_code_is_told() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let endings = stream::iter(0..=255_u8).map(async |code| {
        let task = launch(&connection, &format!("exit {code}")).await;
        (code, end(&connection, &task).await.ending)
    });
    let endings: Vec<_> = endings.buffer_unordered(8).collect().await;
    assert_eq!(endings.len(), 256);
    for (code, ending) in endings {
        assert_eq!(ending, Ending::Exited(code));
    }
}

#[tokio::test]
async fn a_signal_is_no_exit_code() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    for (name, number) in
        [("TERM", 15), ("KILL", 9), ("INT", 2), ("PIPE", 13), ("SEGV", 11), ("HUP", 1)]
    {
        let (ending, _, err) = run(&connection, &format!("kill -{name} $$")).await;
        assert_eq!((ending, err.as_str()), (Ending::Signalled(number), ""), "{name}");
        let (ending, ..) = run(&connection, &format!("sh -c 'kill -{name} $$'; exit $?")).await;
        assert_eq!(ending, Ending::Exited(128 + number), "{name}");
    }
}

#[tokio::test]
async fn children_that_keep_the_output_open_do_not_keep_the_run() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = launch(&connection, "sleep 1000 & echo main; exit 4").await;
    let end = end(&connection, &task).await;
    assert_eq!(end, ended(Ending::Exited(4), 5, 0));
    // The keeper process ends a moment after it has recorded the end.
    until("one process left", async || marked(&task).len() == 1).await;
    assert!(!kill_all(&connection, &task, LONG).await);
    assert!(marked(&task).is_empty());
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Ended(end)));
}

#[tokio::test]
async fn only_a_note_is_left_after_a_remove() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = launch(&connection, "echo out; sleep 1000").await;
    let mut tail = tail(&connection, &task, 0, 0).await.unwrap();
    read_on(&mut tail, &mut [Vec::new(), Vec::new()], 4, 0).await.unwrap();
    assert_eq!(remove(&connection, &task).await, Err(TaskError::Running));
    kill_all(&connection, &task, LONG).await;
    remove(&connection, &task).await.unwrap();
    remove(&connection, &task).await.unwrap();
    drop(tail);
    harness.until_only(0).await;
    assert_eq!(kept(&harness.folder(&task)), ["gone", "group", "kept", "started"]);
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Missing));
    assert_eq!(wait(&connection, &task).await, Ok(TaskState::Missing));
    assert!(!kill_all(&connection, &task, LONG).await);
    assert_eq!(
        super::tails::tail(&connection, &task, 0, 0).await.unwrap().next().await,
        Err(TaskError::Missing)
    );
}

#[tokio::test]
async fn a_keeper_that_was_killed_is_never_taken_for_a_success() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = launch(&connection, "echo on; sleep 1000").await;
    let mut tail = tail(&connection, &task, 0, 0).await.unwrap();
    read_on(&mut tail, &mut [Vec::new(), Vec::new()], 3, 0).await.unwrap();
    for process in marked(&task).iter().filter(|process| process.command.contains("eval")) {
        signal("-KILL", process.pid);
    }
    for process in marked(&task).iter().filter(|process| process.command.contains("setsid")) {
        signal("-KILL", process.pid);
    }
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Running));
    assert!(!kill_all(&connection, &task, LONG).await);
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Vanished { rebooted: false }));
}

#[tokio::test]
async fn after_a_reboot_a_process_of_the_same_number_is_not_the_run() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = launch(&connection, "sleep 1000").await;
    let note = harness.folder(&task).join("started");
    let group = harness.folder(&task).join("group");
    let now = until("its note", async || whole(&note)).await;
    let group_now = until("its group", async || whole(&group)).await;
    let mut words = now.split_whitespace();
    let (pid, start) = (words.next().unwrap(), words.next().unwrap());
    std::fs::write(&note, format!("{pid} {start} 00000000-0000-0000-0000-000000000000\n")).unwrap();
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Vanished { rebooted: true }));
    // Another machine of the same home and address runs it, for all that this one knows.
    let (first, rest) = now.split_once('\n').unwrap();
    let (audit, host) = rest.split_once('\n').unwrap();
    let (process, _) = first.rsplit_once(' ').unwrap();
    let noted =
        |host: &str| format!("{process} 00000000-0000-0000-0000-000000000000\n{audit}\n{host}");
    std::fs::write(&note, noted("another-machine\n")).unwrap();
    let elsewhere = TaskError::from(Unsupported::Folder);
    assert_eq!(probe(&connection, &task).await, Err(elsewhere));
    std::fs::write(&note, noted(host)).unwrap();
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Vanished { rebooted: true }));
    // Another process has the numbers of both.
    let one_too_many = start.parse::<u64>().unwrap() + 1;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    std::fs::write(&note, format!("{pid} {one_too_many} {boot}")).unwrap();
    let leader = group_now.split_whitespace().next().unwrap();
    std::fs::write(&group, format!("{leader} 1\n")).unwrap();
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Vanished { rebooted: false }));
}

#[tokio::test]
async fn where_nobody_can_look_no_server_was_rebooted_and_no_command_is_missing() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = launch(&connection, "sleep 1000").await;
    let note = harness.folder(&task).join("started");
    until("its note", async || whole(&note)).await;
    let unreadable = TaskError::from(Unsupported::Folder);
    let aside = harness.folder(&task).join("aside");
    std::fs::rename(&note, &aside).unwrap();
    std::fs::create_dir(&note).unwrap();
    assert_eq!(probe(&connection, &task).await, Err(unreadable.clone()));
    std::fs::remove_dir(&note).unwrap();
    std::fs::rename(&aside, &note).unwrap();
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Running));

    let (folder, away) = (harness.sshd.home().join(".lethe"), harness.sshd.home().join("away"));
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, "").unwrap();

    assert_eq!(probe(&connection, &task).await, Err(unreadable));
    let killed = kill(&connection, &task, LONG, StopCause::Cancel).await.unwrap();
    assert_eq!((killed.proven, killed.left.why), (false, Some(Unproven::NoTool)));

    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    kill_all(&connection, &task, LONG).await;
}

/// The names of a folder.
fn kept(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The text of a file, once it is written.
fn whole(path: &std::path::Path) -> Option<String> {
    std::fs::read_to_string(path).ok().filter(|text| text.ends_with('\n'))
}

pub(super) fn signal(signal: &str, pid: u32) {
    let pid = pid.to_string();
    assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
}
