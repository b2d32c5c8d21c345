//! Two nodes, of which one may be killed and replaced while clients speak to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use reqwest::Method;
use serde_json::json;
use tests::{Answer, Client, Installation, TestServer, until};

#[derive(Clone)]
pub struct Nodes(Arc<Inner>);

struct Inner {
    installation: Installation,
    places: [Mutex<Place>; 2],
    requests: AtomicU64,
}

struct Place {
    client: Client,
    node: Option<TestServer>,
}

impl Nodes {
    pub async fn start(installation: Installation) -> Self {
        let one = installation.node().await;
        let other = installation.node().await;
        let places =
            [one, other].map(|node| Mutex::new(Place { client: node.client(), node: Some(node) }));
        Self(Arc::new(Inner { installation, places, requests: AtomicU64::new(0) }))
    }

    pub fn installation(&self) -> &Installation {
        &self.0.installation
    }

    pub fn client(&self, place: usize) -> Client {
        self.0.places[place % 2].lock().unwrap().client.clone()
    }

    pub fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    /// kill -9, and another node is started in its place.
    pub async fn replace(&self, place: usize) {
        let killed = self.0.places[place].lock().unwrap().node.take();
        killed.expect("a node that lives").kill();
        let node = self.0.installation.node().await;
        *self.0.places[place].lock().unwrap() = Place { client: node.client(), node: Some(node) };
    }

    /// `None` when there was no answer: the node may have died, before or after it did its work.
    pub async fn once(&self, at: usize, token: &str, call: &Call) -> Option<Answer> {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        let sent = self.client(at).bearing(token);
        let mut sent = sent.call(call.method.clone(), &call.path).json(&call.body);
        if let Some(key) = &call.key {
            sent = sent.header("Idempotency-Key", key);
        }
        sent.try_send().await.ok()
    }

    /// Sends it to the nodes in turn until one answers, whatever it answers.
    pub async fn ask(&self, first: usize, token: &str, call: &Call) -> Answer {
        let mut at = first;
        until("a node answers", async || {
            let answer = self.once(at, token, call).await;
            at += 1;
            answer
        })
        .await
    }
}

pub struct Call {
    pub method: Method,
    pub path: String,
    pub key: Option<String>,
    pub body: serde_json::Value,
}

impl Call {
    pub fn new(method: Method, path: String) -> Self {
        Self { method, path, key: None, body: json!({}) }
    }
}
