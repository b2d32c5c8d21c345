//! Servers, through HTTP, on a real sshd.

mod addresses;
mod credentials;
mod deployments;
mod held;
mod host_keys;
mod opinions;
mod patience;
mod preflight;
mod rights;
mod rotated_keys;
mod watching;

use serde_json::{Value, json};
use tests::{Harness, Person, Sshd, results, until};

/// On an installation that may go to servers of this machine, and does not watch them.
async fn set_up() -> Harness {
    set_up_with(&[("monitor_seconds", "0")]).await
}

async fn set_up_with(settings: &[(&str, &str)]) -> Harness {
    let own = [("egress_allow", "127.0.0.1/32:*"), ("ssh_connect_seconds", "20")];
    Harness::with(&[&own[..], settings].concat()).await
}

/// The types of the events of the log about servers, in order.
async fn event_types(harness: &Harness) -> Vec<String> {
    let types = "select event_type from event_log.events where stream_type = 'server' \
                 order by position";
    let rows = harness.installation.log().await.query(types, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn count(harness: &Harness, event_type: &str) -> usize {
    harness.events(event_type).await.len()
}

async fn until_event(harness: &Harness, event_type: &str) {
    until(event_type, async || count(harness, event_type).await > 0).await;
}

#[tokio::test]
async fn a_server_is_registered_observed_approved_and_used() {
    let (harness, sshd) = (set_up().await, Sshd::start().unwrap());
    let fingerprint = sshd.host_key_fingerprint().unwrap();
    let server = harness.register_server(sshd.port(), sshd.user()).await;
    let shown = harness.ada.get(&server).await.expect(200).json();
    assert_eq!(shown["host_key"], json!({ "state": "unobserved" }));
    assert_eq!((&shown["host"], &shown["name"]), (&json!("127.0.0.1"), &json!("web")));

    let checked = harness.check_server(&server).await;
    assert_eq!(checked["host_key"], json!({ "state": "observed", "seen": fingerprint }));
    assert_eq!(results(&checked), ["ok", "ok", "not_tried", "not_tried", "not_tried"]);
    let other = format!("SHA256:{}", "A".repeat(43));
    let approves = |key| json!({ "fingerprint": key, "password": Person::named("ada").password });
    harness.approve_host_key(&server, approves(&other)).await.expect(422);
    harness.approve_host_key(&server, approves(&fingerprint)).await.expect(200);
    let checked = harness.check_server(&server).await;
    assert_eq!(results(&checked), ["ok", "ok", "ok", "not_tried", "not_tried"]);

    let line = harness.generate_credential(&server).await;
    let checked = harness.check_server(&server).await;
    assert_eq!(results(&checked), ["ok", "ok", "ok", "failed", "not_tried"]);
    sshd.authorize(&line).unwrap();
    let checked = harness.check_server(&server).await;
    assert_eq!((checked["ok"].as_bool(), results(&checked)), (Some(true), vec!["ok"; 5]));
    let expected = ["registered", "host_key_observed", "host_key_approved", "credential_attached"];
    assert_eq!(event_types(&harness).await, expected.map(|word| format!("server.{word}")));
}

#[tokio::test]
async fn a_server_is_listed_renamed_and_removed_for_good() {
    let harness = set_up().await;
    let first = harness.register_server(22, "deploy").await;
    let second = harness.register_server(2222, "deploy").await;
    let etag = harness.etag_of(&second).await;
    let renamed = harness.ada.patch(&second, &etag, json!({ "name": "db" })).await.expect(200);
    harness.ada.patch(&second, &etag, json!({ "name": "db" })).await.expect(412);

    let list = format!("{}/servers?limit=1", harness.path);
    let least = renamed.position();
    let page = harness.ada.get_at(&list, &least).await.expect(200).json();
    assert_eq!(
        (&page["items"][0]["name"], &page["items"][0]["port"]),
        (&json!("db"), &json!(2222))
    );
    let next = format!("{list}&cursor={}", page["next"].as_str().unwrap());
    let page = harness.ada.get_at(&next, &least).await.expect(200).json();
    assert_eq!((&page["items"][0]["port"], &page["next"]), (&json!(22), &Value::Null));

    let call = harness.ada.call(reqwest::Method::DELETE, &first);
    let removed = call.header("If-Match", &harness.etag_of(&first).await).send().await.expect(204);
    harness.ada.get(&first).await.expect(404);
    harness.ada.post(&format!("{first}/check"), json!({})).await.expect(404);
    let list = format!("{}/servers", harness.path);
    let page = harness.ada.get_at(&list, &removed.position()).await.expect(200).json();
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn whoever_may_not_is_refused_and_another_tenant_sees_nothing() {
    let harness = set_up().await;
    let server = harness.register_server(22, "deploy").await;
    let eve = Person::named("eve").settle(&harness.node.client(), &harness.installation).await;
    let made = eve.post("/v1/workspaces", json!({ "name": "Hers" })).await.expect(201);
    let own = made.header("location").unwrap();
    let id = server.rsplit('/').next().unwrap();
    eve.get(&server).await.expect(404);
    let through = eve.get(&format!("{own}/servers/{id}")).await.expect(404).json();
    let nobodys = "00000000-0000-7000-8000-000000000000";
    assert_eq!(through, eve.get(&format!("{own}/servers/{nobodys}")).await.expect(404).json());
    harness.node.client().get(&server).await.expect(401);
}

#[tokio::test]
async fn a_workspace_has_no_more_servers_than_the_setting_says() {
    let harness = set_up_with(&[("servers_max", "1"), ("monitor_seconds", "0")]).await;
    let body =
        |port: u16| json!({ "name": "web", "host": "web.example", "port": port, "user": "u" });
    let made = harness.try_register_server(body(22)).await.expect(201);
    let list = format!("{}/servers", harness.path);
    harness.ada.get_at(&list, &made.position()).await.expect(200);
    harness.try_register_server(body(2222)).await.expect(409);
    let again = harness.try_register_server(body(22)).await.expect(201);
    assert_eq!(again.field("/server_id"), made.field("/server_id"));
    let call = harness.ada.call(reqwest::Method::POST, &list).json(body(23)).send().await;
    assert!(call.expect(400).text().contains("Idempotency-Key"));
}
