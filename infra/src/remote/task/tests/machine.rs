//! A whole machine of the test, and connections to it.

use domain::server::KeyAlgorithm;
use test_support::{Machine, MachineOptions, MachineUser};

use super::harness::PATIENT;
use crate::remote::{Address, Connection, Egress, HostKey, Identity, Remote};

pub(super) struct MachineHarness {
    pub machine: Machine,
    identity: Identity,
    remote: Remote,
}

impl MachineHarness {
    /// `None` where such tests are left out.
    pub fn start(options: &MachineOptions) -> Option<Self> {
        let machine = Machine::start(options)?;
        let identity = Identity::generate().unwrap();
        machine.authorize(&identity.public_line()).unwrap();
        let egress = Egress::parse("127.0.0.1/32:*").unwrap();
        Some(Self { machine, identity, remote: Remote::new(egress, PATIENT) })
    }

    pub async fn connect(&self, user: MachineUser) -> Connection {
        let address = Address::new("127.0.0.1", self.machine.port());
        let fingerprint = self.machine.host_key_fingerprint().unwrap().parse().unwrap();
        let pinned = HostKey { algorithm: KeyAlgorithm::Ed25519, fingerprint };
        self.remote.connect(&address, user.name(), pinned, &self.identity).await.unwrap()
    }
}
