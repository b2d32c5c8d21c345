//! Host keys that a server announces (OpenSSH's PROTOCOL, 2.5): it is believed what it proves.

use std::io;

use domain::server::LiveServer;
use infra::remote::HostKey;
use ring::signature::Ed25519KeyPair;
use tokio::net::TcpStream;

use crate::harness::{Client, Harness};
use crate::packet::Packet;
use crate::wire::{ServerStream, blob, host_pair, public_key};

const GLOBAL_REQUEST: u8 = 80;
const REQUEST_SUCCESS: u8 = 81;
const REQUEST_FAILURE: u8 = 82;

/// What the server answers when it is asked for the proof.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Proof,
    ProofOfAnotherKey,
    ProofToAnotherSession,
    Nonsense,
    Refusal,
    End,
}

fn announced_pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap()
}

fn announcement_of(blobs: &[Vec<u8>]) -> Packet {
    let start = Packet::of(GLOBAL_REQUEST).string("hostkeys-00@openssh.com").byte(0);
    blobs.iter().fold(start, Packet::string)
}

/// The key that the server shows, and another one.
pub fn announcement() -> Packet {
    announcement_of(&[blob(&host_pair()), blob(&announced_pair())])
}

fn proof(session: &[u8], by: &Ed25519KeyPair) -> Packet {
    let signed = Packet::default()
        .string("hostkeys-prove-00@openssh.com")
        .string(session)
        .string(blob(&announced_pair()));
    let signature = by.sign(&signed.0);
    let signature = Packet::default().string("ssh-ed25519").string(signature.as_ref());
    Packet::of(REQUEST_SUCCESS).string(signature.0)
}

async fn running(stream: TcpStream, announced: Option<Packet>) -> io::Result<ServerStream> {
    let mut wire = ServerStream::greet(stream).await?;
    wire.exchange().await?;
    wire.let_in().await?;
    if let Some(announced) = announced {
        wire.send(&announced).await?;
    }
    wire.run().await?;
    Ok(wire)
}

async fn answers(stream: TcpStream, answer: Answer) -> io::Result<()> {
    let mut wire = running(stream, Some(announcement())).await?;
    while wire.receive().await?[0] != GLOBAL_REQUEST {}
    let reply = match answer {
        Answer::Proof => proof(&wire.session, &announced_pair()),
        Answer::ProofOfAnotherKey => proof(&wire.session, &host_pair()),
        Answer::ProofToAnotherSession => proof(b"another session", &announced_pair()),
        Answer::Nonsense => Packet::of(REQUEST_SUCCESS).string("nonsense"),
        Answer::Refusal => Packet::of(REQUEST_FAILURE),
        Answer::End => return Ok(()),
    };
    wire.send(&reply).await?;
    wire.wait().await
}

async fn refuse_all(mut wire: ServerStream) -> io::Result<()> {
    loop {
        if wire.receive().await?[0] == GLOBAL_REQUEST {
            wire.send(&Packet::of(REQUEST_FAILURE)).await?;
        }
    }
}

/// What is announced, and what of it is proven, once a command runs.
async fn seen(client: &Client) -> (Option<Vec<HostKey>>, Option<Vec<HostKey>>) {
    let Client { remote, address, pinned, identity, .. } = client;
    let connection = remote.connect(address, "ada", *pinned, identity).await.unwrap();
    let _channel = connection.open("true", b"").await.unwrap();
    (connection.announced_host_keys(), connection.prove_host_keys().await)
}

fn proven(answer: Answer) -> Option<Vec<HostKey>> {
    let harness = Harness::new();
    let client = harness.server(move |stream| answers(stream, answer), None);
    let (announced, proven) = harness.ours.block_on(seen(&client));
    assert_eq!(announced, Some(vec![public_key(&announced_pair())]), "{answer:?}");
    harness.assert_nothing_is_left();
    proven
}

#[test]
fn an_announced_key_counts_once_the_server_proves_to_hold_it() {
    assert_eq!(proven(Answer::Proof), Some(vec![public_key(&announced_pair())]));
}

#[test]
fn a_forged_announcement_is_nothing() {
    let forged = [
        Answer::ProofOfAnotherKey,
        Answer::ProofToAnotherSession,
        Answer::Nonsense,
        Answer::Refusal,
    ];
    for answer in forged {
        assert_eq!(proven(answer), Some(vec![]), "{answer:?}");
    }
}

#[test]
fn nothing_is_known_of_the_keys_of_a_server_that_ends_or_announces_none() {
    assert_eq!(proven(Answer::End), None);
    let harness = Harness::new();
    let client = harness.server(|stream| async { running(stream, None).await?.wait().await }, None);
    assert_eq!(harness.ours.block_on(seen(&client)), (None, None));
    harness.assert_nothing_is_left();
}

#[test]
fn of_many_announced_keys_a_few_are_kept_and_none_twice() {
    let pairs = (10..60).map(|seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap());
    let pairs: Vec<Ed25519KeyPair> = pairs.collect();
    // Each twice, between keys of an algorithm that nobody knows.
    let unknown = Packet::default().string("ssh-unknown").string("a key").0;
    let all = pairs.iter().flat_map(|pair| [blob(pair), unknown.clone(), blob(pair)]);
    let packet = announcement_of(&all.collect::<Vec<_>>());
    let harness = Harness::new();
    let harm = move |stream| {
        let packet = packet.clone();
        async move { refuse_all(running(stream, Some(packet)).await?).await }
    };
    let client = harness.server(harm, None);
    let (announced, proven) = harness.ours.block_on(seen(&client));
    let kept: Vec<HostKey> = pairs.iter().take(LiveServer::PROPOSALS_MAX).map(public_key).collect();
    assert_eq!((announced, proven), (Some(kept), Some(vec![])));
    harness.assert_nothing_is_left();
}
