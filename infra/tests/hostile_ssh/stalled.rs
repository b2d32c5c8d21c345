//! Output that nobody reads waits at the server; a call whose output never comes ends.

use std::collections::HashSet;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::future::join_all;
use infra::remote::{Channel, Connection};
use tokio::net::TcpStream;

use crate::harness::{Client, Harness, Memory, report};
use crate::packet::Packet;
use crate::wire::{CLIENT_CHANNEL, ServerStream};

const AT_ONCE: usize = 10;
const ROUNDS: usize = 20;
const PIECE: u32 = 32_000;
/// A request on a channel, and its close (RFC 4254, 9).
const EXEC: u8 = 98;
const CLOSE: u8 = 97;

async fn stalled(client: &Client) -> (Connection, Channel) {
    let Client { remote, address, pinned, identity, .. } = client;
    let connection = remote.connect(address, "ada", *pinned, identity).await.unwrap();
    let channel = connection.open("cat /dev/zero", b"").await.unwrap();
    (connection, channel)
}

/// 200 connections, 10 at a time, that are left unread until nothing moves any more.
fn leave_unread<H, F>(harm: H)
where
    H: Fn(TcpStream, Arc<AtomicU64>) -> F + Send + 'static,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let harness = Harness::new();
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let client = harness.server(move |stream| harm(stream, Arc::clone(&counted)), None);
    let (started, mut memory) = (Instant::now(), None);
    for count in std::iter::once(1).chain([AT_ONCE; ROUNDS]) {
        let held = harness.ours.block_on(join_all((0..count).map(|_| stalled(&client))));
        let mut last = (0, 0);
        harness.until("a standstill", || {
            let now = sent.load(Ordering::Relaxed);
            last = if now == last.0 { (now, last.1 + 1) } else { (now, 0) };
            last.1 == 40
        });
        drop(held);
        harness.until("the end of our tasks", || harness.tasks() == 0);
        memory.get_or_insert_with(Memory::now);
    }
    let growth = memory.unwrap().growth();
    report(started.elapsed(), growth);
    assert!(growth < 32 << 20, "{growth} bytes");
    harness.assert_nothing_is_left();
}

async fn running(stream: TcpStream) -> io::Result<ServerStream> {
    let mut wire = ServerStream::greet(stream).await?;
    wire.exchange().await?;
    wire.let_in().await?;
    wire.run().await?;
    Ok(wire)
}

fn zeros() -> Packet {
    Packet::of(94).number(CLIENT_CHANNEL).string(vec![0; usize::try_from(PIECE).unwrap()])
}

#[test]
fn a_server_that_falls_silent_under_a_command() {
    let harness = Harness::new();
    let client = harness.server_watched(|stream| async {
        let mut wire = running(stream).await?;
        wire.send(&zeros()).await?;
        wire.wait().await
    });
    harness.ours.block_on(async {
        let (connection, mut channel) = stalled(&client).await;
        assert!(channel.next().await.is_some());
        assert!(connection.is_live());
        assert_eq!(channel.next().await, None);
        assert!(!channel.has_ended());
        assert!(!connection.is_live());
    });
    harness.assert_nothing_is_left();
}

#[test]
fn a_command_that_is_given_up_before_its_answer_is_closed() {
    let harness = Harness::new();
    let heard = Arc::new(Mutex::new(HashSet::new()));
    let messages = Arc::clone(&heard);
    let harm = move |stream| {
        let messages = Arc::clone(&messages);
        async move {
            let mut wire = ServerStream::greet(stream).await?;
            wire.exchange().await?;
            wire.let_in().await?;
            wire.open().await?;
            loop {
                let message = wire.receive().await?[0];
                messages.lock().unwrap().insert(message);
            }
        }
    };
    let client = harness.server(harm, None);
    let Client { remote, address, pinned, identity, .. } = &client;
    let connecting = remote.connect(address, "ada", *pinned, identity);
    let connection = harness.ours.block_on(connecting).unwrap();
    let came = |message: u8| heard.lock().unwrap().contains(&message);
    let mut opening = Box::pin(connection.open("cat /dev/zero", b""));
    harness.until("the command", || {
        assert!(futures_util::FutureExt::now_or_never(opening.as_mut()).is_none());
        came(EXEC)
    });
    drop(opening);
    harness.until("the close", || came(CLOSE));
    assert!(connection.is_live());
    drop(connection);
    harness.assert_nothing_is_left();
}

#[test]
fn zeros_without_end() {
    leave_unread(|stream, sent| async move {
        let mut wire = running(stream).await?;
        let (zeros, mut window) = (zeros(), 256 * 1024);
        loop {
            while window >= PIECE {
                wire.send(&zeros).await?;
                sent.fetch_add(u64::from(PIECE), Ordering::Relaxed);
                window -= PIECE;
            }
            let heard = wire.receive().await?;
            if heard[0] == 93 {
                window += u32::from_be_bytes(heard[5..9].try_into().unwrap());
            }
        }
    });
}

#[test]
fn a_flood_that_ignores_the_window() {
    leave_unread(|stream, sent| async move {
        let mut wire = running(stream).await?;
        let zeros = zeros();
        loop {
            wire.send(&zeros).await?;
            sent.fetch_add(u64::from(PIECE), Ordering::Relaxed);
        }
    });
}
