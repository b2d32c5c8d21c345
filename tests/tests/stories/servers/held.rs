//! The body of a request comes long after its head: what has changed meanwhile counts.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Call, Harness, HeldBody, Person, Sshd, results};

use super::set_up;

fn approval(harness: &Harness, server: &str, tag: &str, body: Value) -> Call {
    let call = harness.ada.call(Method::POST, &format!("{server}/host-key/approve"));
    call.header("If-Match", tag).json(body)
}

async fn hold_approval(harness: &Harness, server: &str, tag: &str, body: &Value) -> HeldBody {
    let call = approval(harness, server, tag, body.clone());
    harness.ada.hold(call, server).await
}

#[tokio::test]
async fn no_guessed_version_approves_another_key() {
    let (harness, one, other) = (set_up().await, Sshd::start().unwrap(), Sshd::start().unwrap());
    let server = harness.register_server(one.port(), one.user()).await;
    harness.check_server(&server).await;
    let approves = |key| json!({ "fingerprint": key, "password": Person::named("ada").password });
    let another = approves(other.host_key_fingerprint().unwrap());
    let guessed = hold_approval(&harness, &server, "\"5\"", &another).await;

    let first = approves(one.host_key_fingerprint().unwrap());
    harness.approve_host_key(&server, first).await.expect(200);
    let moved = json!({ "host": "127.0.0.1", "port": other.port(), "user": other.user() });
    let etag = harness.etag_of(&server).await;
    harness.ada.put(&format!("{server}/address"), &etag, moved).await.expect(200);
    harness.check_server(&server).await;
    assert_eq!(harness.etag_of(&server).await, "\"5\"");

    guessed.send().await.expect(412);
    let shown = harness.ada.get(&server).await.expect(200).json();
    assert_eq!(shown["host_key"]["state"], "observed");
}

#[tokio::test]
async fn any_version_is_approved_when_another_change_comes_before_the_body() {
    let (harness, sshd) = (set_up().await, Sshd::start().unwrap());
    let server = harness.register_server(sshd.port(), sshd.user()).await;
    harness.check_server(&server).await;
    let fingerprint = sshd.host_key_fingerprint().unwrap();
    let password = Person::named("ada").password;
    let body = json!({ "fingerprint": fingerprint, "password": password });
    let held = hold_approval(&harness, &server, "*", &body).await;

    harness.ada.patch(&server, "*", json!({ "name": "other" })).await.expect(200);

    held.send().await.expect(200);
}

#[tokio::test]
async fn a_deployment_that_is_removed_meanwhile_stays_removed() {
    let harness = set_up().await;
    let server = harness.register_server(22, "deploy").await;
    let body = json!({ "name": "site", "steps": [{ "name": "pull", "command": "git pull" }] });
    let made = harness.ada.post(&format!("{server}/deployments"), body.clone()).await.expect(201);
    let deployment = made.header("location").unwrap();
    let call = harness.ada.call(Method::PUT, deployment).header("If-Match", "*").json(body);
    let held = harness.ada.hold(call, deployment).await;

    let call = harness.ada.call(Method::DELETE, deployment).header("If-Match", "*");
    call.send().await.expect(204);

    held.send().await.expect(404);
    harness.ada.get(deployment).await.expect(404);
}

#[tokio::test]
async fn a_check_uses_no_host_key_whose_approval_fell_meanwhile() {
    let (harness, sshd) = (set_up().await, Sshd::start().unwrap());
    let server = harness.usable_server(&sshd).await;
    let call = harness.ada.call(Method::POST, &format!("{server}/check")).json(json!({}));
    let held = harness.ada.hold(call, &server).await;

    let moved = json!({ "host": "127.0.0.1", "port": sshd.port(), "user": sshd.user() });
    harness.ada.put(&format!("{server}/address"), "*", moved).await.expect(200);

    let checked = held.send().await.expect(200).json();
    assert_eq!(results(&checked), ["ok", "ok", "not_tried", "not_tried", "not_tried"]);
    assert!(!sshd.log().contains("Accepted publickey"), "no credential was offered");
}
