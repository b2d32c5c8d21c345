//! What is asked of russh.

use std::borrow::Cow;
use std::time::Duration;

use russh::client::Config;
use russh::keys::Algorithm;
use russh::{Preferred, SshId, compression, kex};

/// What a server may send on one channel before it is read.
pub(super) const WINDOW: u32 = 256 * 1024;
pub(super) const PACKET_MAX: u32 = 32 * 1024;

/// Without the group exchange, whose groups the server makes up, and without the largest groups:
/// a hostile server would have them computed at will.
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

pub(super) fn config() -> Config {
    Config {
        client_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Lethe")),
        window_size: WINDOW,
        maximum_packet_size: PACKET_MAX,
        channel_buffer_size: 16,
        preferred: preferred(),
        inactivity_timeout: Some(Duration::from_mins(1)),
        keepalive_interval: Some(Duration::from_secs(15)),
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
