//! Requests that can be sent again: each under a key of its own.

use infra::ids::Ids;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Client, Person};

#[derive(Clone)]
pub struct Request {
    client: Client,
    method: Method,
    path: String,
    body: Value,
    key: String,
    /// What the second answer may be, once the first was lost or came.
    pub again: &'static [u16],
}

impl Request {
    pub fn new(client: &Client, method: Method, path: &str, body: Value) -> Self {
        let (client, path) = (client.clone(), path.to_owned());
        let key = Ids::system().uuid().to_string();
        Self { client, method, path, body, key, again: &[200, 201, 202, 204] }
    }

    pub fn post(client: &Client, path: &str, body: Value) -> Self {
        Self::new(client, Method::POST, path, body)
    }

    pub fn delete(client: &Client, path: &str) -> Self {
        Self::new(client, Method::DELETE, path, json!({}))
    }

    pub fn register(client: &Client, person: &Person) -> Self {
        let Person { email, name, username, password } = person;
        let body =
            json!({ "email": email, "name": name, "username": username, "password": password });
        Self::post(client, "/v1/accounts", body)
    }

    pub fn sign_in(client: &Client, person: &Person) -> Self {
        let body = json!({ "email": person.email, "password": person.password, "kind": "client" });
        Self::post(client, "/v1/sessions", body)
    }

    /// The answer to the second sending may be one of these, too.
    pub fn or(mut self, again: &'static [u16]) -> Self {
        self.again = again;
        self
    }

    /// `None`: the answer did not come.
    pub async fn send(&self, base: &str) -> Option<Answer> {
        let client = self.client.at(base);
        let call = client.call(self.method.clone(), &self.path);
        let call = call.header("Idempotency-Key", &self.key).header("If-Match", "*");
        call.json(&self.body).try_send().await.ok()
    }
}
