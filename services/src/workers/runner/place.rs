//! The place that a command is sent to. A server may become another machine: its address is changed, or a person
//! approves a key that nobody expected.

use domain::privacy::{Personal, ServerHost, ServerUser};
use domain::server::{Fingerprint, LiveServer};
use serde::{Deserialize, Serialize};

use crate::unseal::{UnknownField, Unsealer};

/// Where a server was at some time. Tasks keep it, their addresses sealed for their workspaces.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    /// How often the server may have become another machine before.
    moves: u32,
    host: Personal<ServerHost>,
    port: u16,
    user: Personal<ServerUser>,
    key: Fingerprint,
}

impl Place {
    /// `None`: nothing may connect there.
    pub fn of(server: &LiveServer) -> Option<Self> {
        let key = server.host_key.pinned()?.fingerprint;
        let LiveServer { moves, port, host, user, .. } = server;
        Some(Self { moves: *moves, host: host.clone(), port: *port, user: user.clone(), key })
    }

    /// As a task keeps it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads [`Self::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Whether it is the same user of the same machine: the server was no other one in between, or it has the same
    /// address and the same key again.
    pub async fn is_same(
        &self,
        other: &Self,
        unsealer: &Unsealer<'_>,
    ) -> Result<bool, UnknownField> {
        if self.moves == other.moves {
            return Ok(true);
        }
        if (self.port, self.key) != (other.port, other.key) {
            return Ok(false);
        }
        let own = unsealer.optional::<ServerHost>(Some(&self.host)).await?;
        let others = unsealer.optional::<ServerHost>(Some(&other.host)).await?;
        if own.is_none() || own != others {
            return Ok(false);
        }
        let own = unsealer.optional::<ServerUser>(Some(&self.user)).await?;
        let others = unsealer.optional::<ServerUser>(Some(&other.user)).await?;
        Ok(own.is_some() && own == others)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::privacy::{HostName, Label, LoginName};
    use domain::server::{KeyAlgorithm, PublicKey, Server, ServerCommand};
    use domain::{CommandId, WorkspaceId};
    use infra::event_store::{Request, Step};
    use uuid::Uuid;

    use super::*;
    use crate::wiring::App;
    use crate::workers::tests::Harness;

    struct OnServer {
        app: App,
        workspace: WorkspaceId,
        server: Uuid,
    }

    impl OnServer {
        async fn order(&self, command: ServerCommand) {
            let request = Request::new(self.workspace.into(), CommandId(self.app.ids.uuid()));
            let steps = [Step::new::<Server>(self.server, command)];
            self.app.executor.execute(&request, &steps).await.unwrap();
        }

        async fn move_to(&self, host: &str) {
            self.move_to_login(host, 22, "deploy").await;
        }

        async fn move_to_login(&self, host: &str, port: u16, user: &str) {
            let host = Personal::Clear(HostName::parse(host).unwrap());
            let user = Personal::Clear(LoginName::parse(user).unwrap());
            self.order(ServerCommand::ChangeAddress { host, port, user }).await;
        }

        /// It shows the key, and somebody approves it.
        async fn approve(&self, key: u8) {
            let PublicKey { algorithm, fingerprint } = public_key(key);
            self.order(ServerCommand::ObserveHostKey { algorithm, fingerprint }).await;
            self.order(ServerCommand::ApproveHostKey { fingerprint }).await;
        }

        async fn place(&self) -> Place {
            let loaded = self.app.executor.load::<Server>(self.workspace.into(), self.server);
            let server: Arc<Server> = loaded.await.unwrap().state;
            Place::of(server.live().unwrap()).unwrap()
        }

        /// Whether a task that was launched at `then` may be looked for today.
        async fn is_at(&self, then: &Place) -> bool {
            let kept = Place::from_bytes(&then.to_bytes().unwrap()).unwrap();
            let unsealer = Unsealer::of_workspace(&self.app.keyring.sealer, self.workspace);
            self.place().await.is_same(&kept, &unsealer).await.unwrap()
        }
    }

    const fn public_key(key: u8) -> PublicKey {
        PublicKey { algorithm: KeyAlgorithm::Ed25519, fingerprint: Fingerprint([key; 32]) }
    }

    async fn server_with_key(harness: &Harness, key: u8) -> OnServer {
        let app = harness.node().await;
        let (workspace, server) = (WorkspaceId(app.ids.uuid()), app.ids.uuid());
        let on = OnServer { app, workspace, server };
        let name = Personal::Clear(Label::parse("engine").unwrap());
        let host = Personal::Clear(HostName::parse("192.0.2.1").unwrap());
        let user = Personal::Clear(LoginName::parse("deploy").unwrap());
        on.order(ServerCommand::Register { name, host, port: 22, user }).await;
        on.approve(key).await;
        on
    }

    #[tokio::test]
    async fn a_server_whose_address_is_another_one_is_another_place_until_the_address_is_back() {
        let harness = Harness::new().await;
        let on = server_with_key(&harness, 1).await;
        let first = on.place().await;
        assert!(on.is_at(&first).await);

        on.move_to("192.0.2.2").await;
        // A copy of a machine has its key, too.
        on.approve(1).await;
        assert!(!on.is_at(&first).await);

        on.move_to("192.0.2.1").await;
        on.approve(2).await;
        assert!(!on.is_at(&first).await, "another machine has the address");
        on.move_to("192.0.2.1").await;
        on.approve(1).await;
        assert!(on.is_at(&first).await);
    }

    #[tokio::test]
    async fn another_user_of_a_machine_and_another_port_are_other_places() {
        let harness = Harness::new().await;
        let on = server_with_key(&harness, 1).await;
        let first = on.place().await;
        for (port, user) in [(2222, "deploy"), (22, "backup")] {
            on.move_to_login("192.0.2.1", port, user).await;
            on.approve(1).await;
            assert!(!on.is_at(&first).await, "{user} at port {port}");
        }

        on.move_to_login("192.0.2.1", 22, "deploy").await;
        on.approve(1).await;
        assert!(on.is_at(&first).await);
    }

    #[tokio::test]
    async fn a_key_that_a_server_has_announced_is_the_same_place_and_another_one_is_not() {
        let harness = Harness::new().await;
        let on = server_with_key(&harness, 1).await;
        let first = on.place().await;

        let keys = vec![public_key(2)];
        on.order(ServerCommand::AnnounceHostKeys { keys }).await;
        let fingerprint = public_key(2).fingerprint;
        on.order(ServerCommand::ApproveHostKey { fingerprint }).await;
        assert!(on.is_at(&first).await);

        on.approve(3).await;
        assert!(!on.is_at(&first).await);
    }
}
