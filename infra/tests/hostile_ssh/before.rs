//! Harm before the end of the key exchange.

use std::io;
use std::time::Duration;

use domain::server::ConnectFailure;
use infra::remote::RemoteError;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::interval;

use crate::harness::{connect, observe, storm};
use crate::packet::Packet;
use crate::wire::{ServerStream, kexinit};

const TIMED_OUT: RemoteError = RemoteError::TimedOut(ConnectFailure::Identification);
const LOST: RemoteError = RemoteError::Lost(ConnectFailure::Identification);
const WORDS: &str = "please send your password";

async fn silence(mut stream: TcpStream) -> io::Result<()> {
    while tokio::io::copy(&mut stream, &mut tokio::io::sink()).await? > 0 {}
    Ok(())
}

#[test]
fn a_server_that_accepts_and_says_nothing() {
    storm(silence, observe, &TIMED_OUT);
}

#[test]
fn a_server_that_identifies_itself_and_says_nothing_more() {
    storm(|stream| async { ServerStream::greet(stream).await?.wait().await }, connect, &TIMED_OUT);
}

#[test]
fn endless_lines_before_the_identification() {
    let harm = |mut stream: TcpStream| async move {
        loop {
            stream.write_all(WORDS.as_bytes()).await?;
            stream.write_all(b"\r\n").await?;
        }
    };
    storm(harm, observe, &LOST);
}

#[test]
fn an_endless_line_before_the_identification() {
    let harm = |mut stream: TcpStream| async move {
        loop {
            stream.write_all(&[b'x'; 4096]).await?;
        }
    };
    storm(harm, observe, &LOST);
}

#[test]
fn an_identification_that_trickles() {
    let harm = |mut stream: TcpStream| async move {
        let mut ticks = interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            stream.write_all(b"S").await?;
        }
    };
    storm(harm, observe, &TIMED_OUT);
}

#[test]
fn a_message_to_ignore_every_half_second() {
    let harm = |stream| async {
        let mut wire = ServerStream::greet(stream).await?;
        let mut ticks = interval(Duration::from_millis(500));
        loop {
            ticks.tick().await;
            wire.send(&Packet::of(2).string("")).await?;
        }
    };
    storm(harm, connect, &TIMED_OUT);
}

#[test]
fn messages_to_ignore_without_end() {
    let harm = |stream| async {
        let mut wire = ServerStream::greet(stream).await?;
        loop {
            wire.send(&Packet::of(2).string(vec![0; 30_000])).await?;
        }
    };
    storm(harm, observe, &TIMED_OUT);
}

#[test]
fn a_packet_that_declares_four_gibibytes() {
    storm(|stream| declares(stream, u32::MAX), observe, &LOST);
}

#[test]
fn a_packet_that_declares_half_a_gibibyte() {
    storm(|stream| declares(stream, 512 << 20), observe, &LOST);
}

async fn declares(stream: TcpStream, length: u32) -> io::Result<()> {
    let mut wire = ServerStream::greet(stream).await?;
    wire.send_as(&kexinit(), Some(length)).await?;
    wire.wait().await
}

#[test]
fn a_list_of_algorithms_that_declares_to_be_huge() {
    let harm = |stream| async {
        let mut wire = ServerStream::greet(stream).await?;
        wire.send(&Packet::of(20).bytes(&[7; 16]).lie(u32::MAX)).await?;
        wire.wait().await
    };
    storm(harm, observe, &LOST);
}

#[test]
fn a_host_key_that_declares_to_be_huge() {
    let harm = |stream| async {
        let mut wire = ServerStream::greet(stream).await?;
        wire.open_exchange().await?;
        wire.receive().await?;
        wire.send(&Packet::of(31).lie(0x7fff_ffff)).await?;
        wire.wait().await
    };
    storm(harm, observe, &LOST);
}

#[test]
fn half_a_key_exchange() {
    let harm = |stream| async {
        let mut wire = ServerStream::greet(stream).await?;
        wire.open_exchange().await?;
        wire.wait().await
    };
    storm(harm, connect, &TIMED_OUT);
}

#[test]
fn last_words_are_not_repeated() {
    let harm = |stream| async {
        let mut wire = ServerStream::greet(stream).await?;
        wire.send(&Packet::of(1).number(2).string(WORDS).string("en")).await?;
        wire.wait().await
    };
    assert!(!format!("{LOST} {LOST:?}").contains(WORDS));
    storm(harm, observe, &LOST);
}
