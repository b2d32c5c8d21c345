//! A host key that a server showed while its state changed.

use domain::privacy::{HostName, Label, LoginName};
use domain::server::{Fingerprint, KeyAlgorithm, Server, ServerCommand};
use domain::{ServerId, WorkspaceId};
use infra::event_store::Loaded;
use infra::remote::HostKey;

use super::*;
use crate::operations::connect::observe_host_key;

const SEEN: HostKey =
    HostKey { algorithm: KeyAlgorithm::Ed25519, fingerprint: Fingerprint([7; 32]) };

struct Observed {
    _harness: Harness,
    app: App,
    workspace: WorkspaceId,
    server: ServerId,
}

impl Observed {
    async fn new() -> Self {
        let harness = Harness::new().await;
        let app = harness.node().await;
        let (workspace, server) = (WorkspaceId(app.ids.uuid()), ServerId(app.ids.uuid()));
        let registered = Self { _harness: harness, app, workspace, server };
        registered
            .execute(ServerCommand::Register {
                name: Personal::Clear(Label::parse("one").unwrap()),
                host: Personal::Clear(HostName::parse("one.example.org").unwrap()),
                port: 22,
                user: Personal::Clear(LoginName::parse("deploy").unwrap()),
            })
            .await;
        registered
    }

    async fn execute(&self, command: ServerCommand) {
        let request = Request::new(self.workspace.into(), CommandId(self.app.ids.uuid()));
        let step = Step::new::<Server>(self.server.0, command);
        self.app.executor.execute(&request, &[step]).await.unwrap();
    }

    async fn load(&self) -> Loaded<Server> {
        self.app.executor.load(self.workspace.into(), self.server.0).await.unwrap()
    }

    async fn observe(&self, loaded: &Loaded<Server>) -> Option<Receipt> {
        let Self { app, workspace, server, .. } = self;
        observe_host_key(app, *workspace, *server, loaded, SEEN).await.unwrap()
    }
}

#[tokio::test]
async fn a_key_that_was_seen_at_an_earlier_address_is_not_recorded() {
    let server = Observed::new().await;
    let before = server.load().await;
    server
        .execute(ServerCommand::ChangeAddress {
            host: Personal::Clear(HostName::parse("two.example.org").unwrap()),
            port: 22,
            user: Personal::Clear(LoginName::parse("deploy").unwrap()),
        })
        .await;

    assert_eq!(server.observe(&before).await, None);

    let types = ["server.registered", "server.address_changed"];
    assert_eq!(event_types(&server.app, server.server.0).await, types);
}

#[tokio::test]
async fn a_key_that_was_seen_while_the_name_changed_is_recorded_once() {
    let server = Observed::new().await;
    let before = server.load().await;
    let name = Personal::Clear(Label::parse("two").unwrap());
    server.execute(ServerCommand::Rename { name }).await;

    let first = server.observe(&before).await.unwrap();
    let again = server.observe(&before).await.unwrap();

    assert_eq!(first.events().len(), 1);
    assert!(again.events().is_empty() || again.replayed());
    let types = ["server.registered", "server.renamed", "server.host_key_observed"];
    assert_eq!(event_types(&server.app, server.server.0).await, types);
}
