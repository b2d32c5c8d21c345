//! A workspace is deleted, and what becomes of it when its people are erased.

use std::io::ErrorKind;
use std::path::PathBuf;

use infra::postgres::{ConnectOptions, connect_one};
use infra::residue::{Canaries, Report};
use reqwest::Method;
use serde_json::json;
use tests::{Answer, Client, Harness, Person, create_workspace, dump, until};

use super::tokens::{in_days, issue_token};

async fn delete_workspace(harness: &Harness, by: &Client, name: &str, grace_days: i64) -> Answer {
    let asks = json!({ "password": Person::named(name).password, "grace_days": grace_days });
    let call = by.call(Method::POST, &harness.at("deletion")).header("If-Match", "*");
    call.json(asks).send().await
}

/// A connection whose transaction may stay open for as long as the test takes.
async fn patient(harness: &Harness) -> tokio_postgres::Client {
    connect_one(&harness.installation.log_url(), &ConnectOptions::unlimited()).await.unwrap()
}

async fn completed(client: &Client, code: &str) -> Answer {
    until("the erasure is complete", async || {
        let proof = client.get(&format!("/v1/erasures/{code}")).await.expect(200);
        matches!(&*proof.field("/state"), "completed" | "backup_proven").then_some(proof)
    })
    .await
}

#[tokio::test]
async fn until_the_deletion_is_taken_back_the_workspace_is_only_read() {
    let harness = Harness::new().await;
    let bob = harness.invited("bob", "admin").await;
    delete_workspace(&harness, &bob, "bob", 3).await.expect(403);
    delete_workspace(&harness, &harness.ada, "eve", 3).await.expect(403);
    let long = delete_workspace(&harness, &harness.ada, "ada", 99).await.expect(422);
    assert_eq!(long.field("/errors/0/pointer"), "/grace_days");
    harness.ada.post(&harness.at("deletion"), json!({})).await.expect(428);

    let requested = delete_workspace(&harness, &harness.ada, "ada", 3).await.expect(202);

    let shown = bob.get(&harness.path).await.expect(200);
    assert_eq!(shown.field("/deletion_due_at"), requested.field("/due_at"));
    bob.get(&harness.at("members")).await.expect(200);
    let invites = json!({ "email": "eve@example.org", "role": "viewer" });
    let refused = bob.post(&harness.at("invitations"), invites).await.expect(409);
    assert_eq!(refused.field("/type"), "/problems/workspace-deleting");
    harness.ada.patch(&harness.path, "*", json!({ "name": "Mills" })).await.expect(409);
    delete_workspace(&harness, &harness.ada, "ada", 3).await.expect(409);
    bob.delete(&harness.at("deletion")).await.expect(403);
    assert_eq!(
        bob.get(&harness.at("deletion")).await.expect(200).field("/due_at"),
        requested.field("/due_at")
    );

    harness.ada.delete(&harness.at("deletion")).await.expect(204);
    harness.ada.get(&harness.at("deletion")).await.expect(404);
    let code = format!("/v1/erasures/{}", requested.field("/claim_code"));
    assert_eq!(bob.get(&code).await.expect(200).field("/state"), "cancelled");
    bob.patch(&harness.path, "*", json!({ "name": "Mills" })).await.expect(200);
    delete_workspace(&harness, &harness.ada, "ada", 3).await.expect(202);
}

#[tokio::test]
async fn where_others_belong_to_a_workspace_its_deletion_has_a_grace_of_a_day_at_least() {
    let harness = Harness::new().await;
    let bob = harness.member("bob", "viewer").await;

    let refused = delete_workspace(&harness, &harness.ada, "ada", 0).await.expect(422);

    assert_eq!(refused.field("/errors/0/pointer"), "/grace_days");
    delete_workspace(&harness, &harness.ada, "ada", 1).await.expect(202);
    harness.ada.delete(&harness.at("deletion")).await.expect(204);
    bob.delete(&harness.at(&format!("members/{}", bob.account().await))).await.expect(204);
    let refused = delete_workspace(&harness, &harness.ada, "ada", 0).await.expect(422);
    assert_eq!(refused.field("/errors/0/pointer"), "/grace_days");
    delete_workspace(&harness, &harness.ada, "ada", 1).await.expect(202);
}

#[tokio::test]
async fn in_the_grace_rights_are_taken_away_and_whoever_wants_leaves() {
    let harness = Harness::new().await;
    let (bob, eve) = (harness.member("bob", "admin").await, harness.member("eve", "viewer").await);
    harness.invite("dan@example.org", "viewer").await;
    let (id, token) = issue_token(&harness, &bob, &["workspace:read"]).await;
    let open = harness.ada.get(&harness.at("invitations")).await.expect(200);
    let invitation = open.field("/items/0/invitation_id");
    delete_workspace(&harness, &harness.ada, "ada", 3).await.expect(202);

    harness.ada.delete(&harness.at(&format!("api-tokens/{id}"))).await.expect(204);
    token.get(&harness.path).await.expect(401);
    harness.ada.delete(&harness.at(&format!("invitations/{invitation}"))).await.expect(204);
    harness.ada.delete(&harness.at(&format!("members/{}", bob.account().await))).await.expect(204);
    eve.delete(&harness.at(&format!("members/{}", eve.account().await))).await.expect(204);

    let members = harness.ada.get(&harness.at("members")).await.expect(200).json();
    assert_eq!(members["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_deletion_that_is_requested_as_another_is_cancelled_has_a_claim_code() {
    let harness = Harness::new().await;
    delete_workspace(&harness, &harness.ada, "ada", 3).await.expect(202);
    let asks = json!({ "password": Person::named("ada").password, "grace_days": 3 });
    let path = harness.at("deletion");
    let call = harness.ada.call(Method::POST, &path).header("If-Match", "*").json(asks);
    let held = harness.ada.hold(call, &harness.path).await;

    harness.ada.delete(&harness.at("deletion")).await.expect(204);

    let code = held.send().await.expect(202).field("/claim_code");
    let requested = harness.ada.get(&format!("/v1/erasures/{code}")).await.expect(200);
    assert_ne!(requested.field("/state"), "cancelled");
}

#[tokio::test]
async fn a_deletion_that_is_sent_again_does_not_undo_its_cancellation() {
    let harness = Harness::new().await;
    let repeating = harness.ada.saying("Idempotency-Key", "0123456789abcdef-a-key");
    let first = delete_workspace(&harness, &repeating, "ada", 3).await.expect(202);
    harness.ada.delete(&harness.at("deletion")).await.expect(204);

    let again = delete_workspace(&harness, &repeating, "ada", 3).await.expect(202);

    assert_eq!(first.json(), again.json());
    harness.ada.get(&harness.at("deletion")).await.expect(404);
    let rows = harness.installation.keyring().await;
    let rows = rows.query("select state from keyring.erasures", &[]).await.unwrap();
    let states: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(states, ["cancelled"]);
}

#[tokio::test]
async fn a_deletion_that_was_not_appended_is_not_carried_out_after_a_restart() {
    let harness = Harness::new().await;
    let mut log = patient(&harness).await;
    let pause = log.transaction().await.unwrap();
    pause.execute("select event_log.lock()", &[]).await.unwrap();
    delete_workspace(&harness, &harness.ada, "ada", 0).await.expect(503);
    assert!(harness.node.stop().await.success());
    // PostgreSQL may go on with an append whose answer nobody waits for any more.
    let watching = harness.installation.log().await;
    until("nobody appends any more", async || {
        let appends = "select query from pg_stat_activity where datname = current_database()
            and application_name = 'lethe append' and state = 'active'";
        watching.query(appends, &[]).await.unwrap().is_empty()
    })
    .await;
    pause.rollback().await.unwrap();
    let keyring = harness.installation.keyring().await;
    let passed = "update keyring.erasures
        set requested_at = requested_at - interval '2 minutes', due = due - interval '2 minutes'
        where state = 'requested'";
    assert_eq!(keyring.execute(passed, &[]).await.unwrap(), 1);

    let node = harness.installation.node().await;

    harness.ada.at(node.api()).get(&harness.path).await.expect(200);
    assert!(harness.installation.events("workspace.deletion_requested").await.is_empty());
    until("the entry is cancelled", async || {
        let open = "select from keyring.erasures where state <> 'cancelled'";
        keyring.query(open, &[]).await.unwrap().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_deleted_workspace_is_gone_for_good_and_leaves_a_certificate() {
    let harness = Harness::new().await;
    harness.invite("eve@example.org", "viewer").await;
    let log = harness.installation.log().await;
    until("the worker has followed to Eve's invitation", async || {
        log.query("select from working.invitations", &[]).await.unwrap().len() == 1
    })
    .await;
    let kept = create_workspace(&harness.ada, "Looms").await;

    let requested = delete_workspace(&harness, &harness.ada, "ada", 0).await.expect(202);
    let proof = completed(&harness.ada, &requested.field("/claim_code")).await;

    assert!(harness.path.ends_with(&proof.field("/certificate/subject_id")));
    let statement = proof.field("/certificate/statement");
    assert!(statement.contains("workspace"), "{statement}");
    assert!(statement.contains("an invitation in another node's folder"), "{statement}");
    let gone = harness.ada.get(&harness.path).await.expect(404).json();
    let nobodys = "/v1/workspaces/00000000-0000-7000-8000-000000000000";
    assert_eq!(gone, harness.ada.get(nobodys).await.expect(404).json());
    harness.ada.delete(&harness.at("deletion")).await.expect(404);
    harness.ada.get(&kept).await.expect(200);
    until("it is listed no more", async || {
        let listed = harness.ada.get("/v1/workspaces").await.expect(200).json();
        listed["items"].as_array().is_some_and(|items| items.len() == 1).then_some(())
    })
    .await;
    for left in ["api_tokens", "invitations"] {
        let left = format!("select from working.{left}");
        assert!(log.query(&left, &[]).await.unwrap().is_empty(), "{left}");
    }
    let last = "select event_type from event_log.events where tenant_id = $1
        order by position desc limit 1";
    let id: uuid::Uuid = harness.path.rsplit('/').next().unwrap().parse().unwrap();
    assert_eq!(log.query_one(last, &[&id]).await.unwrap().get::<_, String>(0), "workspace.deleted");
    assert!(harness.installation.mails("eve@example.org").is_empty());
}

#[tokio::test]
async fn whoever_alone_owns_what_others_use_is_not_erased_before_somebody_else_does() {
    let harness = Harness::new().await;
    let bob = harness.invited("bob", "viewer").await;
    let ada = Person::named("ada");
    let asks = json!({ "password": ada.password, "grace_days": 0 });

    // A read side that lags for 2 s does not stand in the way of an erasure: it is not lagging here.
    until("the read side knows that Bob has joined", async || {
        let listed = bob.get("/v1/workspaces").await.expect(200).json();
        if listed["items"].as_array().is_some_and(|items| items.len() == 1) {
            Ok(())
        } else {
            Err(listed)
        }
    })
    .await;

    let refused = harness.ada.ask_for_erasure(asks).await.expect(409);

    assert_eq!(refused.field("/type"), "/problems/owns-workspaces");
    assert!(!refused.text().contains(&harness.path), "it lists nothing");
    let (ada_id, bob_id) = (harness.ada.account().await, bob.account().await);
    let of_bob = harness.at(&format!("members/{bob_id}"));
    harness.ada.put(&of_bob, "*", json!({ "role": "owner" })).await.expect(200);
    ada.erase(&harness.ada).await;
    until("she belongs to it no more", async || {
        let members = bob.get(&harness.at("members")).await.expect(200).json();
        (members["items"] == json!([{ "account_id": bob_id, "kind": "person", "role": "owner" }]))
            .then_some(())
    })
    .await;
    let log = harness.installation.log().await;
    let id: uuid::Uuid = ada_id.parse().unwrap();
    until("no row leads to her", async || {
        let left = "select from read_models.memberships where account_id = $1";
        log.query(left, &[&id]).await.unwrap().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn while_the_read_side_lags_nobody_is_erased_whom_others_may_depend_on() {
    let harness = Harness::new().await;
    let mut log = patient(&harness).await;
    let pause = log.transaction().await.unwrap();
    pause.execute("lock table read_models.memberships in share mode", &[]).await.unwrap();
    harness.invited("bob", "viewer").await;
    let asks = json!({ "password": Person::named("ada").password, "grace_days": 0 });

    let behind = harness.ada.post("/v1/me/erasure", &asks).await.expect(503);
    assert_eq!(behind.header("retry-after"), Some("1"));
    pause.rollback().await.unwrap();

    until("it is known that Bob depends on her", async || {
        let refused = harness.ada.post("/v1/me/erasure", &asks).await;
        (refused.status == 409).then(|| refused.field("/type"))
    })
    .await;
    harness.ada.get("/v1/me/erasure").await.expect(404);
}

#[tokio::test]
async fn what_an_erased_person_had_alone_is_deleted_with_the_person() {
    let harness = Harness::new().await;

    Person::named("ada").erase(&harness.ada).await;

    let log = harness.installation.log().await;
    let id: uuid::Uuid = harness.path.rsplit('/').next().unwrap().parse().unwrap();
    until("it is deleted", async || {
        let select = "select from event_log.events
            where stream_id = $1 and event_type = 'workspace.deleted'";
        log.query_opt(select, &[&id]).await.unwrap().map(drop)
    })
    .await;
    let keyring = harness.installation.keyring().await;
    let keys = "select from keyring.keys where subject = $1 and wrapped is not null";
    assert!(keyring.query(keys, &[&id]).await.unwrap().is_empty());
}

/// What a dump of a database shows of them.
async fn found(harness: &Harness, canaries: &Canaries) -> bool {
    let mut report = Report::default();
    for url in [harness.installation.log_url(), harness.installation.keyring_url()] {
        let sql = dump(&url, &[]).await;
        canaries.search(std::path::Path::new("dump"), sql.as_slice(), &mut report).unwrap();
    }
    let mails = harness.installation.mail_dir();
    canaries.search_path(&mails, &mut report);
    // A mail may be deleted while the folder is searched.
    let is_gone = |path: &PathBuf| {
        path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
    report.unread.retain(|path| *path == mails || !is_gone(path));
    assert!(report.bytes > 10_000 && report.unread.is_empty(), "{report:?}");
    !report.finds.is_empty()
}

#[tokio::test]
async fn nothing_of_the_invited_or_of_a_members_names_is_left_in_the_clear() {
    let harness = Harness::new().await;
    let secret = "zephyrine.invited.7731@canary-five.example";
    let workspace = "Quillfeather Engines 7731";
    harness.ada.patch(&harness.path, "*", json!({ "name": workspace })).await.expect(200);
    let name = "quillfeather's token 7731";
    let asks = json!({ "name": name, "scopes": ["runs:read"], "expires_at": in_days(30) });
    let token = harness.ada.post(&harness.at("api-tokens"), asks).await.expect(201).field("/token");
    let link = harness.invite(secret, "viewer").await;
    let canaries = Canaries::new(&[secret, workspace, name, &token, &link]).unwrap();
    assert!(found(&harness, &canaries).await, "the mail is there, while the invitation is open");
    let open = harness.ada.get(&harness.at("invitations")).await.expect(200);
    let id = open.field("/items/0/invitation_id");

    harness.ada.delete(&harness.at(&format!("invitations/{id}"))).await.expect(204);

    until("nothing is found of them", async || (!found(&harness, &canaries).await).then_some(()))
        .await;
}

#[tokio::test]
async fn a_member_who_came_by_invitation_and_is_erased_leaves_no_trace_of_the_address() {
    let harness = Harness::new().await;
    let word = "zephyrine.quillfeather.7731";
    let email = format!("{word}@example.org");
    let member = harness.invited(word, "admin").await;
    let invites = json!({ "email": "late.quillfeather@example.org", "role": "viewer" });
    member.post(&harness.at("invitations"), invites).await.expect(201);
    harness.installation.mail("late.quillfeather@example.org", 1).await;
    let canaries = Canaries::new(&[&email, word, "late.quillfeather@example.org"]).unwrap();
    assert!(found(&harness, &canaries).await);

    Person::named(word).erase(&member).await;

    until("nothing is found of her", async || (!found(&harness, &canaries).await).then_some(()))
        .await;
    until("she belongs to it no more", async || {
        let members = harness.ada.get(&harness.at("members")).await.expect(200).json();
        if members["items"].as_array().unwrap().len() == 1 { Ok(()) } else { Err(members) }
    })
    .await;
}
