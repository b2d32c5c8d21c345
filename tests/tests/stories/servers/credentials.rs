//! Keys for servers: made or brought, changed for another, and shown to nobody.

use infra::remote::Identity;
use serde_json::json;
use tests::{Sshd, dump, results, until};

use super::{count, set_up};

/// `ssh-keygen -t ed25519 -N "a passphrase" -C somebody@somewhere`, made for this test.
const ENCRYPTED: &str = include_str!("encrypted.pem");

#[tokio::test]
async fn a_second_key_takes_the_place_of_the_first() {
    let (harness, sshd) = (set_up().await, Sshd::start().unwrap());
    let server = harness.usable_server(&sshd).await;
    assert_eq!(results(&harness.check_server(&server).await), ["ok"; 5]);
    let line = harness.generate_credential(&server).await;
    let checked = harness.check_server(&server).await;
    assert_eq!(results(&checked), ["ok", "ok", "ok", "failed", "not_tried"]);
    sshd.authorize(&line).unwrap();
    assert_eq!(results(&harness.check_server(&server).await), ["ok"; 5]);
    assert_eq!(count(&harness, "server.credential_rotated").await, 1);
    let keys = "select count(*) from working.server_credentials";
    let client = harness.installation.log().await;
    until("the first key is gone", async || {
        let left: i64 = client.query_one(keys, &[]).await.unwrap().get(0);
        (left == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_key_of_ones_own_is_taken_or_it_is_said_what_is_wrong_with_it() {
    let (harness, sshd) = (set_up().await, Sshd::start().unwrap());
    let server = harness.usable_server(&sshd).await;
    let path = format!("{server}/credential");
    let put = async |body| harness.ada.put(&path, &harness.etag_of(&server).await, body).await;

    for (body, pointer) in [
        (json!({ "private_key": "no key" }), "/private_key"),
        (json!({ "private_key": ENCRYPTED }), "/passphrase"),
        (json!({ "private_key": ENCRYPTED, "passphrase": "another" }), "/passphrase"),
        (json!({ "private_key": ENCRYPTED, "generate": true }), "/generate"),
        (json!({}), "/generate"),
        (json!({ "generate": "yes" }), "/generate"),
    ] {
        let refused = put(body).await.expect(422);
        assert_eq!(refused.field("/errors/0/pointer"), pointer, "{}", refused.text());
    }
    let body = json!({ "private_key": ENCRYPTED, "passphrase": "a passphrase" });
    let taken = put(body).await.expect(200);
    assert!(!taken.text().contains("PRIVATE") && !taken.text().contains("somebody"));
    sshd.authorize(&taken.field("/public_line")).unwrap();
    assert_eq!(results(&harness.check_server(&server).await), ["ok"; 5]);
}

#[tokio::test]
async fn the_same_request_again_is_the_same_key() {
    let harness = set_up().await;
    let server = harness.register_server(22, "deploy").await;
    let client = harness.ada.saying("Idempotency-Key", "the-same-request-again");
    let etag = harness.etag_of(&server).await;
    let path = format!("{server}/credential");
    let first = client.put(&path, &etag, json!({ "generate": true })).await.expect(200);
    let second = client.put(&path, &etag, json!({ "generate": true })).await.expect(200);
    assert_eq!(first.json(), second.json());
    harness.ada.put(&path, &etag, json!({ "generate": true })).await.expect(412);
    assert_eq!(count(&harness, "server.credential_attached").await, 1);
}

#[tokio::test]
async fn a_repeated_request_answers_the_key_that_it_attached_also_after_another_took_its_place() {
    let harness = set_up().await;
    let server = harness.register_server(22, "deploy").await;
    let (path, body) = (format!("{server}/credential"), json!({ "generate": true }));
    let repeating = harness.ada.saying("Idempotency-Key", "the-same-request-again");
    let etag = harness.etag_of(&server).await;
    let first = repeating.put(&path, &etag, &body).await.expect(200);
    harness.ada.put(&path, &harness.etag_of(&server).await, &body).await.expect(200);
    let log = harness.installation.log().await;
    let keys = async || -> i64 {
        let keys = "select count(*) from working.server_credentials";
        log.query_one(keys, &[]).await.unwrap().get(0)
    };
    until("the first key is gone", async || (keys().await == 1).then_some(())).await;

    let again = repeating.put(&path, &etag, &body).await.expect(200);

    assert_eq!(again.field("/fingerprint"), first.field("/fingerprint"));
    assert!(again.json().get("public_line").is_none(), "{}", again.text());
    assert_eq!((again.position(), keys().await), (first.position(), 1));
}

#[tokio::test]
async fn no_address_no_login_and_no_key_stands_anywhere_in_clear() {
    let harness = set_up().await;
    let body = json!({
        "name": "canary-label", "host": "canary-host.example", "port": 22, "user": "canary-login"
    });
    let server =
        harness.try_register_server(body).await.expect(201).header("location").unwrap().to_owned();
    let identity = Identity::generate().unwrap();
    let pem = identity.to_pem();
    let body = json!({ "private_key": *pem });
    let path = format!("{server}/credential");
    harness.ada.put(&path, &harness.etag_of(&server).await, body).await.expect(200);
    let deployment = json!({
        "name": "canary-deployment", "steps": [{ "name": "one", "command": "canary-command" }]
    });
    harness.ada.post(&format!("{server}/deployments"), deployment).await.expect(201);
    let list = harness.ada.get(&format!("{}/servers", harness.path)).await.expect(200);
    assert!(!list.text().contains("PRIVATE"));

    let mut all = dump(&harness.installation.log_url(), &[]).await;
    all.extend(dump(&harness.installation.keyring_url(), &[]).await);
    all.extend(harness.node.log_text().into_bytes());
    let body: Vec<&str> = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let secret = body[3];
    for canary in ["canary", "PRIVATE KEY", secret] {
        let hex = hex::encode(canary);
        for form in [canary.as_bytes(), hex.as_bytes()] {
            assert!(!all.windows(form.len()).any(|window| window == form), "{canary} in clear");
        }
    }
    assert!(all.windows(8).any(|window| window == b"workspac"), "the search finds what is there");
}
