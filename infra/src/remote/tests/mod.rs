//! Against a real OpenSSH server.

mod cancel;
mod commands;
mod doors;
mod host_keys;
mod identities;

use std::time::Duration;

use domain::server::KeyAlgorithm;

use super::{
    Address, CommandOutput, Connection, Egress, HostKey, Identity, Limits, Remote, RemoteError,
    RemoteOptions,
};
use test_support::sshd::{Sshd, SshdOptions};
use test_support::until;

const LIMITS: Limits = Limits { within: Duration::from_secs(20), bytes_max: 1024 * 1024 };

struct SshHarness {
    sshd: Sshd,
    remote: Remote,
    identity: Identity,
}

impl SshHarness {
    fn new() -> Self {
        Self::with(Identity::generate().unwrap())
    }

    fn with(identity: Identity) -> Self {
        Self::of(identity, "LogLevel DEBUG1".to_owned())
    }

    fn of(identity: Identity, config: String) -> Self {
        let sshd = Sshd::start_with(&SshdOptions { config, ..SshdOptions::default() }).unwrap();
        sshd.authorize(&identity.public_line()).unwrap();
        let egress = Egress::parse("127.0.0.0/8:*").unwrap();
        Self { sshd, remote: Remote::new(egress, RemoteOptions::default()), identity }
    }

    fn address(&self) -> Address {
        Address::new("127.0.0.1", self.sshd.port())
    }

    /// The key that every sshd of a test has.
    fn key(&self) -> HostKey {
        let fingerprint = self.sshd.host_key_fingerprint().unwrap().parse().unwrap();
        HostKey { algorithm: KeyAlgorithm::Ed25519, fingerprint }
    }

    /// Whether the server was asked to let anybody in.
    fn was_asked(&self) -> bool {
        self.sshd.log().contains("userauth-request")
    }

    async fn try_connect(&self, identity: &Identity) -> Result<Connection, RemoteError> {
        self.remote.connect(&self.address(), self.sshd.user(), self.key(), identity).await
    }

    async fn connect(&self) -> Connection {
        self.try_connect(&self.identity).await.unwrap()
    }
}

async fn run(connection: &Connection, command: &str) -> CommandOutput {
    connection.exec(command, b"", LIMITS).await.unwrap()
}
