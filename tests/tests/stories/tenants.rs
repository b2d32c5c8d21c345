//! What one workspace has, another cannot see, count or infer: every route of the document, asked
//! with another's ids and tokens, answers as if nothing were there.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use infra::clock::Clock;
use infra::ids::Ids;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::sshd::Sshd;
use tests::{Client, Installation, Person, register_server};

/// One of everything, by the name that it has in paths.
type Things = BTreeMap<&'static str, String>;

struct Tenant {
    session: Client,
    /// The same person's token in the workspace.
    token: Client,
    things: Things,
}

fn key() -> String {
    Ids::system().uuid().to_string()
}

/// Creates something, and answers its id.
async fn made(by: &Client, path: &str, body: Value, id: &str) -> String {
    let answer = by.call(Method::POST, path).header("Idempotency-Key", &key()).json(body);
    answer.send().await.expect(201).field(id)
}

impl Tenant {
    async fn settle(installation: &Installation, client: &Client, word: &str, sshd: &Sshd) -> Self {
        let session = Person::named(word).settle(client, installation).await;
        let workspace =
            made(&session, "/v1/workspaces", json!({ "name": word }), "/workspace_id").await;
        let at = format!("/v1/workspaces/{workspace}");
        let make = async |path: &str, body: Value, id: &str| {
            made(&session, &format!("{at}/{path}"), body, id).await
        };
        let guest = json!({ "email": format!("guest.{word}@example.org"), "role": "viewer" });
        let invitation = make("invitations", guest, "/invitation_id").await;
        let scopes = ["workspace:read", "members:read", "servers:read", "runs:read", "logs:read"];
        let until = Clock::system().now() + TimeDelta::days(1);
        let wants = json!({ "name": "ci", "scopes": scopes, "expires_at": until });
        let answer = session.post(&format!("{at}/api-tokens"), wants).await.expect(201);
        let (token, secret) = (answer.field("/token_id"), answer.field("/token"));
        let lease = make("seat-leases", json!({}), "/lease_id").await;
        let server = register_server(&session, &at, sshd, sshd.port()).await;
        let steps = json!({ "name": "web", "steps": [{ "name": "one", "command": "true" }] });
        let deployment =
            make(&format!("servers/{server}/deployments"), steps, "/deployment_id").await;
        let run = make("runs", json!({ "command": "true", "servers": [server] }), "/run_id").await;
        let member = session.get("/v1/me").await.expect(200).field("/account_id");
        let things = BTreeMap::from([
            ("workspace", workspace),
            ("member", member),
            ("invitation", invitation),
            ("token", token),
            ("lease", lease),
            ("server", server),
            ("deployment", deployment),
            ("run", run),
        ]);
        let token = client.bearing(&secret);
        Self { session, token, things }
    }
}

/// Method and path of each operation below a workspace.
fn operations(document: &Value) -> Vec<(Method, String)> {
    let mut found = vec![];
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys();
        let methods = methods.filter_map(|name| name.to_uppercase().parse::<Method>().ok());
        if path.contains("{workspace}") {
            found.extend(methods.map(|method| (method, path.clone())));
        }
    }
    found
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// The path with each name replaced by what `id` says.
fn filled(path: &str, id: impl Fn(&str) -> String) -> String {
    names(path).fold(path.to_owned(), |path, name| path.replace(&format!("{{{name}}}"), &id(name)))
}

/// Status and body.
async fn ask(by: &Client, method: &Method, path: &str) -> (u16, String) {
    let asks = by.call(method.clone(), path).header("If-Match", "*");
    let asks = asks.header("Idempotency-Key", &key());
    let answer = if *method == Method::GET { asks } else { asks.json(json!({})) };
    let answer = answer.send().await;
    (answer.status, answer.text())
}

#[tokio::test]
async fn whatever_is_another_tenants_is_not_there_and_nothing_tells_it_from_nothing() {
    let sshd = Sshd::start().unwrap();
    let allow = format!("127.0.0.1/32:{}", sshd.port());
    let installation = Installation::with(&[("egress_allow", &allow)]).await;
    let node = installation.node().await;
    let client = node.client();
    let ada = Tenant::settle(&installation, &client, "ada", &sshd).await;
    let eve = Tenant::settle(&installation, &client, "eve", &sshd).await;
    let operations = operations(&client.get("/v1/openapi.json").await.expect(200).json());
    assert!(operations.len() >= 40, "{operations:?}");
    let (_, nothing) = ask(&eve.session, &Method::GET, &format!("/v1/workspaces/{}", key())).await;

    let mut asked = BTreeSet::new();
    for (method, path) in &operations {
        let hers = |name: &str| match ada.things.get(name) {
            Some(id) => id.clone(),
            None => panic!("{path}: this test does not know what {name} is"),
        };
        let own = |name: &str| match name {
            "workspace" => eve.things["workspace"].clone(),
            other => hers(other),
        };
        let nobodys = |name: &str| match name {
            "workspace" => eve.things["workspace"].clone(),
            _ => key(),
        };
        let mut tries = vec![
            ("her session at the other's", &eve.session, filled(path, hers)),
            ("her token at the other's", &eve.token, filled(path, hers)),
        ];
        if names(path).count() > 1 {
            tries.push(("the other's ids in her own", &eve.session, filled(path, own)));
            tries.push(("ids of nothing in her own", &eve.session, filled(path, nobodys)));
        }
        for (what, by, path) in tries {
            let (status, body) = ask(by, method, &path).await;
            assert_eq!((status, &body), (404, &nothing), "{what}: {method} {path}");
            asked.insert((method.to_string(), path));
        }
    }
    assert!(asked.len() >= operations.len());

    // The control: to Ada all of it is there, but for a deletion that she has not asked for.
    let reads = operations.iter().filter(|(method, _)| *method == Method::GET);
    for (method, path) in reads.filter(|(_, path)| !path.ends_with("/deletion")) {
        let (status, body) =
            ask(&ada.session, method, &filled(path, |it| ada.things[it].clone())).await;
        assert_ne!(status, 404, "{path}: {body}");
    }
}
