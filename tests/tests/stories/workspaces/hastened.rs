//! A deletion comes sooner only with another owner, or an operator.

use reqwest::Method;
use serde_json::json;
use tests::{Answer, Client, Harness, Person, problem, until};

use crate::command_line::{done, refused};

async fn request_deletion(harness: &Harness) -> Answer {
    let asks = json!({ "password": Person::named("ada").password, "grace_days": 7 });
    let call = harness.ada.call(Method::POST, &harness.at("deletion")).header("If-Match", "*");
    call.json(asks).send().await.expect(202)
}

async fn hasten(harness: &Harness, by: &Client, name: &str) -> Answer {
    let body = json!({ "password": Person::named(name).password });
    by.post(&harness.at("deletion/hasten"), body).await
}

/// As if the workspace and its owners were there for two days longer.
async fn two_days_pass(harness: &Harness) {
    let earlier = "set session_replication_role = replica;
        update event_log.events set recorded_at = recorded_at - interval '2 days'
        where stream_type = 'workspace'";
    harness.installation.log().await.batch_execute(earlier).await.unwrap();
}

/// Waits until the workspace is gone, and its certificate is there.
async fn is_deleted(harness: &Harness, requested: &Answer) {
    let path = format!("/v1/erasures/{}", requested.field("/claim_code"));
    let proof = until("it is deleted", async || {
        let proof = harness.node.client().get(&path).await.expect(200);
        matches!(&*proof.field("/state"), "completed" | "backup_proven").then_some(proof)
    })
    .await;
    assert!(proof.field("/due_at") < requested.field("/due_at"), "{}", proof.text());
    harness.ada.get(&harness.path).await.expect(404);
}

#[tokio::test]
async fn another_owner_has_a_deletion_come_at_once_and_nobody_alone_does() {
    let harness = Harness::new().await;
    let bob = harness.member("bob", "owner").await;
    let admin = harness.member("eve", "admin").await;
    two_days_pass(&harness).await;
    let dan = harness.member("dan", "owner").await;
    assert_eq!(problem(&hasten(&harness, &bob, "bob").await, 409), "refused");
    let requested = request_deletion(&harness).await;
    let shown = admin.get(&harness.at("deletion")).await.expect(200);
    assert_eq!(shown.field("/requester_id"), harness.ada.account().await);

    // Whoever requested it; who was made an owner just before; who is none; and who does not know the password.
    for (by, name) in [(&harness.ada, "ada"), (&dan, "dan"), (&admin, "eve")] {
        assert_eq!(problem(&hasten(&harness, by, name).await, 403), "forbidden", "{name}");
    }
    assert_eq!(problem(&hasten(&harness, &bob, "ada").await, 403), "password-wrong");
    assert_eq!(bob.get(&harness.at("deletion")).await.expect(200).json(), shown.json());
    let hastened = hasten(&harness, &bob, "bob").await.expect(202);

    assert_eq!(hastened.field("/requester_id"), shown.field("/requester_id"));
    assert!(hastened.field("/due_at") < shown.field("/due_at"));
    is_deleted(&harness, &requested).await;
    assert_eq!(harness.events("workspace.deletion_hastened").await.len(), 1);
}

#[tokio::test]
async fn an_operator_has_a_deletion_come_at_once() {
    let harness = Harness::new().await;
    harness.member("bob", "viewer").await;
    let operator = harness.operator().await;
    let path = format!("/v1/admin/workspaces/{}/deletion/hasten", harness.workspace_id());
    assert_eq!(problem(&operator.post(&path, json!({})).await, 409), "refused");
    let requested = request_deletion(&harness).await;

    operator.post(&path, json!({})).await.expect(202);

    is_deleted(&harness, &requested).await;
}

#[tokio::test]
async fn an_operator_hastens_on_the_command_line_and_no_deletion_of_which_nobody_knows() {
    let harness = Harness::new().await;
    let (installation, id) = (&harness.installation, harness.workspace_id());
    let why = refused(installation, &["workspace", "hasten", id]).await;
    assert!(why.contains("no deletion of this workspace has been requested"), "{why}");
    let requested = request_deletion(&harness).await;

    done(installation, &["workspace", "hasten", id]).await;

    is_deleted(&harness, &requested).await;
}
