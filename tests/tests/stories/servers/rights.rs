//! Who may do what with servers, and who is written to.

use reqwest::Method;
use serde_json::json;
use test_support::sshd::Sshd;
use tests::{Client, Person, until};

use super::Stage;

/// Somebody who has joined in this role.
async fn colleague(stage: &Stage, word: &str, role: &str) -> Client {
    let person = Person::named(word);
    let client = person.settle(&stage.node.client(), &stage.installation).await;
    let invites = json!({ "email": person.email, "role": role });
    stage.ada.post(&format!("{}/invitations", stage.path), invites).await.expect(201);
    let mail = stage.installation.mail(&person.email, 2).await;
    client.post("/v1/invitations/accept", json!({ "token": mail.token() })).await.expect(200);
    client
}

fn warned(stage: &Stage, word: &str) -> bool {
    let mails = stage.installation.mails(&format!("{word}@example.org"));
    mails.iter().any(|mail| mail.text.contains("host key"))
}

#[tokio::test]
async fn an_operator_checks_a_server_and_changes_nothing_about_it() {
    let (stage, sshd) = (Stage::set().await, Sshd::start().unwrap());
    let server = stage.register(sshd.port(), sshd.user()).await;
    let bob = colleague(&stage, "bob", "operator").await;
    let dan = colleague(&stage, "dan", "billing").await;

    dan.get(&server).await.expect(403);
    let checked = bob.post(&format!("{server}/check"), json!({})).await.expect(200);
    let etag = checked.etag();
    let fingerprint = json!({ "fingerprint": checked.field("/host_key/seen") });
    for (method, path, body) in [
        (Method::POST, "/host-key/approve", fingerprint),
        (Method::PUT, "/credential", json!({ "generate": true })),
        (Method::PUT, "/address", json!({ "host": "a.example", "user": "u" })),
        (Method::PATCH, "", json!({ "name": "mine" })),
        (Method::POST, "/deployments", json!({ "name": "x", "steps": [] })),
        (Method::DELETE, "", json!({})),
    ] {
        let call = bob.call(method, &format!("{server}{path}")).header("If-Match", &etag);
        call.json(body).send().await.expect(403);
    }
    assert_eq!(stage.told_of("server.host_key_observed").await, 1);
    assert_eq!(stage.told().await.len(), 2);
}

#[tokio::test]
async fn owners_and_admins_are_told_of_another_host_key_and_nobody_else() {
    let (stage, sshd) = (Stage::set().await, Sshd::start().unwrap());
    colleague(&stage, "bob", "operator").await;
    colleague(&stage, "carol", "admin").await;
    let server = stage.usable(&sshd).await;
    sshd.change_host_key().unwrap();
    stage.check(&server).await;

    for word in ["ada", "carol"] {
        until(&format!("a mail to {word}"), async || warned(&stage, word).then_some(())).await;
    }
    assert!(!warned(&stage, "bob"));
}

#[tokio::test]
async fn a_removed_server_leaves_no_key_and_no_watch() {
    let (stage, sshd) = (Stage::with(&[("monitor_seconds", "1")]).await, Sshd::start().unwrap());
    let server = stage.usable(&sshd).await;
    stage.until_told("server.reachable", 1).await;
    let call = stage.ada.call(Method::DELETE, &server);
    call.header("If-Match", &stage.etag(&server).await).send().await.expect(204);

    let left = "select (select count(*) from working.server_credentials)
        + (select count(*) from working.server_monitors)";
    let client = stage.installation.log().await;
    until("nothing is left", async || {
        let left: i64 = client.query_one(left, &[]).await.unwrap().get(0);
        (left == 0).then_some(())
    })
    .await;
    until("nobody watches it", async || {
        let text = reqwest::get(stage.node.metrics()).await.unwrap().text().await.unwrap();
        text.contains("\nlethe_servers_watched 0\n").then_some(())
    })
    .await;
}
