//! Every operation that needs If-Match: refused without it, refused with the tag of another version,
//! and done with the right one.

use std::collections::BTreeSet;

use domain::WorkspaceId;
use domain::seat::pool_stream;
use serde_json::{Value, json};
use tests::{Answer, Client, Harness, Installation, Person, Sshd};
use uuid::Uuid;

use super::operation::{Operation, document, operations};
use super::tenant::{Things, issue_token};

/// Whoever owns it cannot inherit it, and nobody is made its owner while somebody is.
const AGREES: &str = "PUT /v1/workspaces/{workspace_id}/succession";
const APPOINTS: &str = "PUT /v1/admin/workspaces/{workspace_id}/owner";
const SETS_SEATS: &str = "PUT /v1/admin/workspaces/{workspace_id}/seat-limit";
/// It needs a run that is lost: the story of what is given up has it.
const GIVES_UP: &str =
    "POST /v1/workspaces/{workspace_id}/runs/{run_id}/servers/{server_id}/give-up";

/// A body for each operation that needs If-Match, in an order in which each is possible.
fn bodies(ada: &Person, sshd: &Sshd, member: &str) -> Vec<(&'static str, Value)> {
    let steps = json!([{ "name": "one", "command": "true" }]);
    let fingerprint = sshd.host_key_fingerprint().unwrap();
    vec![
        ("PATCH /v1/workspaces/{workspace_id}", json!({ "name": "Looms" })),
        ("PUT /v1/workspaces/{workspace_id}/members/{account_id}", json!({ "role": "viewer" })),
        ("PATCH /v1/workspaces/{workspace_id}/api-tokens/{token_id}", json!({ "name": "other" })),
        (
            "POST /v1/workspaces/{workspace_id}/servers/{server_id}/host-key/approve",
            json!({ "fingerprint": fingerprint, "password": ada.password }),
        ),
        (
            "PUT /v1/workspaces/{workspace_id}/servers/{server_id}/credential",
            json!({ "generate": true }),
        ),
        ("PATCH /v1/workspaces/{workspace_id}/servers/{server_id}", json!({ "name": "other" })),
        (
            "PUT /v1/workspaces/{workspace_id}/servers/{server_id}/deployments/{deployment_id}",
            json!({ "name": "other", "steps": steps }),
        ),
        (
            "DELETE /v1/workspaces/{workspace_id}/servers/{server_id}/deployments/{deployment_id}",
            Value::Null,
        ),
        (
            "PUT /v1/workspaces/{workspace_id}/servers/{server_id}/address",
            json!({ "host": "other.example", "user": "u" }),
        ),
        ("DELETE /v1/workspaces/{workspace_id}/servers/{server_id}", Value::Null),
        (AGREES, json!({ "password": ada.password })),
        (APPOINTS, json!({ "account_id": member })),
        (SETS_SEATS, json!({ "limit": 7 })),
        (
            "POST /v1/workspaces/{workspace_id}/deletion",
            json!({ "password": ada.password, "grace_days": 7 }),
        ),
        ("PATCH /v1/me", json!({ "name": "Ada King" })),
        ("PUT /v1/me/email", json!({ "email": "ada.king@example.org", "password": ada.password })),
        (
            "PUT /v1/me/password",
            json!({ "current": ada.password, "new": "quite another password" }),
        ),
    ]
}

struct Fixture {
    harness: Harness,
    operator: Client,
    sshd: Sshd,
    things: Things,
    account: String,
}

impl Fixture {
    /// A server whose host key was observed and is not approved, with a deployment.
    async fn new() -> Self {
        let sshd = Sshd::start().unwrap();
        let allow = format!("127.0.0.1/32:{}", sshd.port());
        let settings = [("egress_allow", allow.as_str()), ("monitor_seconds", "0")];
        let harness = Harness::on(Installation::with(&settings).await).await;
        let member = harness.person("bob").await.account().await;
        harness.installation.join(harness.workspace_id(), &member, "operator").await;
        let server = harness.register_server(sshd.port(), sshd.user()).await;
        harness.check_server(&server).await;
        let body = json!({ "name": "web", "steps": [{ "name": "one", "command": "true" }] });
        let created = harness.ada.post(&format!("{server}/deployments"), body).await.expect(201);
        let (token, _) = issue_token(&harness.ada, &harness.path, &["runs:read"]).await;
        let things = Things::from([
            ("token_id", token),
            ("workspace_id", harness.workspace_id().to_owned()),
            ("account_id", member),
            ("server_id", server.rsplit('/').next().unwrap().to_owned()),
            ("deployment_id", created.field("/deployment_id")),
        ]);
        let (account, operator) = (harness.ada.account().await, harness.operator().await);
        Self { harness, operator, sshd, things, account }
    }

    async fn send(&self, operation: &Operation, if_match: Option<&str>, body: &Value) -> Answer {
        let path = operation.filled(|name| self.things[name].clone());
        let by = if path.starts_with("/v1/admin") { &self.operator } else { &self.harness.ada };
        let mut call = by.call(operation.method.clone(), &path);
        if let Some(tag) = if_match {
            call = call.header("If-Match", tag);
        }
        if body.is_null() { call.send().await } else { call.json(body).send().await }
    }

    /// The version of the stream that the operation changes.
    async fn version(&self, operation: &Operation) -> i64 {
        let id = match () {
            () if operation.path.contains("{server_id}") => &self.things["server_id"],
            () if operation.path.contains("{workspace_id}") => &self.things["workspace_id"],
            () => &self.account,
        };
        let mut stream = id.parse::<Uuid>().unwrap();
        if operation.name() == SETS_SEATS {
            stream = pool_stream(WorkspaceId(stream));
        }
        let version = "select max(version) from event_log.events where stream_id = $1";
        let log = self.harness.installation.log().await;
        log.query_one(version, &[&stream]).await.unwrap().get(0)
    }
}

#[tokio::test]
async fn whoever_changes_something_says_which_version_they_saw() {
    let given = Fixture::new().await;
    let mut operations = operations(&document(&given.harness.ada).await);
    operations.retain(|operation| operation.needs_header("If-Match"));
    let bodies = bodies(&Person::named("ada"), &given.sshd, &given.things["account_id"]);
    let mut found: BTreeSet<String> = operations.iter().map(Operation::name).collect();
    assert!(found.remove(GIVES_UP));
    let known: BTreeSet<String> = bodies.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, known, "each operation that needs If-Match has a body here");
    assert!(found.len() >= 16, "{found:?}");

    for (name, body) in &bodies {
        let operation = operations.iter().find(|operation| operation.name() == *name).unwrap();
        let version = given.version(operation).await;
        let bare = given.send(operation, None, body).await;
        assert_eq!(bare.status, 428, "{name}: {}", bare.text());
        assert_eq!(bare.field("/type"), "/problems/precondition-required", "{name}");
        let before = format!("\"{}\"", version - 1);
        let weak = format!("W/\"{version}\"");
        for stale in [before.as_str(), "\"999999\"", &weak] {
            let refused = given.send(operation, Some(stale), body).await;
            assert_eq!(refused.status, 412, "{name} {stale}: {}", refused.text());
        }
        assert_eq!(given.version(operation).await, version, "{name}: nothing has changed");

        let done = given.send(operation, Some(&format!("\"{version}\"")), body).await;
        if [AGREES, APPOINTS].contains(name) {
            assert_eq!(done.field("/type"), "/problems/refused", "{}", done.text());
            continue;
        }
        assert!((200..300).contains(&done.status), "{name}: {} {}", done.status, done.text());
        assert!(given.version(operation).await > version, "{name}: it is done");
    }
}
