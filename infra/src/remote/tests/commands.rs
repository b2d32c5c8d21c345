//! The output of commands, and their ends.

use std::time::Duration;

use domain::server::ConnectFailure;
use tokio::time::timeout;

use super::{LIMITS, SshHarness, run, until};
use crate::remote::{ChannelEvent, Identity, Limits, RemoteError};

#[tokio::test]
async fn a_command_has_input_two_outputs_and_a_status() {
    let harness = SshHarness::new();
    let connection = harness.connect().await;
    let done = connection.exec("cat; echo trouble >&2; exit 7", b"some input", LIMITS).await;
    let done = done.unwrap();
    assert_eq!(done.out, b"some input");
    assert_eq!(done.err, b"trouble\n");
    assert_eq!(done.exit, Some(7));
    assert_eq!(run(&connection, "kill -9 $$").await.exit, None);
}

#[tokio::test]
async fn input_and_output_larger_than_every_window_pass_at_once() {
    let harness = SshHarness::new();
    let connection = harness.connect().await;
    let input: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).take(3_000_000).collect();
    let limits = Limits { bytes_max: 4_000_000, ..LIMITS };
    let done = connection.exec("cat", &input, limits).await.unwrap();
    assert_eq!(done.exit, Some(0));
    assert!(done.out == input);
}

#[tokio::test]
async fn fifty_commands_run_one_after_another() {
    let harness = SshHarness::new();
    let connection = harness.connect().await;
    for number in 0..50 {
        let done = run(&connection, &format!("echo {number}; exit {number}")).await;
        assert_eq!(done.out, format!("{number}\n").into_bytes());
        assert_eq!(done.exit, Some(number));
    }
    assert!(connection.is_live());
}

#[tokio::test]
async fn fifty_commands_run_one_after_another_where_one_is_allowed_at_a_time() {
    let harness = SshHarness::of(Identity::generate().unwrap(), "MaxSessions 1".to_owned());
    let connection = harness.connect().await;
    for number in 0..50 {
        let done = run(&connection, &format!("exit {number}")).await;
        assert_eq!(done.exit, Some(number));
    }
    assert!(connection.is_live());
}

#[tokio::test]
async fn many_commands_run_side_by_side() {
    let harness = SshHarness::new();
    let connection = harness.connect().await;
    let commands = (0..20).map(|number| {
        let connection = &connection;
        async move { run(connection, &format!("sleep 0.0{number}; echo {number}")).await.out }
    });
    let outs = futures_util::future::join_all(commands).await;
    for (number, out) in outs.into_iter().enumerate() {
        assert_eq!(out, format!("{number}\n").into_bytes());
    }
}

#[tokio::test]
async fn a_command_that_says_too_much_ends_its_connection() {
    let harness = SshHarness::new();
    let connection = harness.connect().await;
    let outcome = connection.exec("cat /dev/zero", b"", LIMITS).await;
    assert_eq!(outcome.unwrap_err(), RemoteError::TooMuch);
    assert!(!connection.is_live());
    until("the end of cat", async || harness.sshd.processes().unwrap().is_empty()).await;
}

#[tokio::test]
async fn a_command_that_takes_too_long_ends_its_connection() {
    let harness = SshHarness::new();
    let connection = harness.connect().await;
    let limits = Limits { within: Duration::from_millis(300), ..LIMITS };
    let outcome = connection.exec("sleep 1000", b"", limits).await;
    assert_eq!(outcome.unwrap_err(), RemoteError::TimedOut(ConnectFailure::Command));
    assert!(!connection.is_live());
    let outcome = connection.exec("echo", b"", LIMITS).await;
    assert_eq!(outcome.unwrap_err(), RemoteError::Lost(ConnectFailure::Command));
}

#[tokio::test]
async fn a_killed_session_is_a_lost_connection() {
    let harness = SshHarness::new();
    let connection = harness.connect().await;
    let mut channel = connection.open("echo here; sleep 1000", b"").await.unwrap();
    assert_eq!(channel.next().await, Some(ChannelEvent::Out("here\n".into())));
    harness.sshd.kill_sessions().unwrap();
    assert_eq!(channel.next().await, None);
    assert!(!channel.has_ended());
    until("the loss", async || !connection.is_live()).await;
}

#[tokio::test]
async fn output_comes_while_the_command_runs() {
    let harness = SshHarness::new();
    let connection = harness.connect().await;
    let command = "echo one; read line; echo \"$line\" >&2; exit 3";
    let mut channel = connection.open(command, b"two\n").await.unwrap();
    assert_eq!(channel.next().await, Some(ChannelEvent::Out("one\n".into())));
    // A server may send either of the two first.
    let mut rest = [channel.next().await, channel.next().await];
    rest.sort_by_key(|piece| matches!(piece, Some(ChannelEvent::Exit(_))));
    assert_eq!(rest, [Some(ChannelEvent::Err("two\n".into())), Some(ChannelEvent::Exit(3))]);
    assert_eq!(channel.next().await, None);
    assert!(channel.has_ended());
    assert!(connection.is_live());
}

#[tokio::test]
async fn a_refused_channel_leaves_its_connection_to_others() {
    let harness = SshHarness::of(Identity::generate().unwrap(), "MaxSessions 1".to_owned());
    let connection = harness.connect().await;
    let first = connection.open("exec sleep 1000", b"").await.unwrap();
    let outcome = connection.exec("echo", b"", LIMITS).await;
    assert_eq!(outcome.unwrap_err(), RemoteError::Refused(ConnectFailure::Command));
    assert!(connection.is_live());
    drop(first);
    drop(connection);
    assert_eq!(run(&harness.connect().await, "echo in").await.out, b"in\n");
}

#[tokio::test]
async fn a_command_that_is_given_up_half_way_is_closed() {
    let harness = SshHarness::new();
    let connection = harness.connect().await;
    let flood = connection.exec("cat /dev/zero", b"", Limits { bytes_max: usize::MAX, ..LIMITS });
    let cat = || harness.sshd.processes().unwrap().iter().any(|one| one.command.contains("cat"));
    tokio::select! {
        _ = flood => panic!("it ended"),
        () = until("cat", async || cat()) => {}
    }
    assert_eq!(run(&connection, "echo in").await.out, b"in\n");
    until("the end of cat", async || !cat()).await;
}

#[tokio::test]
async fn a_closed_channel_leaves_its_connection_to_others() {
    let harness = SshHarness::new();
    let connection = harness.connect().await;
    let mut flood = connection.open("cat /dev/zero", b"").await.unwrap();
    assert!(flood.next().await.is_some());
    flood.close().await;
    drop(connection.open("cat /dev/zero", b"").await.unwrap());
    assert_eq!(run(&connection, "echo in").await.out, b"in\n");
    until("the end of cat", async || harness.sshd.processes().unwrap().is_empty()).await;
}

#[tokio::test]
async fn a_dropped_connection_ends_its_session_and_its_channels() {
    let harness = SshHarness::new();
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = alive();
    let connection = harness.connect().await;
    let mut quiet = connection.open("exec sleep 1000", b"").await.unwrap();
    // The last: what is not read holds up the whole connection.
    let unread = connection.open("cat /dev/zero", b"").await.unwrap();
    assert!(alive() > before);
    let waits = tokio::spawn(async move { quiet.next().await });
    // Now it waits: whoever drops the connection has to wake it.
    tokio::task::yield_now().await;
    drop(connection);
    assert_eq!(timeout(LIMITS.within, waits).await.unwrap().unwrap(), None);
    until("the end of the task", async || alive() == before).await;
    drop(unread);
    let cat = || harness.sshd.processes().unwrap().iter().any(|one| one.command.contains("cat"));
    until("the end of cat", async || !cat()).await;
    until("the end of the session", async || harness.sshd.log().contains("do_cleanup")).await;
}

#[tokio::test]
async fn a_stalled_reader_holds_the_server_up_instead_of_filling_memory() {
    let harness = SshHarness::new();
    let connection = harness.connect().await;
    let command = "dd if=/dev/zero bs=64k 2>/dev/null & echo $! >&2; wait";
    let mut channel = connection.open(command, b"").await.unwrap();
    let pid = loop {
        if let Some(ChannelEvent::Err(line)) = channel.next().await {
            break String::from_utf8(line.to_vec()).unwrap().trim().to_owned();
        }
    };
    let written = || {
        let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
        io.lines().nth(1).unwrap().trim_start_matches("wchar: ").parse::<u64>().unwrap()
    };
    let mut last = (written(), 0);
    until("a standstill", async || {
        let now = written();
        last = if now == last.0 { (now, last.1 + 1) } else { (now, 0) };
        last.1 == 40
    })
    .await;
    // The bytes in pipes, in both sockets and in the window.
    assert!(last.0 < 32 * 1024 * 1024, "{}", last.0);
}
