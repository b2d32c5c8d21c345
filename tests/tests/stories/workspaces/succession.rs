//! Who owns a workspace after its last owner: an admin who has agreed, or nobody until somebody does.

use serde_json::{Value, json};
use tests::{Answer, Client, Harness, Person, problem, until};

use super::tokens::issue_token;
use crate::command_line::{done, erase, refused, succeeded};

fn password(name: &str) -> Value {
    json!({ "password": Person::named(name).password })
}

async fn agree(harness: &Harness, by: &Client, name: &str) -> Answer {
    by.put(&harness.at("succession"), "*", password(name)).await
}

/// Requests the erasure, with the grace in days.
async fn leave(by: &Client, name: &str, grace_days: i64, leave_workspaces: bool) -> Answer {
    let mut asks = password(name);
    asks["grace_days"] = grace_days.into();
    asks["leave_workspaces"] = leave_workspaces.into();
    by.ask_for_erasure(asks).await
}

/// Waits until the read side knows that they belong to it.
async fn is_listed(by: &Client) {
    until("the workspace is listed", async || {
        let listed = by.get("/v1/workspaces").await.expect(200).json();
        listed["items"].as_array().is_some_and(|items| items.len() == 1).then_some(())
    })
    .await;
}

/// Ada, who alone owns it, is erased, and somebody is left.
async fn is_left(harness: &Harness, by: &Client) {
    is_listed(by).await;
    leave(&harness.ada, "ada", 0, true).await.expect(202);
    until("she belongs to it no more", async || {
        let members = by.get(&harness.at("members")).await.expect(200).text();
        (!members.contains("owner")).then_some(())
    })
    .await;
}

async fn role(harness: &Harness, by: &Client) -> String {
    by.get(&harness.path).await.expect(200).field("/role")
}

#[tokio::test]
async fn nobody_inherits_who_has_not_agreed_and_an_operator_appoints_an_owner() {
    let harness = Harness::new().await;
    let bob = harness.member("bob", "viewer").await;
    is_listed(&bob).await;
    let refused = leave(&harness.ada, "ada", 0, false).await;
    assert_eq!(problem(&refused, 409), "owns-workspaces");

    is_left(&harness, &bob).await;

    let shown = bob.get(&harness.path).await.expect(200).json();
    assert_eq!((&shown["restricted"], &shown["role"]), (&json!(true), &json!("viewer")));
    let renames = bob.patch(&harness.path, "*", json!({ "name": "Mills" })).await;
    assert_eq!(problem(&renames, 409), "workspace-restricted");
    assert_eq!(problem(&agree(&harness, &bob, "bob").await, 403), "forbidden");
    until("he sees in his list that nobody owns it", async || {
        let listed = bob.get("/v1/workspaces").await.expect(200).json();
        (listed["items"][0]["restricted"] == true).then_some(())
    })
    .await;
    let mailbox = harness.installation.mailbox();
    until("he is mailed", async || {
        let mails = mailbox.mails("bob@example.org");
        let mail = mails.iter().find(|mail| mail.subject == "A workspace has no owner any more");
        mail.filter(|mail| mail.text.contains(harness.workspace_id())).map(drop)
    })
    .await;
    let operator = harness.operator().await;
    let found = operator.get("/v1/admin/restricted-workspaces").await.expect(200).json();
    assert_eq!(found["items"][0]["workspace_id"], harness.workspace_id());
    assert_eq!((&found["items"][0]["members"], &found["next"]), (&json!(1), &Value::Null));
    until("the gauge counts it", async || {
        let metrics = reqwest::get(harness.node.metrics()).await.unwrap().text().await.unwrap();
        metrics.contains("\nlethe_workspaces_restricted 1\n").then_some(())
    })
    .await;

    let owner = format!("/v1/admin/workspaces/{}/owner", harness.workspace_id());
    let seen = found["items"][0]["etag"].as_str().unwrap();
    let appoint = async |account: &str| {
        let body = json!({ "account_id": account });
        operator.put(&owner, seen, body).await
    };
    let nobody = "00000000-0000-7000-8000-000000000000";
    appoint(nobody).await.expect(404);
    let bob_id = bob.account().await;
    let before = operator.get(&owner).await.expect(200);
    assert_eq!((before.json(), before.etag().as_str()), (json!({ "items": [] }), seen));
    let appointed = appoint(&bob_id).await.expect(200);
    let shown = operator.get(&owner).await.expect(200);
    assert_eq!(appointed.json(), json!({ "items": [{ "account_id": bob_id }] }));
    assert_eq!((appointed.json(), appointed.etag()), (shown.json(), shown.etag()));

    assert_eq!(role(&harness, &bob).await, "owner");
    bob.patch(&harness.path, "*", json!({ "name": "Mills" })).await.expect(200);
    assert_eq!(problem(&appoint(&bob_id).await, 412), "precondition-failed");
    let again = operator.put(&owner, "*", json!({ "account_id": bob_id })).await;
    assert_eq!(problem(&again, 409), "refused");
    let by = "select count(*) from event_log.events e join working.operator_tokens t on t.token_id = e.actor
        where e.event_type = 'workspace.role_changed'";
    let log = harness.installation.log().await;
    assert_eq!(log.query_one(by, &[]).await.unwrap().get::<_, i64>(0), 1, "it says which operator");
}

#[tokio::test]
async fn an_admin_who_has_agreed_inherits_and_the_erasure_is_not_refused() {
    let harness = Harness::new().await;
    let bob = harness.member("bob", "admin").await;
    let eve = harness.member("eve", "viewer").await;
    is_listed(&bob).await;
    is_listed(&eve).await;
    assert_eq!(problem(&leave(&harness.ada, "ada", 0, false).await, 409), "owns-workspaces");
    let wrong = bob.put(&harness.at("succession"), "*", password("eve")).await;
    assert_eq!(problem(&wrong, 403), "password-wrong");
    assert_eq!(problem(&agree(&harness, &eve, "eve").await, 403), "forbidden");
    assert_eq!(problem(&agree(&harness, &harness.ada, "ada").await, 409), "refused");

    for _ in 0..2 {
        agree(&harness, &bob, "bob").await.expect(200);
    }

    let bob_id = bob.account().await;
    let shown = eve.get(&harness.at("succession")).await.expect(200).json();
    assert_eq!(shown, json!({ "restricted": false, "items": [{ "account_id": bob_id }] }));
    bob.delete(&harness.at("succession")).await.expect(204);
    assert_eq!(problem(&leave(&harness.ada, "ada", 0, false).await, 409), "owns-workspaces");
    agree(&harness, &bob, "bob").await.expect(200);
    leave(&harness.ada, "ada", 0, false).await.expect(202);
    until("he owns it", async || (role(&harness, &bob).await == "owner").then_some(())).await;
    bob.patch(&harness.path, "*", json!({ "name": "Mills" })).await.expect(200);
    assert!(harness.events("workspace.restricted").await.is_empty());
    assert_eq!(harness.events("workspace.succession_agreed").await.len(), 2);
}

#[tokio::test]
async fn an_heir_whose_own_erasure_waits_is_passed_over_and_may_own_it_after_all() {
    let harness = Harness::new().await;
    let bob = harness.member("bob", "admin").await;
    is_listed(&bob).await;
    agree(&harness, &bob, "bob").await.expect(200);
    leave(&bob, "bob", 7, false).await.expect(202);
    let bob = Person::named("bob").sign_in(&harness.node.client()).await;
    assert_eq!(problem(&leave(&harness.ada, "ada", 0, false).await, 409), "owns-workspaces");

    is_left(&harness, &bob).await;

    assert_eq!(role(&harness, &bob).await, "admin");
    assert_eq!(problem(&agree(&harness, &bob, "bob").await, 409), "erasure-requested");
    bob.delete("/v1/me/erasure").await.expect(204);
    agree(&harness, &bob, "bob").await.expect(200);
    assert_eq!(role(&harness, &bob).await, "owner");
}

#[tokio::test]
async fn a_token_of_a_restricted_workspace_reads_and_begins_nothing() {
    let harness = Harness::new().await;
    let bob = harness.member("bob", "admin").await;
    let scopes = ["workspace:read", "members:read", "workspace:manage", "servers:manage"];
    let (id, token) = issue_token(&harness, &bob, &scopes).await;

    is_left(&harness, &bob).await;

    token.get(&harness.at("members")).await.expect(200);
    let server = json!({ "name": "web", "host": "web.example", "port": 22, "user": "u" });
    let refused = token.post_once(&harness.at("servers"), server).await;
    assert_eq!(problem(&refused, 409), "workspace-restricted");
    // To own a workspace is not for tokens.
    assert_eq!(problem(&agree(&harness, &token, "bob").await, 403), "forbidden");
    bob.delete(&harness.at(&format!("api-tokens/{id}"))).await.expect(204);
    token.get(&harness.at("members")).await.expect(401);
}

#[tokio::test]
async fn the_last_who_leaves_a_restricted_workspace_leaves_it_to_be_deleted_after_30_days() {
    let harness = Harness::new().await;
    let bob = harness.member("bob", "admin").await;
    let eve = harness.member("eve", "viewer").await;
    is_left(&harness, &bob).await;
    let of = |account: &str| harness.at(&format!("members/{account}"));
    let eve_id = eve.account().await;
    let bob_id = bob.account().await;

    bob.delete(&of(&bob_id)).await.expect(204);
    eve.get(&harness.path).await.expect(200);
    eve.delete(&of(&eve_id)).await.expect(204);

    eve.get(&harness.path).await.expect(404);
    assert_eq!(harness.events("workspace.deletion_requested").await.len(), 1);
    let keyring = harness.installation.keyring().await;
    let entered = "select due > now() + interval '29 days' from keyring.erasures
        where kind = 'workspace' and state = 'requested'";
    until("the ledger has it", async || {
        keyring.query_opt(entered, &[]).await.unwrap().map(|row| assert!(row.get::<_, bool>(0)))
    })
    .await;
}

#[tokio::test]
async fn an_operator_appoints_an_owner_on_the_command_line() {
    let harness = Harness::new().await;
    let bob = harness.member("bob", "viewer").await;
    is_listed(&bob).await;
    let (ada_id, bob_id) = (harness.ada.account().await, bob.account().await);
    let installation = &harness.installation;
    let id = harness.workspace_id();
    assert_eq!(done(installation, &["workspace", "restricted"]).await, "");
    let why = refused(installation, &["workspace", "appoint", id, &bob_id]).await;
    assert!(why.contains("this workspace has an owner"), "{why}");
    let leaves = [ada_id.as_str(), "--grace-days", "0", "--leave-workspaces"];
    succeeded(&erase(installation, &leaves).await);
    until("it is listed as restricted", async || {
        let listed = done(installation, &["workspace", "restricted"]).await;
        (listed.starts_with(&format!("{id}  since ")) && listed.ends_with("  members 1"))
            .then_some(())
    })
    .await;

    done(installation, &["workspace", "appoint", id, &bob_id]).await;

    assert_eq!(role(&harness, &bob).await, "owner");
    let by = "select actor::text from event_log.events where event_type = 'workspace.role_changed'";
    let by: String = harness.installation.log().await.query_one(by, &[]).await.unwrap().get(0);
    assert_eq!(by, "00000000-0000-8000-8000-000000000001", "not Lethe itself");
    bob.patch(&harness.path, "*", json!({ "name": "Mills" })).await.expect(200);
}
