//! Harm after the key exchange, by a server whose host key is the approved one.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::server::ConnectFailure;
use infra::remote::RemoteError;
use tokio::net::TcpStream;
use tokio::time::interval;

use crate::forged::announcement;
use crate::harness::{connect, exec, exec_a_little, exec_with_input, storm};
use crate::packet::Packet;
use crate::wire::{CLIENT_CHANNEL, ServerStream, kexinit};

const UNHEARD: RemoteError = RemoteError::TimedOut(ConnectFailure::Authentication);
const SHUT_OUT: RemoteError = RemoteError::Lost(ConnectFailure::Authentication);
const TIMED_OUT: RemoteError = RemoteError::TimedOut(ConnectFailure::Command);
const LOST: RemoteError = RemoteError::Lost(ConnectFailure::Command);

async fn exchanged(stream: TcpStream) -> io::Result<ServerStream> {
    let mut wire = ServerStream::greet(stream).await?;
    wire.exchange().await?;
    Ok(wire)
}

async fn running(stream: TcpStream) -> io::Result<ServerStream> {
    let mut wire = exchanged(stream).await?;
    wire.let_in().await?;
    wire.run().await?;
    Ok(wire)
}

fn data(bytes: &[u8]) -> Packet {
    Packet::of(94).number(CLIENT_CHANNEL).string(bytes)
}

/// One packet in a running command, and then silence.
async fn says(stream: TcpStream, packet: Packet) -> io::Result<()> {
    let mut wire = running(stream).await?;
    wire.send(&packet).await?;
    wire.wait().await
}

async fn repeats(stream: TcpStream, packet: Packet) -> io::Result<()> {
    let mut wire = running(stream).await?;
    loop {
        wire.send(&packet).await?;
    }
}

#[test]
fn a_packet_that_declares_four_gibibytes() {
    storm(|stream| declares(stream, u32::MAX), connect, &SHUT_OUT);
}

#[test]
fn a_packet_that_declares_half_a_gibibyte() {
    storm(|stream| declares(stream, 512 << 20), connect, &SHUT_OUT);
}

async fn declares(stream: TcpStream, length: u32) -> io::Result<()> {
    let mut wire = exchanged(stream).await?;
    wire.send_as(&Packet::of(2).string("something"), Some(length)).await?;
    wire.wait().await
}

#[test]
fn extensions_without_number() {
    let harm = |stream| async {
        let mut wire = exchanged(stream).await?;
        wire.send(&Packet::of(7).number(u32::MAX).string("one").lie(u32::MAX)).await?;
        wire.wait().await
    };
    storm(harm, connect, &SHUT_OUT);
}

#[test]
fn nobody_answers_who_asks_to_be_let_in() {
    let harm = |stream| async {
        let mut wire = exchanged(stream).await?;
        wire.serve().await?;
        wire.wait().await
    };
    storm(harm, connect, &UNHEARD);
}

#[test]
fn banners_without_end() {
    let harm = |stream| async {
        let mut wire = exchanged(stream).await?;
        wire.serve().await?;
        wire.receive().await?;
        loop {
            wire.send(&Packet::of(53).string(vec![b'x'; 30_000]).string("en")).await?;
        }
    };
    storm(harm, connect, &UNHEARD);
}

#[test]
fn a_channel_that_is_never_opened() {
    let harm = |stream| async {
        let mut wire = exchanged(stream).await?;
        wire.let_in().await?;
        wire.wait().await
    };
    storm(harm, exec, &TIMED_OUT);
}

#[test]
fn a_command_that_never_starts() {
    let harm = |stream| async {
        let mut wire = exchanged(stream).await?;
        wire.let_in().await?;
        wire.open().await?;
        wire.wait().await
    };
    storm(harm, exec, &TIMED_OUT);
}

#[test]
fn a_command_that_never_ends_beside_messages_to_ignore() {
    let harm = |stream| async {
        let mut wire = running(stream).await?;
        let mut ticks = interval(Duration::from_millis(100));
        loop {
            ticks.tick().await;
            wire.send(&Packet::of(2).string("")).await?;
        }
    };
    storm(harm, exec, &TIMED_OUT);
}

#[test]
fn data_that_ignores_the_window() {
    storm(|stream| repeats(stream, data(&vec![0; 32_000])), exec_a_little, &RemoteError::TooMuch);
}

#[test]
fn errors_that_ignore_the_window() {
    let packet = || Packet::of(95).number(CLIENT_CHANNEL).number(1).string(vec![0; 32_000]);
    storm(move |stream| repeats(stream, packet()), exec_a_little, &RemoteError::TooMuch);
}

#[test]
fn data_larger_than_any_packet_may_be() {
    storm(|stream| says(stream, data(&vec![0; 64_000])), exec, &LOST);
}

#[test]
fn data_of_nothing_without_end() {
    storm(|stream| repeats(stream, data(b"")), exec, &TIMED_OUT);
}

#[test]
fn more_output_than_was_asked_for() {
    let harm = |stream| async {
        let mut wire = running(stream).await?;
        let mut window = 256 * 1024_u32;
        loop {
            while window >= 32_000 {
                wire.send(&data(&vec![0; 32_000])).await?;
                window -= 32_000;
            }
            let heard = wire.receive().await?;
            if heard[0] == 93 {
                window += u32::from_be_bytes(heard[5..9].try_into().unwrap());
            }
        }
    };
    storm(harm, exec_a_little, &RemoteError::TooMuch);
}

#[test]
fn input_that_nobody_reads() {
    let harm = |stream| async {
        let mut wire = running(stream).await?;
        std::future::pending::<()>().await;
        wire.wait().await
    };
    storm(harm, exec_with_input, &TIMED_OUT);
}

#[test]
fn a_key_exchange_begun_again_and_left() {
    storm(|stream| says(stream, kexinit()), exec, &TIMED_OUT);
}

#[test]
fn strings_that_declare_to_be_huge() {
    let packets = || {
        [
            Packet::of(94).number(CLIENT_CHANNEL).lie(u32::MAX),
            Packet::of(95).number(CLIENT_CHANNEL).number(1).lie(u32::MAX),
            Packet::of(98).number(CLIENT_CHANNEL).lie(0x7fff_ffff),
            Packet::of(98).number(CLIENT_CHANNEL).string("exit-signal").byte(0).lie(u32::MAX),
            Packet::of(90).lie(u32::MAX),
            Packet::of(80).lie(512 << 20),
            Packet::of(80).string("hostkeys-00@openssh.com").byte(0).lie(u32::MAX),
        ]
    };
    let turn = AtomicUsize::new(0);
    let next = move || packets()[turn.fetch_add(1, Ordering::Relaxed) % packets().len()].clone();
    storm(move |stream| says(stream, next()), exec, &LOST);
}

#[test]
fn host_keys_announced_without_end() {
    storm(|stream| repeats(stream, announcement()), exec, &LOST);
}

#[test]
fn channels_opened_by_the_server_without_end() {
    const KINDS: [&str; 5] =
        ["session", "x11", "forwarded-tcpip", "auth-agent@openssh.com", "made-up"];
    let turn = AtomicUsize::new(0);
    let next = move || {
        let kind = KINDS[turn.fetch_add(1, Ordering::Relaxed) % KINDS.len()];
        let packet = Packet::of(90).string(kind).number(1).number(1 << 20).number(32_768);
        let address = Packet::default().string("a.example").number(22);
        match kind {
            "x11" => packet.bytes(&address.0),
            "forwarded-tcpip" => packet.bytes(&address.0).bytes(&address.0),
            _ => packet,
        }
    };
    storm(move |stream| repeats(stream, next()), exec, &LOST);
}
