//! The configuration of russh.

use std::borrow::Cow;

use russh::client::Config;
use russh::keys::Algorithm;
use russh::{Preferred, SshId, compression, kex};

use super::RemoteOptions;

/// Bytes that a server may send on one channel before the window is extended.
const WINDOW: u32 = 256 * 1024;
pub(super) const PACKET_MAX: usize = 32 * 1024;

/// Without the group exchange, whose groups the server chooses, and without the largest groups: a
/// hostile server could make the client compute with them at will.
const EXCHANGES: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::DH_G16_SHA512,
    kex::DH_G14_SHA256,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

pub(super) fn config(options: &RemoteOptions) -> Config {
    Config {
        client_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Lethe")),
        window_size: WINDOW,
        maximum_packet_size: u32::try_from(PACKET_MAX).unwrap_or(WINDOW),
        channel_buffer_size: 16,
        preferred: preferred(),
        inactivity_timeout: Some(options.keepalive_every * 4),
        keepalive_interval: Some(options.keepalive_every),
        keepalive_max: 3,
        nodelay: true,
        ..Config::default()
    }
}

fn preferred() -> Preferred {
    let sha1 = Algorithm::Rsa { hash: None };
    let keys = Preferred::DEFAULT.key.iter().filter(|key| **key != sha1).cloned();
    Preferred {
        kex: Cow::Borrowed(EXCHANGES),
        key: keys.collect(),
        compression: Cow::Borrowed(&[compression::NONE]),
        ..Preferred::DEFAULT
    }
}
