//! Private keys of servers whose event was never appended.

use domain::privacy::{HostName, Label, LoginName};
use domain::server::{Credential, Server, ServerCommand};
use domain::{ServerCredentialId, ServerId, WorkspaceId};
use infra::remote::Identity;

use super::super::sweeps;
use super::*;

async fn order(app: &App, workspace: WorkspaceId, server: ServerId, command: ServerCommand) {
    let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
    let step = Step::new::<Server>(server.0, command);
    app.executor.execute(&request, &[step]).await.unwrap();
}

#[tokio::test]
async fn the_key_that_the_log_names_is_kept_and_another_is_deleted() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (workspace, server) = (WorkspaceId(app.ids.uuid()), ServerId(app.ids.uuid()));
    let registers = ServerCommand::Register {
        name: Personal::Clear(Label::parse("web").unwrap()),
        host: Personal::Clear(HostName::parse("web.example.org").unwrap()),
        port: 22,
        user: Personal::Clear(LoginName::parse("root").unwrap()),
    };
    order(&app, workspace, server, registers).await;
    let store = async || {
        let (id, identity) = (ServerCredentialId(app.ids.uuid()), Identity::generate().unwrap());
        app.server_credentials.insert(workspace, server, id, &identity).await.unwrap();
        (id, identity)
    };
    let (attached, identity) = store().await;
    let (algorithm, fingerprint) = (identity.algorithm(), identity.fingerprint());
    let credential = Credential { id: attached, algorithm, fingerprint };
    order(&app, workspace, server, ServerCommand::AttachCredential { credential }).await;
    // As if the node had died before the event of the second key.
    let (orphan, _) = store().await;
    let is_there =
        async |id| app.server_credentials.public_line(workspace, id).await.unwrap().is_some();

    sweeps::sweep_server_credentials(app.clone()).await.unwrap();
    assert!(is_there(attached).await && is_there(orphan).await, "both are young");
    harness.clock.advance(TimeDelta::minutes(11));
    sweeps::sweep_server_credentials(app.clone()).await.unwrap();

    assert!(is_there(attached).await, "the log names it");
    assert!(!is_there(orphan).await, "no event names it");
}
