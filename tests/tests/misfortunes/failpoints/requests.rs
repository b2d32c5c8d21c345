//! Requests that can be sent again, each under a key of its own, and the answers that may come.

use infra::ids::Ids;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Client, Person};

/// Headers of an answer that are the same each time.
const HEADERS: [&str; 3] = ["lethe-position", "etag", "location"];

#[derive(Clone)]
pub struct Request {
    client: Client,
    method: Method,
    path: String,
    body: Value,
    key: String,
    /// What the answer is, once the request was executed, or another one that came before it.
    pub again: &'static [u16],
    /// Fields of the body that only the first answer shows.
    shown_once: &'static [&'static str],
    /// Whether what the body shows goes on changing, such as a run.
    is_moving: bool,
    /// Whether the same answer comes each time, also for a third time.
    pub is_repeatable: bool,
    /// The type of the first event that is appended.
    pub event: Option<&'static str>,
}

impl Request {
    pub fn new(client: &Client, method: Method, path: &str, body: Value) -> Self {
        Self {
            client: client.clone(),
            method,
            path: path.to_owned(),
            body,
            key: Ids::system().uuid().to_string(),
            again: &[],
            shown_once: &[],
            is_moving: false,
            is_repeatable: true,
            event: None,
        }
    }

    pub fn post(client: &Client, path: &str, body: Value) -> Self {
        Self::new(client, Method::POST, path, body).or(&[201])
    }

    pub fn put(client: &Client, path: &str, body: Value) -> Self {
        Self::new(client, Method::PUT, path, body).or(&[204])
    }

    pub fn delete(client: &Client, path: &str) -> Self {
        Self::new(client, Method::DELETE, path, json!({})).or(&[204])
    }

    pub fn register(client: &Client, person: &Person) -> Self {
        let Person { email, name, username, password } = person;
        let body =
            json!({ "email": email, "name": name, "username": username, "password": password });
        Self::post(client, "/v1/accounts", body).appends("account.registered")
    }

    pub fn sign_in(client: &Client, person: &Person) -> Self {
        let body = json!({ "email": person.email, "password": person.password, "kind": "client" });
        Self::post(client, "/v1/sessions", body).appends("session.opened").showing_once(&["token"])
    }

    pub fn create_workspace(client: &Client, name: &str) -> Self {
        let body = json!({ "name": name });
        Self::post(client, "/v1/workspaces", body).appends("workspace.created")
    }

    /// The answer is one of these; nothing else is accepted.
    pub fn or(mut self, again: &'static [u16]) -> Self {
        self.again = again;
        self
    }

    /// Executed, it takes away what it needs itself, such as the password that it knows.
    pub fn not_repeatable(mut self) -> Self {
        self.is_repeatable = false;
        self
    }

    pub fn showing_once(mut self, fields: &'static [&'static str]) -> Self {
        self.shown_once = fields;
        self
    }

    /// The answer shows a thing that goes on changing: its ids are compared.
    pub fn moving(mut self) -> Self {
        self.is_moving = true;
        self
    }

    pub fn appends(mut self, event: &'static str) -> Self {
        self.event = Some(event);
        self
    }

    /// `None`: the answer did not come.
    pub async fn send(&self, base: &str) -> Option<Answer> {
        let client = self.client.at(base);
        let call = client.call(self.method.clone(), &self.path);
        let call = call.header("Idempotency-Key", &self.key).header("If-Match", "*");
        call.json(&self.body).try_send().await.ok()
    }

    /// Why the second answer is not a repetition of the first.
    pub fn difference(&self, first: &Answer, second: &Answer) -> Option<String> {
        let compared = |name: &&str| !(self.is_moving && *name == "etag");
        let headers = |answer: &Answer| {
            let names = HEADERS.into_iter().filter(compared);
            names.map(|name| answer.header(name).map(str::to_owned)).collect::<Vec<_>>()
        };
        let shown = |answer: &Answer| {
            let mut body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            for field in self.shown_once {
                body.as_object_mut().and_then(|body| body.remove(*field));
            }
            if let (true, Some(body)) = (self.is_moving, body.as_object_mut()) {
                body.retain(|name, _| name.ends_with("_id"));
            }
            (answer.status, headers(answer), body)
        };
        let (first, second) = (shown(first), shown(second));
        (first != second).then(|| format!("{} {}: {first:?}, {second:?}", self.method, self.path))
    }
}

fn answer(status: u16, position: &'static str, body: &Value) -> Answer {
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("lethe-position", position.parse().unwrap());
    Answer { status, headers, body: body.to_string().into_bytes() }
}

#[test]
fn an_answer_of_another_status_position_or_body_is_no_repetition() {
    let request = Request::post(&Client::new(""), "", json!({})).showing_once(&["token"]);
    let first = answer(201, "7", &json!({ "id": 1, "token": "secret" }));
    let differs = |answer: Answer| request.difference(&first, &answer).is_some();

    assert!(!differs(answer(201, "7", &json!({ "id": 1 }))));
    assert!(differs(answer(200, "7", &json!({ "id": 1 }))));
    assert!(differs(answer(201, "8", &json!({ "id": 1 }))));
    assert!(differs(answer(201, "7", &json!({ "id": 2 }))));
}
