//! The configuration of russh.

use std::borrow::Cow;

use domain::server::KeyAlgorithm;
use russh::client::Config;
use russh::keys::Algorithm;
use russh::{Preferred, SshId, compression, kex};

use super::RemoteOptions;
use super::host_key::algorithm;

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

/// A server that has a host key of the `first` algorithm shows that one: of two lists of algorithms the
/// client's decides (RFC 4253, 7.1).
pub(super) fn config(options: &RemoteOptions, first: Option<KeyAlgorithm>) -> Config {
    Config {
        client_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Lethe")),
        window_size: WINDOW,
        maximum_packet_size: u32::try_from(PACKET_MAX).unwrap_or(WINDOW),
        channel_buffer_size: 16,
        preferred: preferred(first),
        inactivity_timeout: Some(options.keepalive_every * 4),
        keepalive_interval: Some(options.keepalive_every),
        keepalive_max: 3,
        nodelay: true,
        ..Config::default()
    }
}

fn preferred(first: Option<KeyAlgorithm>) -> Preferred {
    Preferred {
        kex: Cow::Borrowed(EXCHANGES),
        key: Cow::Owned(host_keys(first)),
        compression: Cow::Borrowed(&[compression::NONE]),
        ..Preferred::DEFAULT
    }
}

/// The other algorithms stay behind the `first` one. So a server that has no such key any more shows which
/// one it has, without a second connection; and OpenSSH signs the proofs of RSA keys with SHA-2 only for
/// a client that takes RSA keys.
fn host_keys(first: Option<KeyAlgorithm>) -> Vec<Algorithm> {
    let sha1 = Algorithm::Rsa { hash: None };
    let keys = Preferred::DEFAULT.key;
    let mut keys: Vec<Algorithm> = keys.iter().filter(|key| **key != sha1).cloned().collect();
    keys.sort_by_key(|key| algorithm(key) != first);
    keys
}

#[cfg(test)]
mod tests {
    use russh::keys::{EcdsaCurve, HashAlg};

    use super::*;

    #[test]
    fn keys_of_the_approved_algorithm_come_first_and_none_is_signed_with_sha_1() {
        let usual = host_keys(None);
        assert_eq!(usual.first(), Some(&Algorithm::Ed25519));
        assert_eq!(usual.len(), 6);
        let (long, short) = (Some(HashAlg::Sha512), Some(HashAlg::Sha256));
        let both = [Algorithm::Rsa { hash: long }, Algorithm::Rsa { hash: short }];
        assert_eq!(host_keys(Some(KeyAlgorithm::Rsa)).get(..2), Some(&both[..]));
        let curve = Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 };
        assert_eq!(host_keys(Some(KeyAlgorithm::EcdsaP384)).first(), Some(&curve));
        for first in [KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa, KeyAlgorithm::EcdsaP521] {
            let keys = host_keys(Some(first));
            assert!(!keys.contains(&Algorithm::Rsa { hash: None }));
            assert!(keys.len() == 6 && usual.iter().all(|key| keys.contains(key)), "{keys:?}");
        }
    }
}
