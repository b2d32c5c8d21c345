use futures_util::{FutureExt, StreamExt, stream};
use ring::digest::{SHA256, digest};

use super::super::*;
use super::harness::*;
use crate::ids::Ids;

/// Writes `n` bytes of a known text to both outputs.
pub(super) fn chatty(n: usize) -> String {
    format!("seq 1 2000000 | head -c {n}; seq 2000000 -1 1 | head -c {n} >&2")
}

pub(super) fn expected(n: usize) -> [Vec<u8>; 2] {
    let text = |command: &str| {
        std::process::Command::new("sh").args(["-c", command]).output().unwrap().stdout
    };
    [
        text(&format!("seq 1 2000000 | head -c {n}")),
        text(&format!("seq 2000000 -1 1 | head -c {n}")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outputs_of_any_size_come_whole() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    for n in [0, 1, 4095, 65_536, 1_000_000, 10 * 1024 * 1024] {
        let task = launch(&connection, &chatty(n)).await;
        let mut tail = tail(&connection, &task, 0, 0).await.unwrap();
        let mut read = [Vec::new(), Vec::new()];
        read_on(&mut tail, &mut read, n as u64, n as u64).await.unwrap();
        let end = end(&connection, &task).await;
        assert_eq!(end, super::harness::ended(Ending::Exited(0), n as u64, n as u64));
        for (read, expected) in read.iter().zip(expected(n)) {
            assert_eq!(digest(&SHA256, read).as_ref(), digest(&SHA256, &expected).as_ref());
        }
        remove(&connection, &task).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_has_no_gap_where_it_was_taken_up_again() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let n = 3_000_000;
    let task = launch(&connection, &chatty(n)).await;
    let drawn = Ids::seeded(7);
    let mut read = [Vec::new(), Vec::new()];
    let mut times = 0;
    while read[0].len() < n || read[1].len() < n {
        let connection = harness.connect().await;
        let offsets = [read[0].len() as u64, read[1].len() as u64];
        let mut tail = tail(&connection, &task, offsets[0], offsets[1]).await.unwrap();
        let some = drawn.uuid().as_u64_pair().0 % 400_000 + 1;
        let goals = offsets.map(|offset| (offset + some).min(n as u64));
        if times % 2 == 0 {
            read_on(&mut tail, &mut read, goals[0], goals[1]).await.unwrap();
        } else {
            harness.sshd.kill_sessions().unwrap();
            // Bytes that were sent before may still arrive.
            let lost = read_on(&mut tail, &mut read, u64::MAX, u64::MAX).await;
            assert!(matches!(lost, Err(TaskError::Remote(_))), "{lost:?}");
        }
        times += 1;
    }
    assert!(times > 3);
    assert_eq!(read, expected(n));
    let connection = harness.connect().await;
    assert_eq!(end(&connection, &task).await.ending, Ending::Exited(0));
    drop(connection);
    harness.until_only(0).await;
}

#[tokio::test]
async fn a_killed_session_leaves_the_run_and_no_follower() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = launch(&connection, "echo on; sleep 1000").await;
    let mut tail = tail(&connection, &task, 0, 0).await.unwrap();
    read_on(&mut tail, &mut [Vec::new(), Vec::new()], 3, 0).await.unwrap();
    let waiting = wait(&connection, &task);
    tokio::pin!(waiting);
    let waits = async || {
        harness
            .sshd
            .processes()
            .unwrap()
            .iter()
            .any(|process| process.command.ends_with("-f ended"))
    };
    tokio::select! {
        ended = &mut waiting => panic!("{ended:?}"),
        () = until("a wait on the server", waits) => {}
    }
    let sleeps = async || marked(&task).iter().any(|process| process.command == "sleep 1000");
    until("the last of its processes", sleeps).await;
    let following = || test_support::sshd::processes(&format!("LETHE_FOLLOWS={task}")).unwrap();
    assert!(!following().is_empty());
    harness.sshd.kill_sessions().unwrap();
    assert!(matches!(waiting.await, Err(TaskError::Remote(_))));
    assert!(matches!(tail.next().await, Err(TaskError::Remote(_))));
    until("no follower", async || following().is_empty()).await;
    let connection = harness.connect().await;
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Running));
    assert!(!kill_all(&connection, &task, LONG).await);
    harness.until_only(0).await;
}

#[tokio::test]
async fn a_remove_ends_followers_whose_connection_ended_unseen() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let task = launch(&connection, "echo on").await;
    let mut tail = tail(&connection, &task, 0, 0).await.unwrap();
    read_on(&mut tail, &mut [Vec::new(), Vec::new()], 3, 0).await.unwrap();
    end(&connection, &task).await;
    remove(&harness.connect().await, &task).await.unwrap();
    harness.until_only(0).await;
    assert!(tail.next().await.is_err());
}

#[tokio::test]
async fn a_line_is_told_while_the_command_runs() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    let lines = harness.sshd.home().join("lines");
    assert!(std::process::Command::new("mkfifo").arg(&lines).status().unwrap().success());
    let task = launch(&connection, "while read -r line; do echo \"$line\"; done <~/lines").await;
    let mut pipe = std::fs::OpenOptions::new().read(true).write(true).open(&lines).unwrap();
    let mut tail = tail(&connection, &task, 0, 0).await.unwrap();
    let mut read = [Vec::new(), Vec::new()];
    let mut longest = std::time::Duration::ZERO;
    for number in 0..50 {
        let begun = std::time::Instant::now();
        std::io::Write::write_all(&mut pipe, format!("{number:04}\n").as_bytes()).unwrap();
        read_on(&mut tail, &mut read, (number + 1) * 5, 0).await.unwrap();
        if number > 0 {
            longest = longest.max(begun.elapsed());
        }
    }
    println!("the slowest of 49 lines took {longest:?}");
    assert_eq!(probe(&connection, &task).await, Ok(TaskState::Running));
    kill_all(&connection, &task, LONG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_each_told_right() {
    let harness = SshHarness::start();
    let each = async |number: usize| {
        let connection = harness.connect().await;
        let n = [1, 100, 10_000, 1_000_000][number % 4];
        let (how, ending) = match number % 3 {
            0 => ("kill -KILL $$".to_owned(), Ending::Signalled(9)),
            1 => ("kill -TERM $$".to_owned(), Ending::Signalled(15)),
            _ => (format!("exit {number}"), Ending::Exited(number.try_into().unwrap())),
        };
        let task = launch(&connection, &format!("{}; {how}", chatty(n))).await;
        let mut tail = tail(&connection, &task, 0, 0).await.unwrap();
        let mut read = [Vec::new(), Vec::new()];
        let reading = read_on(&mut tail, &mut read, n as u64, n as u64);
        let (ended, ()) = tokio::join!(end(&connection, &task), reading.map(Result::unwrap));
        assert_eq!(ended, super::harness::ended(ending, n as u64, n as u64));
        assert!(read == expected(n), "{number}");
        remove(&connection, &task).await.unwrap();
    };
    stream::iter(0..60).map(each).buffer_unordered(20).collect::<()>().await;
    harness.until_only(0).await;
}
