//! What a write answers: the thing, whole, as a GET shows it.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use infra::clock::Clock;
use serde_json::{Value, json};
use tests::{Answer, Harness, Installation, Person, RunHarness};

use super::operation::{Operation, document, filled, fresh, operations};
use super::tenant::{Things, issue_token};

const WORKSPACE: &str = "/v1/workspaces/{workspace_id}";

/// A session has no GET of its own.
const NOT_SHOWN: &[&str] = &["POST /v1/sessions"];

/// A body for each operation that makes something, in an order in which each is possible.
fn bodies(given: &RunHarness) -> Vec<(String, Value)> {
    let below = |path: &str| format!("POST {WORKSPACE}/{path}");
    let steps = json!([{ "name": "one", "command": "true" }]);
    let until = Clock::system().now() + TimeDelta::days(1);
    let person = json!({
        "email": "bo@example.org", "name": "Bo", "username": "bo.x", "password": "a password of bo"
    });
    let sign_in = json!({
        "email": "bo@example.org", "password": "a password of bo", "kind": "client"
    });
    let place = json!({ "name": "db", "host": "db.example", "port": 22, "user": "deploy" });
    vec![
        ("POST /v1/accounts".to_owned(), person),
        ("POST /v1/sessions".to_owned(), sign_in),
        ("POST /v1/workspaces".to_owned(), json!({ "name": "Looms" })),
        (below("invitations"), json!({ "email": "eve@example.org", "role": "viewer" })),
        (below("service-accounts"), json!({ "name": "deploys", "role": "operator" })),
        (
            below("api-tokens"),
            json!({ "name": "ci", "scopes": ["runs:read"], "expires_at": until }),
        ),
        (below("servers"), place),
        (below("servers/{server_id}/deployments"), json!({ "name": "web", "steps": steps })),
        (below("runs"), json!({ "command": "true", "server_ids": [given.server] })),
        (below("seat-leases/{lease_id}/take-over"), json!({})),
        (below("seat-leases"), json!({})),
    ]
}

/// Whether `whole` has every field of `part`, with its value.
fn includes(whole: &Value, part: &Value) -> bool {
    let fields = part.as_object().unwrap();
    !fields.is_empty() && fields.iter().all(|(name, value)| whole.get(name) == Some(value))
}

#[tokio::test]
async fn what_is_made_is_answered_as_its_location_shows_it() {
    let (given, node) = RunHarness::new().await;
    let id = |name: &str| match name {
        "workspace_id" => given.workspace.rsplit('/').next().unwrap().to_owned(),
        "server_id" => given.server.clone(),
        other => panic!("no {other} is known here"),
    };
    let mut makes = operations(&document(&given.ada).await);
    makes.retain(|operation| operation.spec["responses"].get("201").is_some());
    let bodies = bodies(&given);
    let found: BTreeSet<String> = makes.iter().map(Operation::name).collect();
    let known: BTreeSet<String> = bodies.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(found, known, "each operation that makes something has a body here");
    // Nothing reads the log from here on.
    assert!(node.stop().await.success());
    let node = given.installation.api_node().await;
    let ada = given.ada.at(node.api());

    let mut lease = ada.get(&given.path("seats")).await.expect(200).field("/items/0/lease_id");
    for (name, body) in &bodies {
        let (method, path) = name.split_once(' ').unwrap();
        let path = filled(path, |name| if name == "lease_id" { lease.clone() } else { id(name) });
        if name.ends_with("/seat-leases") {
            ada.delete(&given.path(&format!("seat-leases/{lease}"))).await.expect(204);
        }
        let call = ada.call(method.parse().unwrap(), &path);
        let made = call.header("Idempotency-Key", &fresh()).json(body).send().await.expect(201);
        let Some(location) = made.header("location") else {
            assert!(NOT_SHOWN.contains(&name.as_str()), "{name} answers no Location");
            continue;
        };
        if location.contains("/seat-leases/") {
            lease = made.field("/lease_id");
        }
        // Whoever registers is not signed in yet.
        let by = if location == "/v1/me" {
            let sign_in = &bodies[1].1;
            let token = ada.post("/v1/sessions", sign_in).await.expect(201).field("/token");
            ada.bearing(&token)
        } else {
            ada.clone()
        };
        let shown = by.get(location).await.expect(200);
        assert!(
            includes(&made.json(), &shown.json()),
            "{name}: {} is not {}",
            made.text(),
            shown.text()
        );
        // A sign-in, too, is an event of the account.
        if location != "/v1/me" && shown.header("etag").is_some() {
            assert_eq!(made.etag(), shown.etag(), "{name}");
        }
    }
}

const AGREES: &str = "PUT /v1/workspaces/{workspace_id}/succession";
/// It needs a workspace that nobody owns: the stories of the succession look at its answer.
const APPOINTS: &str = "PUT /v1/admin/workspaces/{workspace_id}/owner";

/// A body for each operation that changes what a GET of the same path shows.
fn changes() -> Vec<(String, Value)> {
    let below = |method: &str, path: &str| format!("{method} {WORKSPACE}/{path}");
    let steps = json!([{ "name": "one", "command": "true" }]);
    let deployment = "servers/{server_id}/deployments/{deployment_id}";
    vec![
        ("PATCH /v1/me".to_owned(), json!({ "name": "Ada King", "username": null })),
        (format!("PATCH {WORKSPACE}"), json!({ "name": "Mills" })),
        (below("PUT", "members/{account_id}"), json!({ "role": "admin" })),
        (below("PATCH", "api-tokens/{token_id}"), json!({ "name": "deploys" })),
        (below("PATCH", "servers/{server_id}"), json!({ "name": "db" })),
        (below("PUT", deployment), json!({ "name": "other", "steps": steps })),
        (AGREES.to_owned(), json!({ "password": Person::named("bob").password })),
        ("PUT /v1/admin/workspaces/{workspace_id}/seat-limit".to_owned(), json!({ "limit": 7 })),
    ]
}

#[tokio::test]
async fn what_is_changed_is_answered_as_a_get_shows_it() {
    let harness = Harness::on(Installation::new().await).await;
    let (ada, bob) = (&harness.ada, harness.member("bob", "admin").await);
    let operator = harness.operator().await;
    let (member, _) = harness.installation.stranger().await;
    harness.installation.join(harness.workspace_id(), &member, "operator").await;
    let server = harness.register_server(22, "deploy").await;
    let body = json!({ "name": "web", "steps": [{ "name": "one", "command": "true" }] });
    let deployment = ada.post(&format!("{server}/deployments"), body).await.expect(201);
    let (token, _) = issue_token(ada, &harness.path, &["runs:read"]).await;
    let things = Things::from([
        ("workspace_id", harness.workspace_id().to_owned()),
        ("account_id", member),
        ("token_id", token),
        ("server_id", server.rsplit('/').next().unwrap().to_owned()),
        ("deployment_id", deployment.field("/deployment_id")),
    ]);
    let document = document(ada).await;
    let mut operations = operations(&document);
    operations.retain(|operation| {
        let is_shown = document["paths"][&operation.path].get("get").is_some();
        is_shown && matches!(operation.method.as_str(), "PUT" | "PATCH")
    });
    let found: BTreeSet<String> = operations.iter().map(Operation::name).collect();
    let changes = changes();
    let names = changes.iter().map(|(name, _)| name.clone());
    let known: BTreeSet<String> = names.chain([APPOINTS.to_owned()]).collect();
    assert_eq!(found, known, "each operation that changes what a GET shows has a body here");
    let same = |changed: &Answer, shown: &Answer, path: &str| {
        assert_eq!(changed.json(), shown.json(), "{path}");
        assert_eq!(changed.etag(), shown.etag(), "{path}");
    };

    for (name, body) in changes {
        let (method, path) = name.split_once(' ').unwrap();
        let path = filled(path, |name| things[name].clone());
        let by = match () {
            () if path.starts_with("/v1/admin/") => &operator,
            () if name == AGREES => &bob,
            () => ada,
        };
        let before = by.get(&path).await.expect(200);
        let call = by.call(method.parse().unwrap(), &path);
        let answer = call.header("If-Match", &before.etag()).json(body).send().await.expect(200);

        let shown = by.get(&path).await.expect(200);
        same(&answer, &shown, &path);
        assert_ne!(answer.etag(), before.etag(), "{path}");
    }

    let address = json!({ "host": "db.example", "port": 2222, "user": "root" });
    let moved = ada.put(&format!("{server}/address"), "*", address).await.expect(200);
    same(&moved, &ada.get(&server).await.expect(200), &server);
    let consent = "/v1/me/consents/product_news";
    let given = ada.put(consent, "*", json!({ "policy_version": 3 })).await.expect(200);
    let listed = ada.get("/v1/me/consents").await.expect(200).json();
    assert_eq!(given.json(), listed["items"][1]);
}
