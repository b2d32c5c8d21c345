//! Host keys: another one than a person approved stops everything.

use serde_json::json;
use tests::{Sshd, results, until};

use super::{count, set_up};
use crate::workspaces::tokens::issue_token;

const PASSWORD: &str = "a password of ada";

#[tokio::test]
async fn another_host_key_is_a_hard_stop_an_event_and_a_mail() {
    let (harness, sshd) = (set_up().await, Sshd::start().unwrap());
    let server = harness.usable_server(&sshd).await;
    let approved = sshd.host_key_fingerprint().unwrap();
    sshd.change_host_key().unwrap();
    let seen = sshd.host_key_fingerprint().unwrap();

    let checked = harness.check_server(&server).await;
    assert_eq!(results(&checked), ["ok", "ok", "failed", "not_tried", "not_tried"]);
    let mismatch = json!({ "state": "mismatched", "approved": approved, "seen": seen });
    assert_eq!(checked["host_key"], mismatch);
    let checked = harness.check_server(&server).await;
    assert_eq!(results(&checked), ["ok", "ok", "not_tried", "not_tried", "not_tried"]);
    assert_eq!(count(&harness, "server.host_key_mismatched").await, 1);
    assert!(!sshd.log().contains("Accepted publickey"), "no credential was offered");

    let mail = until("the mail", async || {
        let mails = harness.installation.mails("ada@example.org");
        mails.into_iter().find(|mail| mail.text.contains("host key"))
    })
    .await;
    // As words: the letters of a fingerprint are random.
    let mut words = mail.text.split(|letter: char| !letter.is_alphanumeric() && letter != '.');
    assert!(words.all(|word| !word.contains("127.0.0.1") && word != "web"), "{}", mail.text);
}

#[tokio::test]
async fn a_first_key_is_approved_by_a_person_with_the_password_and_never_by_a_token() {
    let (harness, sshd) = (set_up().await, Sshd::start().unwrap());
    let server = harness.register_server(sshd.port(), sshd.user()).await;
    harness.check_server(&server).await;
    let fingerprint = sshd.host_key_fingerprint().unwrap();
    let right = json!({ "fingerprint": fingerprint, "password": PASSWORD });
    let (_, token) = issue_token(&harness, &harness.ada, &["servers:manage"]).await;

    let call = token.call("POST".parse().unwrap(), &format!("{server}/host-key/approve"));
    call.header("If-Match", "*").json(&right).send().await.expect(403);
    let bare = json!({ "fingerprint": fingerprint });
    let asked = harness.approve_host_key(&server, bare).await.expect(422);
    assert!(asked.text().contains("/password"), "{}", asked.text());
    let wrong = json!({ "fingerprint": fingerprint, "password": "another password" });
    harness.approve_host_key(&server, wrong).await.expect(403);
    assert_eq!(count(&harness, "server.host_key_approved").await, 0);
    harness.approve_host_key(&server, right).await.expect(200);
}

#[tokio::test]
async fn to_approve_another_key_asks_for_the_password() {
    let (harness, sshd) = (set_up().await, Sshd::start().unwrap());
    let server = harness.usable_server(&sshd).await;
    sshd.change_host_key().unwrap();
    harness.check_server(&server).await;
    let fingerprint = sshd.host_key_fingerprint().unwrap();

    let asked =
        harness.approve_host_key(&server, json!({ "fingerprint": fingerprint })).await.expect(422);
    assert!(asked.text().contains("/password"), "{}", asked.text());
    let wrong = json!({ "fingerprint": fingerprint, "password": "another password" });
    harness.approve_host_key(&server, wrong).await.expect(403);
    let right = json!({ "fingerprint": fingerprint, "password": PASSWORD });
    harness.approve_host_key(&server, right).await.expect(200);
    let checked = harness.check_server(&server).await;
    assert_eq!(results(&checked), ["ok"; 5]);
}

#[tokio::test]
async fn a_new_address_is_to_be_observed_and_approved_again() {
    let harness = set_up().await;
    let (one, other) = (Sshd::start().unwrap(), Sshd::start().unwrap());
    let server = harness.usable_server(&one).await;
    let moved = json!({ "host": "127.0.0.1", "port": other.port(), "user": other.user() });
    let etag = harness.etag_of(&server).await;
    harness.ada.put(&format!("{server}/address"), &etag, moved).await.expect(200);

    let before = one.host_key_fingerprint().unwrap();
    let early = json!({ "fingerprint": before, "password": PASSWORD });
    harness.approve_host_key(&server, early).await.expect(409);
    let checked = harness.check_server(&server).await;
    assert_eq!(results(&checked), ["ok", "ok", "not_tried", "not_tried", "not_tried"]);
    let fingerprint = other.host_key_fingerprint().unwrap();
    assert_eq!(checked["host_key"]["seen"], json!(fingerprint));
    let approval = json!({ "fingerprint": fingerprint, "password": PASSWORD });
    harness.approve_host_key(&server, approval).await.expect(200);
    assert!(!other.log().contains("Accepted"), "nothing was let in before");
}

#[tokio::test]
async fn an_approval_that_is_sent_again_names_the_first_one_and_shows_the_server_as_it_is() {
    let (harness, sshd) = (set_up().await, Sshd::start().unwrap());
    let server = harness.register_server(sshd.port(), sshd.user()).await;
    let checked = harness.ada.post(&format!("{server}/check"), json!({})).await.expect(200);
    let approve = async || {
        let call = harness.ada.call("POST".parse().unwrap(), &format!("{server}/host-key/approve"));
        let call = call.header("Idempotency-Key", "approve-this-host-key");
        let fingerprint = sshd.host_key_fingerprint().unwrap();
        let body = json!({ "fingerprint": fingerprint, "password": PASSWORD });
        call.header("If-Match", &checked.etag()).json(body).send().await.expect(200)
    };
    let first = approve().await;
    let moved = json!({ "host": "127.0.0.1", "port": sshd.port() + 1, "user": sshd.user() });
    let etag = harness.etag_of(&server).await;
    harness.ada.put(&format!("{server}/address"), &etag, moved).await.expect(200);

    let again = approve().await;

    let now = harness.etag_of(&server).await;
    assert_eq!((again.position(), again.etag()), (first.position(), now));
}
