//! Somebody with a workspace that has one of everything.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use infra::clock::Clock;
use serde_json::{Value, json};
use tests::{Client, Installation, Person, Sshd, create_workspace, register_server, until};

/// The ids of one of everything, by the name that it has in paths.
pub type Things = BTreeMap<&'static str, String>;

pub struct Tenant {
    pub session: Client,
    /// The same person's token in the workspace.
    pub token: Client,
    pub things: Things,
    /// Another server, deployment and run of the same workspace.
    pub siblings: Things,
}

impl Tenant {
    pub async fn settle(
        installation: &Installation,
        client: &Client,
        name: &str,
        sshd: &Sshd,
    ) -> Self {
        let session = Person::named(name).settle(client, installation).await;
        let at = create_workspace(&session, name).await;
        let create = async |path: &str, body: Value, id: &str| {
            session.post_once(&format!("{at}/{path}"), body).await.expect(201).field(id)
        };
        let guest = json!({ "email": format!("guest.{name}@example.org"), "role": "viewer" });
        let invitation = create("invitations", guest, "/invitation_id").await;
        let scopes = ["workspace:read", "members:read", "servers:read", "runs:read", "logs:read"];
        let (token, secret) = issue_token(&session, &at, &scopes).await;
        let lease = create("seat-leases", json!({}), "/lease_id").await;
        let mut sets = Vec::new();
        for _ in 0..2 {
            let server = register_server(&session, &at, sshd, sshd.port()).await;
            let steps = json!({ "name": "web", "steps": [{ "name": "one", "command": "true" }] });
            let deployment =
                create(&format!("servers/{server}/deployments"), steps, "/deployment_id").await;
            let body = json!({ "command": "true", "server_ids": [server] });
            let run = create("runs", body, "/run_id").await;
            sets.push(Things::from([
                ("server_id", server),
                ("deployment_id", deployment),
                ("run_id", run),
            ]));
        }
        for path in [format!("runs/{}", sets[0]["run_id"]), format!("runs/{}", sets[1]["run_id"])] {
            shown(&session, &format!("{at}/{path}")).await;
        }
        shown(&session, &format!("{at}/seats")).await;
        let siblings = sets.remove(1);
        let mut things = sets.remove(0);
        let workspace = at.rsplit('/').next().unwrap().to_owned();
        things.extend([
            ("workspace_id", workspace),
            ("account_id", session.account().await),
            ("invitation_id", invitation),
            ("token_id", token),
            ("lease_id", lease),
        ]);
        Self { token: client.bearing(&secret), session, things, siblings }
    }
}

/// Waits until the read side has it.
async fn shown(session: &Client, path: &str) {
    until("it is shown", async || {
        let answer = session.get(path).await;
        if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
}

/// Answers the id and the secret of a token that acts for its issuer.
pub async fn issue_token(by: &Client, workspace: &str, scopes: &[&str]) -> (String, String) {
    let until = Clock::system().now() + TimeDelta::days(1);
    let body = json!({ "name": "ci", "scopes": scopes, "expires_at": until });
    let issued = by.post(&format!("{workspace}/api-tokens"), body).await.expect(201);
    (issued.field("/token_id"), issued.field("/token"))
}
