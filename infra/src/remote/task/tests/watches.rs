use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use domain::server::ConnectFailure;
use test_support::sshd::{Process, SshdOptions, processes};
use tokio::time::{Duration, timeout};

use super::super::script::END_SIGNAL;
use super::super::watch::watch_until;
use super::super::*;
use super::ends::signal;
use super::harness::*;
use super::outputs::{chatty, expected};
use crate::remote::{Connection, RemoteError};

fn one_at_a_time() -> SshHarness {
    SshHarness::with(&SshdOptions { config: "MaxSessions 1".to_owned(), ..SshdOptions::default() })
}

/// What follows the command on the server.
fn followers(task: &TaskId) -> Vec<Process> {
    processes(&format!("LETHE_FOLLOWS={task}")).unwrap()
}

async fn until_unfollowed(task: &TaskId) {
    let unfollowed = async || {
        let found = followers(task);
        if found.is_empty() { Ok(()) } else { Err(found) }
    };
    until("an end of what follows it", unfollowed).await;
}

fn add(chunk: &Chunk, read: &mut [Vec<u8>; 2]) {
    let into = match chunk.output {
        Output::Out => &mut read[0],
        Output::Err => &mut read[1],
    };
    assert_eq!(chunk.offset, into.len() as u64);
    into.extend_from_slice(&chunk.bytes);
}

/// The next of a watch; its future is dropped each time that nothing is there.
async fn next(watched: &mut Watch) -> Watched {
    let patient = async {
        loop {
            if let Ok(next) = timeout(Duration::from_millis(1), watched.next()).await {
                return next;
            }
        }
    };
    timeout(LONG, patient).await.expect("nothing came")
}

/// Reads until both outputs have these lengths.
async fn read_to(watched: &mut Watch, read: &mut [Vec<u8>; 2], lengths: [usize; 2]) {
    while read[0].len() < lengths[0] || read[1].len() < lengths[1] {
        match next(watched).await {
            Watched::Chunk(chunk) => add(&chunk, read),
            other @ (Watched::Ended | Watched::Lost) => panic!("{other:?}"),
        }
    }
}

async fn read_to_its_end(watched: &mut Watch, read: &mut [Vec<u8>; 2]) {
    loop {
        match next(watched).await {
            Watched::Chunk(chunk) => add(&chunk, read),
            Watched::Ended => return,
            Watched::Lost => panic!("the watch is lost"),
        }
    }
}

async fn recorded_end(connection: &Connection, task: &TaskId) -> End {
    match probe(connection, task).await.unwrap() {
        TaskState::Ended(end) => end,
        other @ (TaskState::Missing | TaskState::Running | TaskState::Vanished { .. }) => {
            panic!("{other:?}")
        }
    }
}

/// These bytes of an output, and whether all have come.
async fn part(
    connection: &Connection,
    task: &TaskId,
    output: Output,
    from: u64,
    to: u64,
) -> (Vec<u8>, bool) {
    let mut part = rest(connection, task, output, from, to).await.unwrap();
    let mut read = Vec::new();
    while let Some(chunk) = timeout(LONG, part.next()).await.expect("nothing came").unwrap() {
        assert_eq!((chunk.output, chunk.offset), (output, from + read.len() as u64));
        read.extend_from_slice(&chunk.bytes);
    }
    (read, part.is_whole())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_output_comes_whole_where_one_channel_is_allowed() {
    let harness = one_at_a_time();
    let connection = harness.connect().await;
    for n in [0, 1, 65_536, 10 * 1024 * 1024] {
        let task = launch(&connection, &chatty(n)).await;
        let mut read = [Vec::new(), Vec::new()];
        let mut watched = watch(&connection, &task, Some((0, 0))).await.unwrap();
        read_to_its_end(&mut watched, &mut read).await;
        let end = recorded_end(&connection, &task).await;
        let ends = [(Output::Out, end.out_bytes), (Output::Err, end.err_bytes)];
        for (read, (output, to)) in read.iter_mut().zip(ends) {
            let (rest, whole) = part(&connection, &task, output, read.len() as u64, to).await;
            read.extend(rest);
            assert!(whole, "{n}");
        }
        assert!(read == expected(n), "{n}");
        remove(&connection, &task).await.unwrap();
    }
    drop(connection);
    harness.until_only(0).await;
}

#[tokio::test]
async fn a_watch_that_is_closed_leaves_its_channel_to_a_kill() {
    let harness = one_at_a_time();
    let connection = harness.connect().await;
    let task = launch(&connection, "echo on; sleep 1000").await;
    let mut watched = watch(&connection, &task, Some((0, 0))).await.unwrap();
    read_to(&mut watched, &mut [Vec::new(), Vec::new()], [3, 0]).await;
    let refused = RemoteError::Refused(ConnectFailure::Command);
    assert_eq!(probe(&connection, &task).await, Err(TaskError::Remote(refused)));

    watched.close().await;

    kill(&connection, &task, LONG, StopCause::Cancel).await.unwrap();
    assert!(marked(&task).is_empty());
    assert_eq!(recorded_end(&connection, &task).await.ending, Ending::Signalled(15));
    until_unfollowed(&task).await;
}

#[tokio::test]
async fn a_watch_ends_at_once_where_the_command_has_ended() {
    let harness = one_at_a_time();
    let connection = harness.connect().await;
    let task = launch(&connection, "echo on").await;
    end(&connection, &task).await;
    let mut watched = watch(&connection, &task, Some((0, 0))).await.unwrap();
    read_to_its_end(&mut watched, &mut [Vec::new(), Vec::new()]).await;
    remove(&connection, &task).await.unwrap();
    let mut watched = watch(&connection, &task, Some((0, 0))).await.unwrap();
    assert_eq!(next(&mut watched).await, Watched::Ended);
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Missing));
    let mut part = rest(&connection, &task, Output::Out, 0, 3).await.unwrap();
    assert_eq!(part.next().await, Err(TaskError::Missing));
}

#[tokio::test]
async fn a_watch_of_the_end_alone_brings_no_output() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let command = format!("while [ ! -e ~/go ]; do sleep 0.1; done; {}", chatty(1_000_000));
    let task = launch(&connection, &command).await;
    let mut watched = watch(&connection, &task, None).await.unwrap();
    std::fs::write(harness.sshd.home().join("go"), "").unwrap();
    assert_eq!(next(&mut watched).await, Watched::Ended);
    assert_eq!(recorded_end(&connection, &task).await.out_bytes, 1_000_000);
}

/// As where no inotify instance is left.
#[tokio::test]
async fn what_tail_says_is_not_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let tail = "#!/bin/sh\necho 'tail: inotify cannot be used' >&2\n\
                PATH=/usr/bin:/bin exec tail \"$@\"\n";
    let mut options = std::fs::OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o755);
    let mut file = options.open(folder.path().join("tail")).unwrap();
    file.write_all(tail.as_bytes()).unwrap();
    drop(file);
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let environment = vec![("PATH".to_owned(), path)];
    let harness = SshHarness::with(&SshdOptions { environment, ..SshdOptions::default() });
    let connection = harness.connect().await;
    let command = "echo out; echo err >&2; while [ ! -e ~/go ]; do sleep 0.1; done";
    let task = launch(&connection, command).await;
    let mut watched = watch(&connection, &task, Some((0, 0))).await.unwrap();
    let mut read = [Vec::new(), Vec::new()];
    read_to(&mut watched, &mut read, [4, 4]).await;
    std::fs::write(harness.sshd.home().join("go"), "").unwrap();
    read_to_its_end(&mut watched, &mut read).await;
    assert_eq!(read, [b"out\n", b"err\n"]);
    assert_eq!(part(&connection, &task, Output::Err, 0, 4).await, (b"err\n".to_vec(), true));
}

#[tokio::test]
async fn a_watch_ends_where_nobody_was_left_to_signal_the_end() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = launch(&connection, "echo on; sleep 1000").await;
    let (offsets, often) = (Some((0, 0)), Duration::from_millis(50));
    let watched = watch_until(&connection, &task, offsets, END_SIGNAL, often).await;
    let mut watched = watched.unwrap();
    let mut read = [Vec::new(), Vec::new()];
    read_to(&mut watched, &mut read, [3, 0]).await;
    let note = std::fs::read_to_string(harness.folder(&task).join("started")).unwrap();
    signal("-KILL", note.split_whitespace().next().unwrap().parse().unwrap());
    // The command lives on, and is watched on.
    let some_questions = timeout(often * 6, watched.next()).await;
    assert!(some_questions.is_err(), "{some_questions:?}");
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Running));
    until("an end of what is marked", async || {
        for process in marked(&task) {
            let pid = process.pid.to_string();
            // One of them may end with another.
            std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap();
        }
        marked(&task).is_empty()
    })
    .await;
    read_to_its_end(&mut watched, &mut read).await;
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Vanished { rebooted: false }));
}

#[tokio::test]
async fn a_shell_that_is_killed_leaves_no_tail() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = launch(&connection, "echo on; sleep 1000").await;
    let mut watched = watch(&connection, &task, Some((0, 0))).await.unwrap();
    read_to(&mut watched, &mut [Vec::new(), Vec::new()], [3, 0]).await;
    let numbers: Vec<u32> = followers(&task).iter().map(|process| process.pid).collect();
    let is_first =
        |number: &&u32| parent(**number).is_some_and(|parent| !numbers.contains(&parent));
    let shell = numbers.iter().find(is_first);
    signal("-KILL", *shell.unwrap());
    until_unfollowed(&task).await;
    assert_eq!(next(&mut watched).await, Watched::Lost);
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Running));
    kill(&connection, &task, LONG, StopCause::Cancel).await.unwrap();
}

/// `None`: it has ended.
fn parent(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let after_name = stat.rsplit(')').next()?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

#[tokio::test]
async fn a_part_is_read_to_the_byte() {
    let harness = one_at_a_time();
    let connection = harness.connect().await;
    let n = 1_000_000;
    let task = launch(&connection, &chatty(n)).await;
    end(&connection, &task).await;
    let n = n as u64;
    let parts = [(0, 0), (0, 1), (5, 4101), (400_000, n), (n - 1, n), (n, n), (9, 3)];
    for (output, written) in [Output::Out, Output::Err].into_iter().zip(expected(1_000_000)) {
        for (from, to) in parts {
            let (read, whole) = part(&connection, &task, output, from, to).await;
            let bytes = usize::try_from(to.saturating_sub(from)).unwrap();
            let place = written.iter().skip(usize::try_from(from).unwrap()).take(bytes);
            assert!(read.iter().eq(place), "{output:?} {from} {to}");
            assert!(whole, "{output:?} {from} {to}");
        }
        let (read, whole) = part(&connection, &task, output, n - 10, n + 10).await;
        assert_eq!((read.len(), whole), (10, false));
        let (read, whole) = part(&connection, &task, output, n + 10, n + 20).await;
        assert_eq!((read.len(), whole), (0, false));
    }
}

#[tokio::test]
async fn what_is_added_to_an_output_that_was_cut_comes_once() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let command = "echo first; while [ ! -e ~/go ]; do sleep 0.1; done; echo second; \
                   while [ ! -e ~/on ]; do sleep 0.1; done";
    let task = launch(&connection, command).await;
    let mut read = [Vec::new(), Vec::new()];
    let mut watched = watch(&connection, &task, Some((0, 0))).await.unwrap();
    read_to(&mut watched, &mut read, [6, 0]).await;
    watched.close().await;
    cut(&harness.folder(&task).join("out"));
    let mut watched = watch(&connection, &task, Some((6, 0))).await.unwrap();
    std::fs::write(harness.sshd.home().join("go"), "").unwrap();
    read_to(&mut watched, &mut read, [13, 0]).await;
    std::fs::write(harness.sshd.home().join("on"), "").unwrap();
    read_to_its_end(&mut watched, &mut read).await;
    assert_eq!(String::from_utf8_lossy(&read[0]), "first\nsecond\n");
    assert_eq!(recorded_end(&connection, &task).await.out_bytes, 7);
}

fn cut(file: &Path) {
    std::fs::OpenOptions::new().write(true).truncate(true).open(file).unwrap();
}
