//! Who may do what with servers, and who is written to.

use reqwest::Method;
use serde_json::json;
use tests::{Client, Harness, Person, Sshd, until};

use super::{count, event_types, set_up, set_up_with, until_event};

/// Somebody who has joined in this role.
async fn colleague(harness: &Harness, word: &str, role: &str) -> Client {
    let person = Person::named(word);
    let client = person.settle(&harness.node.client(), &harness.installation).await;
    let invites = json!({ "email": person.email, "role": role });
    harness.ada.post(&format!("{}/invitations", harness.path), invites).await.expect(201);
    let mail = harness.installation.mail(&person.email, 2).await;
    client.post("/v1/invitations/accept", json!({ "token": mail.token() })).await.expect(200);
    client
}

fn warned(harness: &Harness, word: &str) -> bool {
    let mails = harness.installation.mails(&format!("{word}@example.org"));
    mails.iter().any(|mail| mail.text.contains("host key"))
}

#[tokio::test]
async fn an_operator_checks_a_server_and_changes_nothing_about_it() {
    let (harness, sshd) = (set_up().await, Sshd::start().unwrap());
    let server = harness.register_server(sshd.port(), sshd.user()).await;
    let bob = colleague(&harness, "bob", "operator").await;
    let dan = colleague(&harness, "dan", "billing").await;

    dan.get(&server).await.expect(403);
    let checked = bob.post(&format!("{server}/check"), json!({})).await.expect(200);
    let etag = checked.etag();
    let password = Person::named("bob").password;
    let approval = json!({ "fingerprint": checked.field("/host_key/seen"), "password": password });
    for (method, path, body) in [
        (Method::POST, "/host-key/approve", approval),
        (Method::PUT, "/credential", json!({ "generate": true })),
        (Method::PUT, "/address", json!({ "host": "a.example", "user": "u" })),
        (Method::PATCH, "", json!({ "name": "mine" })),
        (Method::POST, "/deployments", json!({ "name": "x", "steps": [] })),
        (Method::DELETE, "", json!({})),
    ] {
        let call = bob.call(method, &format!("{server}{path}")).header("If-Match", &etag);
        call.json(body).send().await.expect(403);
    }
    assert_eq!(count(&harness, "server.host_key_observed").await, 1);
    assert_eq!(event_types(&harness).await.len(), 2);
}

#[tokio::test]
async fn owners_and_admins_hear_of_another_host_key_and_nobody_else() {
    let (harness, sshd) = (set_up().await, Sshd::start().unwrap());
    colleague(&harness, "bob", "operator").await;
    colleague(&harness, "carol", "admin").await;
    let server = harness.usable_server(&sshd).await;
    sshd.change_host_key().unwrap();
    harness.check_server(&server).await;

    for word in ["ada", "carol"] {
        until(&format!("a mail to {word}"), async || warned(&harness, word).then_some(())).await;
    }
    assert!(!warned(&harness, "bob"));
}

#[tokio::test]
async fn a_removed_server_leaves_no_key_and_no_watch() {
    let (harness, sshd) = (set_up_with(&[("monitor_seconds", "1")]).await, Sshd::start().unwrap());
    let server = harness.usable_server(&sshd).await;
    until_event(&harness, "server.reachable").await;
    let call = harness.ada.call(Method::DELETE, &server);
    call.header("If-Match", &harness.etag_of(&server).await).send().await.expect(204);

    let left = "select (select count(*) from working.server_credentials)
        + (select count(*) from working.server_monitors)";
    let client = harness.installation.log().await;
    until("nothing is left", async || {
        let left: i64 = client.query_one(left, &[]).await.unwrap().get(0);
        (left == 0).then_some(())
    })
    .await;
    until("nobody watches it", async || {
        let text = reqwest::get(harness.node.metrics()).await.unwrap().text().await.unwrap();
        text.contains("\nlethe_servers_watched 0\n").then_some(())
    })
    .await;
}
