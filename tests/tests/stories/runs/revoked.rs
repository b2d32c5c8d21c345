//! Whoever may no longer read a log, reads no more of it within a second.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use infra::clock::Clock;
use serde_json::json;
use tests::{Answer, Client, Event, Events, Person, RunHarness, until};

/// How long a stream may go on.
const LIMIT: TimeDelta = TimeDelta::seconds(1);

/// Somebody who reads the log, with the run that they read.
struct Watcher {
    account: String,
    client: Client,
    events: Events,
}

impl Watcher {
    /// A new member, who opens the log.
    async fn start(harness: &RunHarness, client: &Client, name: &str, path: &str) -> Self {
        let person = Person::named(name);
        person.register(client).await;
        let client = person.sign_in(client).await;
        let account = client.account().await;
        let workspace = harness.workspace.rsplit('/').next().unwrap();
        harness.installation.join(workspace, &account, "viewer").await;
        Self::open(account, client, path).await
    }

    async fn open(account: String, client: Client, path: &str) -> Self {
        let mut events = Events::open(client.call("GET".parse().unwrap(), path)).await;
        while events.next().await.unwrap().name != "line" {}
        Self { account, client, events }
    }

    /// Fails unless the stream ends, with no line that was read from the server later than a second
    /// after `ended`.
    async fn ends(self, what: &str, ended: Answer) {
        let since = Clock::system().now();
        assert!((200..300).contains(&ended.status), "{what}: {}", ended.text());
        let rest = tokio::time::timeout(tests::LIMIT, self.events.rest()).await;
        let rest = rest.unwrap_or_else(|_| panic!("{what}: the stream goes on"));
        assert!(rest.iter().all(|event| event.name != "end"), "{what}: the run ended it");
        let last = rest.iter().filter_map(read_at).max().unwrap_or(since);
        println!("{what}: {} ms", (last - since).num_milliseconds());
        assert!(last - since <= LIMIT, "{what}: a line of {last}, ended at {since}");
    }
}

/// When a line was read from the server.
fn read_at(event: &Event) -> Option<DateTime<Utc>> {
    event.data["logged_at"].as_str().map(|at| at.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_within_a_second_of_what_admitted_its_reader() {
    let _alone = tests::alone().await;
    let (harness, node) = RunHarness::new().await;
    let other = harness.installation.node().await;
    let run = harness.start("while :; do echo tick; sleep 0.02; done").await;
    harness.in_state(&run, "running").await;
    let path = harness.path(&harness.log_of(&run));
    let member = |watcher: &Watcher| harness.path(&format!("members/{}", watcher.account));
    let client = node.client();
    let ada = &harness.ada;
    let mut control = Watcher::open(ada.account().await, ada.clone(), &path).await;

    let watcher = Watcher::start(&harness, &client, "bob", &path).await;
    let ended = watcher.client.delete("/v1/me/sessions/current").await;
    watcher.ends("the session is closed", ended).await;

    let watcher = Watcher::start(&harness, &client, "carol", &path).await;
    let ended = watcher.client.at(other.api()).delete("/v1/me/sessions/current").await;
    watcher.ends("the session is closed on another node", ended).await;

    let watcher = Watcher::start(&harness, &client, "dan", &path).await;
    let ended = ada.delete(&member(&watcher)).await;
    watcher.ends("the member is removed", ended).await;

    let watcher = Watcher::start(&harness, &client, "eve", &path).await;
    let ended = ada.at(other.api()).put(&member(&watcher), "*", json!({ "role": "auditor" })).await;
    watcher.ends("the role has no right to logs any more", ended).await;

    let (token, bearer) = logs_token(&harness).await;
    let watcher = Watcher::open(ada.account().await, bearer, &path).await;
    let ended = ada.at(other.api()).delete(&token).await;
    watcher.ends("the token is revoked", ended).await;

    let since = Clock::system().now();
    while read_at(&control.events.next().await.expect("the control goes on")) < Some(since) {}
    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);
    harness.in_state(&run, "cancelled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_uses_up_the_requests_of_an_account_or_a_token_goes_on_reading() {
    let (harness, _node) = RunHarness::new().await;
    let run = harness.start("while :; do echo tick; sleep 0.02; done").await;
    harness.in_state(&run, "running").await;
    let path = harness.path(&harness.log_of(&run));
    let (ada, bearer) = (&harness.ada, logs_token(&harness).await.1);
    let narrow = harness.installation.node_with(&[("account_requests_per_second", "1")]).await;

    for reader in [ada, &bearer].map(|reader| reader.at(narrow.api())) {
        let mut watcher = Watcher::open(ada.account().await, reader, &path).await;
        until("a request is too many", async || {
            watcher.client.get(&harness.workspace).await.status == 429
        })
        .await;
        // Long enough for six re-checks, while one request a second is allowed, and asked for.
        let end = Clock::system().now() + LIMIT * 3;
        while read_at(&watcher.events.next().await.expect("the stream goes on")) < Some(end) {
            watcher.client.get(&harness.workspace).await;
        }
    }
    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);
    harness.in_state(&run, "cancelled").await;
}

/// A token that reads logs: its path, and a client that bears it.
async fn logs_token(harness: &RunHarness) -> (String, Client) {
    let expires_at = Clock::system().now() + TimeDelta::days(1);
    let body = json!({ "name": "ci", "scopes": ["logs:read"], "expires_at": expires_at });
    let issued = harness.ada.post(&harness.path("api-tokens"), body).await.expect(201);
    let path = harness.path(&format!("api-tokens/{}", issued.field("/token_id")));
    (path, harness.ada.bearing(&issued.field("/token")))
}

/// What a log holds: more than fits between a node and a client that does not read.
const BYTES: usize = 30_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_log_as_text_breaks_off_when_its_reader_may_not_read_it_any_more() {
    let _alone = tests::alone().await;
    let (harness, _node) = RunHarness::new().await;
    let run = harness.start("head -c 30000000 /dev/zero | tr '\\0' a | fold -w 1000").await;
    harness.ended(&run, tests::LIMIT).await;
    let path = harness.path(&harness.log_of(&run));
    let (token, bearer) = logs_token(&harness).await;
    let other = harness.installation.node().await;
    let text = || bearer.call("GET".parse().unwrap(), &path).header("Accept", "text/plain");
    let whole = text().send().await.expect(200);
    assert!(whole.body.len() > BYTES, "{}", whole.body.len());

    let mut reading = text().begin().await;
    let mut read = reading.chunk().await.unwrap().unwrap().len();
    harness.ada.at(other.api()).delete(&token).await.expect(204);
    let since = Instant::now();
    until("the limit has passed", async || since.elapsed() >= Duration::from_secs(1)).await;
    let ended = loop {
        match reading.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };

    assert!(ended && read < whole.body.len(), "{read} of {} bytes", whole.body.len());
}
