//! The server's half of SSH, small enough to break anywhere: curve25519-sha256, ssh-ed25519,
//! chacha20-poly1305@openssh.com.

use std::io;

use domain::server::{Fingerprint, KeyAlgorithm};
use infra::remote::HostKey;
use ring::aead::chacha20_poly1305_openssh::{OpeningKey, SealingKey, TAG_LEN};
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::packet::{Packet, Reader};

const NAME: &[u8] = b"SSH-2.0-Harm";
const NEWKEYS: u8 = 21;
const KEX_REPLY: u8 = 31;

pub struct ServerStream {
    pub stream: TcpStream,
    client_name: Vec<u8>,
    /// The hash of the first key exchange (RFC 4253, 7.2).
    pub session: Vec<u8>,
    sealing: Option<SealingKey>,
    opening: Option<OpeningKey>,
    sent: u32,
    received: u32,
}

impl ServerStream {
    /// Both identification lines.
    pub async fn greet(mut stream: TcpStream) -> io::Result<Self> {
        stream.write_all(&[NAME, b"\r\n"].concat()).await?;
        let mut client_name = Vec::new();
        while !client_name.ends_with(b"\r\n") {
            client_name.push(stream.read_u8().await?);
        }
        client_name.truncate(client_name.len() - 2);
        let session = Vec::new();
        Ok(Self {
            stream,
            client_name,
            session,
            sealing: None,
            opening: None,
            sent: 0,
            received: 0,
        })
    }

    pub async fn send(&mut self, packet: &Packet) -> io::Result<()> {
        self.send_as(packet, None).await
    }

    /// `declared`: the length in the packet's header.
    pub async fn send_as(&mut self, packet: &Packet, declared: Option<u32>) -> io::Result<()> {
        let counted = if self.sealing.is_some() { 1 } else { 5 };
        let padding = 4 + (8 - (counted + packet.0.len() + 4) % 8) % 8;
        let length = u32::try_from(1 + packet.0.len() + padding).unwrap();
        let frame = Packet::default()
            .number(declared.unwrap_or(length))
            .byte(u8::try_from(padding).unwrap())
            .bytes(&packet.0)
            .bytes(&vec![0; padding]);
        let mut frame = frame.0;
        if let Some(sealing) = &self.sealing {
            let mut tag = [0; TAG_LEN];
            sealing.seal_in_place(self.sent, &mut frame, &mut tag);
            frame.extend(tag);
        }
        self.sent = self.sent.wrapping_add(1);
        self.stream.write_all(&frame).await
    }

    pub async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await?;
        let Some(opening) = &self.opening else {
            let mut body = vec![0; usize::try_from(u32::from_be_bytes(head)).unwrap()];
            self.stream.read_exact(&mut body).await?;
            self.received = self.received.wrapping_add(1);
            return Ok(without_padding(&body));
        };
        let length = u32::from_be_bytes(opening.decrypt_packet_length(self.received, head));
        let mut frame = head.to_vec();
        frame.resize(4 + usize::try_from(length).unwrap(), 0);
        self.stream.read_exact(&mut frame[4..]).await?;
        let mut tag = [0; TAG_LEN];
        self.stream.read_exact(&mut tag).await?;
        let body = opening.open_in_place(self.received, &mut frame, &tag).unwrap();
        let body = without_padding(body);
        self.received = self.received.wrapping_add(1);
        Ok(body)
    }

    /// A correct key exchange.
    pub async fn exchange(&mut self) -> io::Result<()> {
        let (ours, theirs) = self.open_exchange().await?;
        let init = self.receive().await?;
        let their_point = Reader(&init[1..]).string().to_vec();
        let random = SystemRandom::new();
        let secret = EphemeralPrivateKey::generate(&X25519, &random).unwrap();
        let our_point = secret.compute_public_key().unwrap();
        let their_key = UnparsedPublicKey::new(&X25519, &their_point);
        let shared = agree_ephemeral(secret, &their_key, <[u8]>::to_vec).unwrap();
        let hashed = Packet::default()
            .string(&self.client_name)
            .string(NAME)
            .string(theirs)
            .string(ours.0)
            .string(blob(&host_pair()))
            .string(&their_point)
            .string(our_point.as_ref())
            .positive(&shared);
        let hash = digest(&SHA256, &hashed.0);
        let signature = host_pair().sign(hash.as_ref());
        let signature = Packet::default().string("ssh-ed25519").string(signature.as_ref());
        let reply = Packet::of(KEX_REPLY).string(blob(&host_pair())).string(our_point.as_ref());
        self.send(&reply.string(signature.0)).await?;
        self.send(&Packet::of(NEWKEYS)).await?;
        self.receive().await?;
        self.sealing = Some(SealingKey::new(&derived(b'D', &shared, hash.as_ref())));
        self.opening = Some(OpeningKey::new(&derived(b'C', &shared, hash.as_ref())));
        self.session = hash.as_ref().to_vec();
        Ok(())
    }

    /// Both KEXINITs: ours and the client's.
    pub async fn open_exchange(&mut self) -> io::Result<(Packet, Vec<u8>)> {
        let ours = kexinit();
        self.send(&ours).await?;
        Ok((ours, self.receive().await?))
    }

    /// Accepts the service that the client asks for.
    pub async fn serve(&mut self) -> io::Result<()> {
        self.receive().await?;
        self.send(&Packet::of(6).string("ssh-userauth")).await
    }

    /// Accepts any credential.
    pub async fn let_in(&mut self) -> io::Result<()> {
        self.serve().await?;
        self.receive().await?;
        self.send(&Packet::of(52)).await
    }

    /// Opens the channel that the client asks for.
    pub async fn open(&mut self) -> io::Result<()> {
        while self.receive().await?[0] != 90 {}
        let confirmed = Packet::of(91).number(CLIENT_CHANNEL).number(0);
        self.send(&confirmed.number(WINDOW).number(PACKET)).await
    }

    /// Reports that the command runs.
    pub async fn run(&mut self) -> io::Result<()> {
        self.open().await?;
        while self.receive().await?[0] != 98 {}
        self.send(&Packet::of(99).number(CLIENT_CHANNEL)).await
    }

    /// Waits until the client has closed the connection.
    pub async fn wait(&mut self) -> io::Result<()> {
        while self.stream.read(&mut [0; 4096]).await? > 0 {}
        Ok(())
    }
}

/// The number that russh gives to its first channel.
pub const CLIENT_CHANNEL: u32 = 2;
const WINDOW: u32 = 64 * 1024;
const PACKET: u32 = 32 * 1024;

fn without_padding(body: &[u8]) -> Vec<u8> {
    body[1..body.len() - usize::from(body[0])].to_vec()
}

pub fn kexinit() -> Packet {
    let lists = ["curve25519-sha256", "ssh-ed25519"]
        .into_iter()
        .chain(["chacha20-poly1305@openssh.com"; 2])
        .chain(["hmac-sha2-256"; 2])
        .chain(["none"; 2])
        .chain([""; 2]);
    let start = Packet::of(20).bytes(&[7; 16]);
    lists.fold(start, Packet::string).byte(0).number(0)
}

fn derived(letter: u8, shared: &[u8], hash: &[u8]) -> [u8; 64] {
    let start = Packet::default().positive(shared).bytes(hash);
    // The first exchange's hash is the session's id too.
    let first = digest(&SHA256, &start.clone().byte(letter).bytes(hash).0);
    let second = digest(&SHA256, &start.bytes(first.as_ref()).0);
    [first.as_ref(), second.as_ref()].concat().try_into().unwrap()
}

/// The approved host key, which the server shows.
pub fn host_pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

/// A public key as it stands in packets (RFC 8709, 4).
pub fn blob(pair: &Ed25519KeyPair) -> Vec<u8> {
    Packet::default().string("ssh-ed25519").string(pair.public_key()).0
}

pub fn public_key(pair: &Ed25519KeyPair) -> HostKey {
    let fingerprint = Fingerprint(digest(&SHA256, &blob(pair)).as_ref().try_into().unwrap());
    HostKey { algorithm: KeyAlgorithm::Ed25519, fingerprint }
}
