//! What a user of the API does first: the table in the README of services, each call made as it stands there.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::TimeDelta;
use infra::clock::Clock;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tests::{Answer, Client, Installation, Sshd, until};

const README: &str = include_str!("../../../services/README.md");

enum By {
    Anybody,
    Person,
    Token,
}

/// One call: what for, by whom, method and path, a header, the body, and what its answer is waited for to show.
struct Row(&'static str, By, &'static str, &'static str, &'static str, &'static str);

const MATCH: &str = "If-Match: *";
const KEY: &str = "Idempotency-Key: a-key-of-ones-own";
const PEOPLE: &str =
    "GET /v1/workspaces/{workspace_id}/members?names=true&purpose=account_administration";
const APPROVES: &str = r#"{"fingerprint":"{seen}","password":"correct horse battery"}"#;
const ISSUES: &str =
    r#"{"name":"ci","scopes":["runs:read","logs:read"],"expires_at":"{in_30_days}"}"#;
const REGISTERS: &str =
    r#"{"email":"ada@example.org","name":"Ada Lovelace","password":"correct horse battery"}"#;
const SIGNS_IN: &str = r#"{"email":"ada@example.org","password":"correct horse battery"}"#;
const PLACE: &str = r#"{"name":"web","host":"web.example.org","port":22,"user":"deploy"}"#;
const RUNS: &str = r#"{"command":"echo hello","server_ids":["{server_id}"]}"#;

const ROWS: [Row; 25] = [
    Row("register", By::Anybody, "POST /v1/accounts", "", REGISTERS, ""),
    Row(
        "verify the address",
        By::Anybody,
        "POST /v1/email-verifications",
        "",
        r#"{"token":"{link}"}"#,
        "",
    ),
    Row("sign in", By::Anybody, "POST /v1/sessions", "", SIGNS_IN, ""),
    Row("who am I", By::Person, "GET /v1/me", "", "", "/email_verified"),
    Row("correct the name", By::Person, "PATCH /v1/me", MATCH, r#"{"name":"Ada King"}"#, ""),
    Row("see one's sessions", By::Person, "GET /v1/me/sessions", "", "", "/items/0"),
    Row("see who signed in", By::Person, "GET /v1/me/sign-ins?limit=1", "", "", "/items/0"),
    Row("make a workspace", By::Person, "POST /v1/workspaces", "", r#"{"name":"Engines"}"#, ""),
    Row("list workspaces", By::Person, "GET /v1/workspaces?order=name", "", "", "/items/0"),
    Row(
        "invite somebody",
        By::Person,
        "POST /v1/workspaces/{workspace_id}/invitations",
        "",
        r#"{"email":"bob@example.org","role":"operator"}"#,
        "",
    ),
    Row("see who belongs to it", By::Person, PEOPLE, "", "", ""),
    Row(
        "register a server",
        By::Person,
        "POST /v1/workspaces/{workspace_id}/servers",
        KEY,
        PLACE,
        "",
    ),
    Row(
        "look at its host key",
        By::Person,
        "POST /v1/workspaces/{workspace_id}/servers/{server_id}/check",
        "",
        "{}",
        "/host_key/seen",
    ),
    Row(
        "approve the host key",
        By::Person,
        "POST /v1/workspaces/{workspace_id}/servers/{server_id}/host-key/approve",
        MATCH,
        APPROVES,
        "",
    ),
    Row(
        "make a key for it",
        By::Person,
        "PUT /v1/workspaces/{workspace_id}/servers/{server_id}/credential",
        MATCH,
        r#"{"generate":true}"#,
        "",
    ),
    Row("take a seat", By::Person, "POST /v1/workspaces/{workspace_id}/seat-leases", KEY, "{}", ""),
    Row("see the seats", By::Person, "GET /v1/workspaces/{workspace_id}/seats", "", "", "/items/0"),
    Row("run a command", By::Person, "POST /v1/workspaces/{workspace_id}/runs", KEY, RUNS, ""),
    Row(
        "issue a token",
        By::Person,
        "POST /v1/workspaces/{workspace_id}/api-tokens",
        "",
        ISSUES,
        "",
    ),
    Row(
        "see how the run ended",
        By::Token,
        "GET /v1/workspaces/{workspace_id}/runs/{run_id}",
        "",
        "",
        "/servers/0/log",
    ),
    Row(
        "list what succeeded",
        By::Token,
        "GET /v1/workspaces/{workspace_id}/runs?state=succeeded&limit=1",
        "",
        "",
        "/items/0",
    ),
    Row(
        "read its log",
        By::Token,
        "GET /v1/workspaces/{workspace_id}/runs/{run_id}/servers/{server_id}/log",
        "",
        "",
        "/text",
    ),
    Row(
        "see what was done",
        By::Person,
        "GET /v1/workspaces/{workspace_id}/audit-events?type=run.requested&limit=1",
        "",
        "",
        "/items/0",
    ),
    Row(
        "revoke the token",
        By::Person,
        "DELETE /v1/workspaces/{workspace_id}/api-tokens/{token_id}",
        "",
        "",
        "",
    ),
    Row("sign out", By::Person, "DELETE /v1/me/sessions/current", "", "", ""),
];

struct Story {
    installation: Installation,
    sshd: Sshd,
    /// Nobody's, the person's and the token's.
    clients: [Client; 3],
    /// What answers have said, by name.
    known: BTreeMap<String, String>,
}

impl Story {
    fn filled(&self, text: &str) -> String {
        self.known.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
    }

    async fn call(&mut self, row: &Row) -> Answer {
        let Row(_, by, call, header, body, shows) = row;
        if body.contains("{link}") {
            let link = self.installation.mail("ada@example.org", 1).await.token().to_owned();
            self.known.insert("link".to_owned(), link);
        }
        let (method, path) = call.split_once(' ').unwrap();
        let (method, path): (Method, _) = (method.parse().unwrap(), self.filled(path));
        let client = match by {
            By::Anybody => &self.clients[0],
            By::Person => &self.clients[1],
            By::Token => &self.clients[2],
        };
        let answer = until("the answer is there", async || {
            let mut request = client.call(method.clone(), &path);
            if let Some((name, value)) = header.split_once(": ") {
                request = request.header(name, value);
            }
            if !body.is_empty() {
                let mut body: Value = serde_json::from_str(&self.filled(body)).unwrap();
                self.swap_place(&mut body, true);
                request = request.json(body);
            }
            let answer = request.send().await;
            let is_there = (200..300).contains(&answer.status)
                && (shows.is_empty()
                    || !matches!(pointed(&answer, shows), None | Some(Value::Bool(false))));
            // What changes something is done once.
            if is_there || (method != Method::GET && shows.is_empty()) {
                Ok(answer)
            } else {
                Err(answer.text())
            }
        })
        .await;
        assert!((200..300).contains(&answer.status), "{call}: {} {}", answer.status, answer.text());
        self.learn(call, &answer);
        answer
    }

    /// The server of the table is the one of this test.
    fn swap_place(&self, value: &mut Value, to_test: bool) {
        let place = [
            ("host", json!("web.example.org"), json!("127.0.0.1")),
            ("port", json!(22), json!(self.sshd.port())),
            ("user", json!("deploy"), json!(self.sshd.user())),
        ];
        let Value::Object(fields) = value else { return };
        for (name, shown, own) in place {
            if let Some(field) = fields.get_mut(name) {
                *field = if to_test { own } else { shown };
            }
        }
    }

    fn learn(&mut self, call: &str, answer: &Answer) {
        let Ok(value) = serde_json::from_slice::<Value>(&answer.body) else { return };
        for name in ["workspace_id", "server_id", "run_id", "token_id"] {
            if let (Some(id), false) = (value[name].as_str(), self.known.contains_key(name)) {
                self.known.insert(name.to_owned(), id.to_owned());
            }
        }
        if let Some(seen) = value["host_key"]["seen"].as_str() {
            self.known.insert("seen".to_owned(), seen.to_owned());
        }
        if let Some(line) = value["public_line"].as_str() {
            self.sshd.authorize(line).unwrap();
        }
        if let Some(token) = value["token"].as_str() {
            let of = if call.ends_with("/sessions") { 1 } else { 2 };
            self.clients[of] = self.clients[0].bearing(token);
        }
    }

    fn line(&self, number: usize, row: &Row, answer: &Answer) -> String {
        let Row(what, by, call, header, body, _) = row;
        let by = match by {
            By::Anybody => "anybody",
            By::Person => "a session",
            By::Token => "an API token",
        };
        let mut line = format!("| {number} | {what} | {by} | `{call}`");
        for part in [header, body] {
            if !part.is_empty() {
                write!(line, " `{part}`").unwrap();
            }
        }
        write!(line, " | {}", answer.status).unwrap();
        if let Ok(mut value) = serde_json::from_slice::<Value>(&answer.body) {
            self.swap_place(&mut value, false);
            if *what == "run a command" {
                // It may have begun by then.
                (value["state"], value["servers"]) = (json!("…"), json!("…"));
            }
            write!(line, " `{}`", shortened("", value)).unwrap();
        }
        line + " |"
    }
}

fn pointed(answer: &Answer, pointer: &str) -> Option<Value> {
    serde_json::from_slice::<Value>(&answer.body).ok()?.pointer(pointer).cloned()
}

/// What differs from one time to the next is `…`.
fn shortened(name: &str, value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| {
                let value = shortened(&name, value);
                (name, value)
            });
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(|item| shortened(name, item)).collect(),
        Value::String(text) => {
            let prefix = ["ls_", "lw_", "SHA256:", "ssh-ed25519 "];
            let prefix = prefix.into_iter().find(|prefix| text.starts_with(prefix));
            let differs = name.ends_with("_id")
                || name.ends_with("_ids")
                || name.ends_with("_at")
                || matches!(name, "next" | "sha256")
                || uuid::Uuid::try_parse(&text).is_ok()
                || prefix.is_some();
            if differs { json!(format!("{}…", prefix.unwrap_or_default())) } else { json!(text) }
        }
        Value::Number(_) if name == "position" => json!("…"),
        value @ (Value::Null | Value::Bool(_) | Value::Number(_)) => value,
    }
}

#[tokio::test]
async fn the_first_hour_is_as_the_readme_says() {
    let settings = [
        ("egress_allow", "127.0.0.1/32:*"),
        ("monitor_seconds", "0"),
        ("ssh_connect_seconds", "20"),
    ];
    let installation = Installation::with(&settings).await;
    let node = installation.node().await;
    let client = node.client();
    let clients = [client.clone(), client.clone(), client];
    let in_30_days = Clock::system().now() + TimeDelta::days(30);
    let known = BTreeMap::from([("in_30_days".to_owned(), in_30_days.to_rfc3339())]);
    let mut story = Story { installation, sshd: Sshd::start().unwrap(), clients, known };
    let mut table = String::new();
    for (row, number) in ROWS.iter().zip(1..) {
        let answer = story.call(row).await;
        writeln!(table, "{}", story.line(number, row, &answer)).unwrap();
    }
    assert!(README.contains(&table), "the table in services/README.md is to be:\n{table}");
}
