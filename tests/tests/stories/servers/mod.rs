//! Servers, through HTTP, on a real sshd.

mod addresses;
mod credentials;
mod deployments;
mod host_keys;
mod rights;
mod watching;

use serde_json::{Value, json};
use test_support::sshd::Sshd;
use tests::{Answer, Client, Installation, Person, TestServer, until};

/// An installation that may go to this machine's own sshd, with a workspace of Ada's.
struct Stage {
    installation: Installation,
    node: TestServer,
    ada: Client,
    /// The path of the workspace.
    path: String,
}

impl Stage {
    async fn set() -> Self {
        Self::with(&[("monitor_seconds", "0")]).await
    }

    async fn with(settings: &[(&str, &str)]) -> Self {
        let allow = [("egress_allow", "127.0.0.1/32:*")];
        let installation = Installation::with(&[&allow, settings].concat()).await;
        let node = installation.node().await;
        let ada = Person::named("ada").settle(&node.client(), &installation).await;
        let made = ada.post("/v1/workspaces", json!({ "name": "Engines" })).await.expect(201);
        let path = made.header("location").unwrap().to_owned();
        Self { installation, node, ada, path }
    }

    /// Registers it; answers the path of the server.
    async fn register(&self, port: u16, user: &str) -> String {
        let body = json!({ "name": "web", "host": "127.0.0.1", "port": port, "user": user });
        let made = self.try_register(body).await.expect(201);
        assert!(made.field("/next").contains("observed"), "{}", made.text());
        made.header("location").unwrap().to_owned()
    }

    async fn try_register(&self, body: Value) -> Answer {
        let key: String = format!("registers-{body}").replace(' ', "-").chars().take(120).collect();
        let call = self.ada.call(reqwest::Method::POST, &format!("{}/servers", self.path));
        call.header("Idempotency-Key", &key).json(body).send().await
    }

    async fn check(&self, server: &str) -> Value {
        self.ada.post(&format!("{server}/check"), json!({})).await.expect(200).json()
    }

    async fn etag(&self, server: &str) -> String {
        self.ada.get(server).await.expect(200).etag()
    }

    async fn approve(&self, server: &str, body: Value) -> Answer {
        let call = self.ada.call(reqwest::Method::POST, &format!("{server}/host-key/approve"));
        call.header("If-Match", &self.etag(server).await).json(body).send().await
    }

    /// Attaches a new key; answers the line for `authorized_keys`.
    async fn generate(&self, server: &str) -> String {
        let body = json!({ "generate": true });
        let etag = self.etag(server).await;
        let made = self.ada.put(&format!("{server}/credential"), &etag, body).await;
        made.expect(200).field("/public_line")
    }

    /// Registered, approved, with a key that its sshd lets in.
    async fn usable(&self, sshd: &Sshd) -> String {
        self.usable_at(sshd, sshd.port()).await
    }

    async fn usable_at(&self, sshd: &Sshd, port: u16) -> String {
        let server = self.register(port, sshd.user()).await;
        self.check(&server).await;
        let fingerprint = sshd.host_key_fingerprint().unwrap();
        self.approve(&server, json!({ "fingerprint": fingerprint })).await.expect(204);
        sshd.authorize(&self.generate(&server).await).unwrap();
        server
    }

    /// The types of the events of the log about servers, in order.
    async fn told(&self) -> Vec<String> {
        let client = self.installation.log().await;
        let types = "select event_type from event_log.events where stream_type = 'server' \
                     order by position";
        let rows = client.query(types, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn told_of(&self, event_type: &str) -> usize {
        self.told().await.iter().filter(|told| *told == event_type).count()
    }

    async fn until_told(&self, event_type: &str, count: usize) {
        until(event_type, async || (self.told_of(event_type).await >= count).then_some(())).await;
    }
}

/// The results of a check, in order.
fn results(checked: &Value) -> Vec<&str> {
    let stages = checked["stages"].as_array().unwrap();
    stages.iter().map(|stage| stage["result"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_server_is_registered_observed_approved_and_used() {
    let (stage, sshd) = (Stage::set().await, Sshd::start().unwrap());
    let fingerprint = sshd.host_key_fingerprint().unwrap();
    let server = stage.register(sshd.port(), sshd.user()).await;
    let shown = stage.ada.get(&server).await.expect(200).json();
    assert_eq!(shown["host_key"], json!({ "state": "unobserved" }));
    assert_eq!((&shown["host"], &shown["name"]), (&json!("127.0.0.1"), &json!("web")));

    let checked = stage.check(&server).await;
    assert_eq!(checked["host_key"], json!({ "state": "observed", "seen": fingerprint }));
    assert_eq!(results(&checked), ["ok", "ok", "not_tried", "not_tried", "not_tried"]);
    let other = format!("SHA256:{}", "A".repeat(43));
    stage.approve(&server, json!({ "fingerprint": other })).await.expect(422);
    stage.approve(&server, json!({ "fingerprint": fingerprint })).await.expect(204);
    let checked = stage.check(&server).await;
    assert_eq!(results(&checked), ["ok", "ok", "ok", "not_tried", "not_tried"]);

    let line = stage.generate(&server).await;
    let checked = stage.check(&server).await;
    assert_eq!(results(&checked), ["ok", "ok", "ok", "failed", "not_tried"]);
    sshd.authorize(&line).unwrap();
    let checked = stage.check(&server).await;
    assert_eq!((checked["ok"].as_bool(), results(&checked)), (Some(true), vec!["ok"; 5]));
    let told = ["registered", "host_key_observed", "host_key_approved", "credential_attached"];
    assert_eq!(stage.told().await, told.map(|word| format!("server.{word}")));
}

#[tokio::test]
async fn a_server_is_listed_renamed_and_removed_for_good() {
    let stage = Stage::set().await;
    let first = stage.register(22, "deploy").await;
    let second = stage.register(2222, "deploy").await;
    let etag = stage.etag(&second).await;
    let renamed = stage.ada.patch(&second, &etag, json!({ "name": "db" })).await.expect(204);
    stage.ada.patch(&second, &etag, json!({ "name": "db" })).await.expect(412);

    let list = format!("{}/servers?limit=1", stage.path);
    let reader = stage.ada.saying("Lethe-Min-Position", &renamed.position().to_string());
    let page = reader.get(&list).await.expect(200).json();
    assert_eq!(
        (&page["items"][0]["name"], &page["items"][0]["port"]),
        (&json!("db"), &json!(2222))
    );
    let next = format!("{list}&cursor={}", page["next"].as_str().unwrap());
    let page = reader.get(&next).await.expect(200).json();
    assert_eq!((&page["items"][0]["port"], &page["next"]), (&json!(22), &Value::Null));

    let call = stage.ada.call(reqwest::Method::DELETE, &first);
    let removed = call.header("If-Match", &stage.etag(&first).await).send().await.expect(204);
    stage.ada.get(&first).await.expect(404);
    stage.ada.post(&format!("{first}/check"), json!({})).await.expect(404);
    let reader = stage.ada.saying("Lethe-Min-Position", &removed.position().to_string());
    let page = reader.get(&format!("{}/servers", stage.path)).await.expect(200).json();
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn whoever_may_not_is_refused_and_another_tenant_sees_nothing() {
    let stage = Stage::set().await;
    let server = stage.register(22, "deploy").await;
    let eve = Person::named("eve").settle(&stage.node.client(), &stage.installation).await;
    let made = eve.post("/v1/workspaces", json!({ "name": "Hers" })).await.expect(201);
    let own = made.header("location").unwrap();
    let id = server.rsplit('/').next().unwrap();
    eve.get(&server).await.expect(404);
    let through = eve.get(&format!("{own}/servers/{id}")).await.expect(404).json();
    let nobodys = "00000000-0000-7000-8000-000000000000";
    assert_eq!(through, eve.get(&format!("{own}/servers/{nobodys}")).await.expect(404).json());
    stage.node.client().get(&server).await.expect(401);
}

#[tokio::test]
async fn a_workspace_has_no_more_servers_than_the_setting_says() {
    let stage = Stage::with(&[("servers_max", "1"), ("monitor_seconds", "0")]).await;
    let body =
        |port: u16| json!({ "name": "web", "host": "web.example", "port": port, "user": "u" });
    let made = stage.try_register(body(22)).await.expect(201);
    let list = format!("{}/servers", stage.path);
    let reader = stage.ada.saying("Lethe-Min-Position", &made.position().to_string());
    reader.get(&list).await.expect(200);
    stage.try_register(body(2222)).await.expect(409);
    let again = stage.try_register(body(22)).await.expect(201);
    assert_eq!(again.field("/server_id"), made.field("/server_id"));
    let call = stage.ada.call(reqwest::Method::POST, &list).json(body(23)).send().await;
    assert!(call.expect(400).text().contains("Idempotency-Key"));
}
