//! A deletion comes sooner only with another owner, or an operator.

use chrono::{DateTime, TimeDelta, Utc};
use infra::clock::Clock;
use reqwest::Method;
use serde_json::json;
use test_support::until_waits_for_lock;
use tests::{Answer, Client, Harness, Person, problem, until};

use crate::command_line::{done, refused};

async fn request_deletion(harness: &Harness) -> Answer {
    try_request_deletion(harness, &harness.ada, "ada").await.expect(202)
}

async fn try_request_deletion(harness: &Harness, by: &Client, name: &str) -> Answer {
    let asks = json!({ "password": Person::named(name).password, "grace_days": 7 });
    let call = by.call(Method::POST, &harness.at("deletion")).header("If-Match", "*");
    call.json(asks).send().await
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
    assert!(in_an_hour(&hastened), "others are left: {}", hastened.text());
    // Nobody is left but those who want it.
    for (by, account) in [(&dan, dan.account().await), (&admin, admin.account().await)] {
        by.delete(&harness.at(&format!("members/{account}"))).await.expect(204);
    }
    hasten(&harness, &bob, "bob").await.expect(202);
    is_deleted(&harness, &requested).await;
    assert_eq!(harness.events("workspace.deletion_hastened").await.len(), 2);
}

fn in_an_hour(deletion: &Answer) -> bool {
    let due: DateTime<Utc> = deletion.field("/due_at").parse().unwrap();
    let left = due - Clock::system().now();
    left > TimeDelta::minutes(50) && left <= TimeDelta::hours(1)
}

#[tokio::test]
async fn whoever_requests_and_cancels_a_deletion_keeps_no_other_owner_from_it() {
    let harness = Harness::new().await;
    let bob = harness.member("bob", "owner").await;
    for _ in 0..2 {
        request_deletion(&harness).await;
        harness.ada.delete(&harness.at("deletion")).await.expect(204);
    }

    let third = try_request_deletion(&harness, &harness.ada, "ada").await;
    assert_eq!(problem(&third, 409), "refused");
    try_request_deletion(&harness, &bob, "bob").await.expect(202);
    bob.delete(&harness.at("deletion")).await.expect(204);
    try_request_deletion(&harness, &bob, "bob").await.expect(202);
}

/// Who had requested others before was looked up for the version that it is appended to.
#[tokio::test]
async fn a_deletion_is_not_requested_of_a_workspace_that_has_changed_since_its_limit_was_checked() {
    let harness = Harness::new().await;
    let keyring = harness.installation.keyring().await;
    // The ledger is read, and not written.
    let holds = "begin; lock table keyring.erasures in share row exclusive mode";
    keyring.batch_execute(holds).await.unwrap();
    let watcher = harness.installation.keyring().await;
    let changes = async {
        until_waits_for_lock(&watcher, "insert into keyring.erasures").await;
        harness.ada.patch(&harness.path, "*", json!({ "name": "Mills" })).await.expect(200);
        keyring.batch_execute("rollback").await.unwrap();
    };

    let asks = try_request_deletion(&harness, &harness.ada, "ada");
    let (asked, ()) = tokio::join!(asks, changes);

    assert_eq!(problem(&asked, 503), "unavailable");
    assert!(harness.events("workspace.deletion_requested").await.is_empty());
    request_deletion(&harness).await;
}

#[tokio::test]
async fn an_operator_has_a_deletion_come_at_once() {
    let harness = Harness::new().await;
    harness.member("bob", "viewer").await;
    let operator = harness.operator().await;
    let path = format!("/v1/admin/workspaces/{}/deletion/hasten", harness.workspace_id());
    assert_eq!(problem(&operator.post(&path, json!({})).await, 409), "refused");
    request_deletion(&harness).await;

    operator.post(&path, json!({})).await.expect(202);

    let shown = harness.ada.get(&harness.at("deletion")).await.expect(200);
    assert!(in_an_hour(&shown), "somebody else is left: {}", shown.text());
    let keyring = harness.installation.keyring().await;
    let entered = "select due < now() + interval '1 hour' from keyring.erasures
        where kind = 'workspace' and state = 'requested'";
    assert!(keyring.query_one(entered, &[]).await.unwrap().get::<_, bool>(0));
}

#[tokio::test]
async fn an_operator_keeps_a_workspace_for_whoever_was_removed_just_before() {
    let harness = Harness::new().await;
    let (bob, eve) = (harness.member("bob", "admin").await, harness.member("eve", "admin").await);
    two_days_pass(&harness).await;
    let (bob_id, eve_id) = (bob.account().await, eve.account().await);
    harness.ada.delete(&harness.at(&format!("members/{bob_id}"))).await.expect(204);
    let operator = harness.operator().await;
    let path = format!("/v1/admin/workspaces/{}/deletion/cancel", harness.workspace_id());
    let keep = async |account: &str| operator.post(&path, json!({ "account_id": account })).await;
    assert_eq!(problem(&keep(&bob_id).await, 409), "refused");
    request_deletion(&harness).await;
    let mailbox = harness.installation.mailbox();
    until("he hears of it all the same", async || {
        let mails = mailbox.mails(&Person::named("bob").email);
        mails.iter().any(|mail| mail.subject == "A workspace will be deleted").then_some(())
    })
    .await;
    let nobody = "00000000-0000-7000-8000-000000000000";
    keep(nobody).await.expect(404);

    keep(&bob_id).await.expect(204);

    assert_eq!(bob.get(&harness.path).await.expect(200).field("/role"), "owner");
    harness.ada.get(&harness.at("deletion")).await.expect(404);
    let keyring = harness.installation.keyring().await;
    let left = "select count(*) from keyring.erasures where state <> 'cancelled'";
    assert_eq!(keyring.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);

    request_deletion(&harness).await;
    let (installation, id) = (&harness.installation, harness.workspace_id());
    done(installation, &["workspace", "keep", id, &eve_id]).await;
    assert_eq!(eve.get(&harness.path).await.expect(200).field("/role"), "owner");
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
