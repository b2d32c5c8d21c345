//! Vault at the wire: its transit engine, mounted at `transit`, with keys of its own that it never
//! shows. Status codes and bodies are those of Vault 1.13 to 1.21.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A Vault with one token, which stops when it is dropped together with its runtime.
pub struct Vault {
    port: u16,
    state: Arc<Mutex<State>>,
    silent: watch::Sender<bool>,
}

struct State {
    token: String,
    is_sealed: bool,
    /// The answer to the next request of this method is lost after it was carried out.
    loses_answer_to: Option<Method>,
    keys: BTreeMap<String, Key>,
    requests: Vec<String>,
}

struct Key {
    secret: [u8; 32],
    versions: i64,
    deletion_allowed: bool,
}

type Answer = (u16, Value);

impl Vault {
    /// One that is unsealed and empty.
    pub async fn start(token: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            token: token.to_owned(),
            is_sealed: false,
            loses_answer_to: None,
            keys: BTreeMap::new(),
            requests: Vec::new(),
        }));
        let silent = watch::Sender::new(false);
        let (shared, silenced) = (Arc::clone(&state), silent.subscribe());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared), silenced.clone()));
            }
        });
        Self { port, state, silent }
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// From now on only this token is good.
    pub fn replace_token(&self, token: &str) {
        token.clone_into(&mut self.state().token);
    }

    pub fn seal(&self) {
        self.state().is_sealed = true;
    }

    pub fn unseal(&self) {
        self.state().is_sealed = false;
    }

    /// As when a network swallows every packet: connections are made, and nothing is answered.
    pub fn go_silent(&self) {
        self.silent.send_replace(true);
    }

    pub fn speak(&self) {
        self.silent.send_replace(false);
    }

    /// Carries out the next request of this method, and closes the connection in place of the answer.
    pub fn lose_answer_to(&self, method: &str) {
        self.state().loses_answer_to = Some(method.parse().unwrap());
    }

    /// Adds a key, as somebody else who may do so.
    pub fn add(&self, name: &str) {
        self.state().create(name);
    }

    /// The names of its keys, in order.
    pub fn keys(&self) -> Vec<String> {
        self.state().keys.keys().cloned().collect()
    }

    /// Deletes a key, as somebody else who may do so.
    pub fn delete(&self, name: &str) {
        self.state().keys.remove(name).unwrap();
    }

    /// Adds a version to a key, as somebody else who may do so, or a period that is set.
    pub fn rotate(&self, name: &str) {
        self.state().keys.get_mut(name).unwrap().versions += 1;
    }

    /// A snapshot of its storage, to be put back.
    pub fn snapshot(&self) -> BTreeMap<String, [u8; 32]> {
        self.state().keys.iter().map(|(name, key)| (name.clone(), key.secret)).collect()
    }

    /// Puts the keys of a snapshot back, and no others.
    pub fn restore(&self, snapshot: BTreeMap<String, [u8; 32]>) {
        let key = |secret| Key { secret, versions: 1, deletion_allowed: false };
        self.state().keys =
            snapshot.into_iter().map(|(name, secret)| (name, key(secret))).collect();
    }

    /// Method and path of every request so far.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>, silent: watch::Receiver<bool>) {
    let service = service_fn(|request| answer(request, Arc::clone(&state), silent.clone()));
    // An error means that the client has closed the connection, or that its answer is to be lost.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
    mut silent: watch::Receiver<bool>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if silent.wait_for(|silent| !silent).await.is_err() {
        std::future::pending::<Infallible>().await;
    }
    let token = head.headers.get("x-vault-token").and_then(|token| token.to_str().ok());
    let (path, query) = (head.uri.path(), head.uri.query());
    let mut state = state.lock().unwrap();
    state.requests.push(format!("{} {path}", head.method));
    let (status, answer) = state.answer(&head.method, path, query, token, &body);
    if state.loses_answer_to.take_if(|method| *method == head.method).is_some() {
        return Err(std::io::Error::other("the answer is lost"));
    }
    let text = if answer.is_null() { String::new() } else { answer.to_string() };
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from(text))).unwrap())
}

fn errors(status: u16, errors: &[&str]) -> Answer {
    (status, json!({ "errors": errors }))
}

fn data(data: Value, warnings: &[String]) -> Answer {
    let warnings = if warnings.is_empty() { Value::Null } else { json!(warnings) };
    (
        200,
        json!({
            "request_id": "5d1ca4b4-6a1c-1a5c-9d1e-7c8c7d0e2f11", "lease_id": "", "renewable": false,
            "lease_duration": 0, "data": data, "wrap_info": null, "warnings": warnings, "auth": null,
            "mount_type": "transit",
        }),
    )
}

impl State {
    fn answer(
        &mut self,
        method: &Method,
        path: &str,
        query: Option<&str>,
        token: Option<&str>,
        body: &Value,
    ) -> Answer {
        if self.is_sealed {
            return errors(503, &["Vault is sealed"]);
        }
        if token != Some(self.token.as_str()) {
            return errors(
                403,
                &["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"],
            );
        }
        let Some(path) = path.strip_prefix("/v1/transit/") else {
            let path = path.trim_start_matches("/v1/");
            let text = format!("no handler for route {path:?}. route entry not found.");
            return errors(404, &[&text]);
        };
        let parts: Vec<&str> = path.split('/').collect();
        match (method.as_str(), parts.as_slice()) {
            ("GET", ["keys"]) if query == Some("list=true") => self.list(),
            ("GET", ["keys", name]) => self.read(name),
            ("POST", ["keys", name]) => self.create(name),
            ("DELETE", ["keys", name]) => self.delete(name),
            ("POST", ["keys", name, "config"]) => self.configure(name, body),
            ("POST", ["hmac", name, "sha2-256"]) => self.mac(name, body),
            _ => errors(405, &["1 error occurred:\n\t* unsupported operation\n\n"]),
        }
    }

    fn list(&self) -> Answer {
        if self.keys.is_empty() {
            return errors(404, &[]);
        }
        data(json!({ "keys": self.keys.keys().collect::<Vec<_>>() }), &[])
    }

    fn read(&self, name: &str) -> Answer {
        self.keys.get(name).map_or_else(|| errors(404, &[]), |key| data(described(name, key), &[]))
    }

    fn create(&mut self, name: &str) -> Answer {
        if let Some(key) = self.keys.get(name) {
            return data(described(name, key), &[format!("key {name} already existed")]);
        }
        let mut secret = [0; 32];
        SystemRandom::new().fill(&mut secret).unwrap();
        let key = Key { secret, versions: 1, deletion_allowed: false };
        let answer = data(described(name, &key), &[]);
        self.keys.insert(name.to_owned(), key);
        answer
    }

    fn configure(&mut self, name: &str, body: &Value) -> Answer {
        let Some(key) = self.keys.get_mut(name) else {
            return errors(400, &[&format!("no existing key named {name} could be found")]);
        };
        if let Some(allowed) = body["deletion_allowed"].as_bool() {
            key.deletion_allowed = allowed;
        }
        data(described(name, key), &[])
    }

    fn delete(&mut self, name: &str) -> Answer {
        let refused =
            |reason: &str| errors(400, &[&format!("error deleting policy {name}: {reason}")]);
        match self.keys.get(name) {
            None => refused("could not delete key; not found"),
            Some(key) if !key.deletion_allowed => refused("deletion is not allowed for this key"),
            Some(_) => {
                self.keys.remove(name);
                (204, Value::Null)
            }
        }
    }

    fn mac(&self, name: &str, body: &Value) -> Answer {
        let Some(key) = self.keys.get(name) else {
            return errors(400, &["encryption key not found"]);
        };
        let input = body["input"].as_str().and_then(|input| STANDARD.decode(input).ok());
        let Some(input) = input else { return errors(400, &["missing input for HMAC"]) };
        let version = body["key_version"].as_i64().filter(|version| *version != 0);
        let version = version.unwrap_or(key.versions);
        if version > key.versions {
            return errors(400, &["key version does not exist"]);
        }
        // Each version has a key of its own.
        let secret = [key.secret.as_slice(), &version.to_be_bytes()].concat();
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), &input);
        data(json!({ "hmac": format!("vault:v{version}:{}", STANDARD.encode(mac)) }), &[])
    }
}

fn described(name: &str, key: &Key) -> Value {
    let versions: BTreeMap<String, i64> =
        (1..=key.versions).map(|version| (version.to_string(), 1_764_000_000)).collect();
    json!({
        "name": name, "type": "aes256-gcm96", "derived": false, "keys": versions,
        "deletion_allowed": key.deletion_allowed, "exportable": false,
        "allow_plaintext_backup": false, "auto_rotate_period": 0, "imported_key": false,
        "latest_version": key.versions, "min_available_version": 0, "min_decryption_version": 1,
        "min_encryption_version": 0, "supports_encryption": true, "supports_decryption": true,
        "supports_signing": false, "supports_derivation": true,
    })
}
