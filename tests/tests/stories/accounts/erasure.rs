//! Being forgotten, and changing one's mind.

use serde_json::json;
use tests::{Harness, Person, problem, until};

use super::AccountHarness;

#[tokio::test]
async fn an_erasure_signs_out_everywhere_and_is_taken_back_within_its_grace() {
    let harness = AccountHarness::new().await;
    let (ada, anybody, signed_in) = (&harness.ada, &harness.anybody, &harness.signed_in);
    signed_in.get("/v1/me/erasure").await.expect(404);
    let asks = json!({ "password": ada.password, "grace_days": 3 });
    let wrong = json!({ "password": "not the password of ada" });
    signed_in.post("/v1/me/erasure", wrong).await.expect(403);
    let long = json!({ "password": ada.password, "grace_days": 29 });
    let long = signed_in.post("/v1/me/erasure", long).await.expect(422);
    assert_eq!(long.field("/errors/0/pointer"), "/grace_days");

    let requested = signed_in.ask_for_erasure(&asks).await.expect(202);
    signed_in.get("/v1/me").await.expect(401);
    let code = format!("/v1/erasures/{}", requested.field("/claim_code"));
    assert_eq!(anybody.get(&code).await.expect(200).field("/state"), "requested");

    let back = ada.sign_in(anybody).await;
    let pending = back.get("/v1/me/erasure").await.expect(200);
    assert_eq!(pending.field("/due_at"), requested.field("/due_at"));
    let news = "/v1/me/consents/product_news";
    let refused = back.put(news, "*", json!({ "policy_version": 1 })).await.expect(409);
    assert_eq!(refused.field("/type"), "/problems/erasure-requested");
    let twice = back.post("/v1/me/erasure", &asks).await.expect(409);
    assert_eq!(twice.field("/type"), "/problems/erasure-requested");

    back.delete("/v1/me/erasure").await.expect(204);
    assert_eq!(anybody.get(&code).await.expect(200).field("/state"), "cancelled");
    back.delete("/v1/me/erasure").await.expect(409);
    back.put(news, "*", json!({ "policy_version": 1 })).await.expect(200);
    let anew = back.ask_for_erasure(&asks).await.expect(202);
    let anew = format!("/v1/erasures/{}", anew.field("/claim_code"));
    assert_eq!(anybody.get(&anew).await.expect(200).field("/state"), "requested");
}

#[tokio::test]
async fn somebody_is_forgotten_and_has_a_certificate_of_it() {
    let harness = AccountHarness::new().await;
    let (ada, anybody) = (&harness.ada, &harness.anybody);
    let id = harness.signed_in.get("/v1/me").await.expect(200).field("/account_id");

    let code = ada.erase(&harness.signed_in).await;

    let proof = anybody.get(&format!("/v1/erasures/{code}")).await.expect(200);
    assert_eq!(proof.field("/certificate/subject_id"), id);
    let statement = proof.field("/certificate/statement");
    assert!(statement.contains("another node's folder may still be read"), "{statement}");
    for stated in ["fenced_at", "keys_destroyed", "destroyed_at", "completed_at"] {
        assert_ne!(proof.field(&format!("/certificate/{stated}")), "null", "{stated}");
    }
    assert!(!proof.text().contains("position"), "{}", proof.text());
    ada.try_sign_in(anybody).await.expect(401);
    harness.signed_in.get("/v1/me").await.expect(401);
    anybody.post("/v1/password-resets", json!({ "email": ada.email })).await.expect(202);
    let wrong = format!("/v1/erasures/{code}x");
    assert_eq!(anybody.get(&wrong).await.expect(404).field("/type"), "/problems/not-found");

    let next = ada.register(anybody).await;
    assert_ne!(next, id);
    until("the next owner of the address reads it back", async || {
        let client = ada.sign_in(anybody).await;
        let me = client.get("/v1/me").await;
        (me.status == 200).then(|| assert_eq!(me.field("/account_id"), next))
    })
    .await;
}

#[tokio::test]
async fn whoever_reads_the_mail_stops_an_erasure_that_a_thief_of_the_password_requested() {
    let harness = AccountHarness::new().await;
    let (ada, anybody) = (&harness.ada, &harness.anybody);
    let thief = ada.sign_in(anybody).await;
    let change = json!({ "current": ada.password, "new": "only the thief knows it" });
    thief.put("/v1/me/password", "*", change).await.expect(204);
    let asks = json!({ "password": "only the thief knows it", "grace_days": 3 });
    thief.ask_for_erasure(asks).await.expect(202);
    let mail = until("ada gets a mail", async || {
        let mails = harness.installation.mails(&ada.email);
        mails.into_iter().find(|mail| mail.subject == "Your account will be erased")
    })
    .await;
    assert!(mail.text.contains("ask for a new password, sign in with it"), "{}", mail.text);

    anybody.post("/v1/password-resets", json!({ "email": ada.email })).await.expect(202);
    let link = until("a link is mailed", async || {
        let mails = harness.installation.mails(&ada.email);
        mails.into_iter().find(|mail| mail.subject == "Choose a new password")
    })
    .await;
    let chosen = json!({ "token": link.token(), "password": "only ada knows it" });
    anybody.post("/v1/password-resets/completions", chosen).await.expect(204);
    let back = Person { password: "only ada knows it".to_owned(), ..ada.clone() };
    let back = back.sign_in(anybody).await;
    back.delete("/v1/me/erasure").await.expect(204);

    back.get("/v1/me/erasure").await.expect(404);
    let thief = Person { password: "only the thief knows it".to_owned(), ..ada.clone() };
    thief.try_sign_in(anybody).await.expect(401);
}

const KEY: &str = "0123456789abcdef-a-key";

/// The states of all erasures in the ledger.
async fn states(harness: &AccountHarness) -> Vec<String> {
    let select = "select state from keyring.erasures order by requested_at";
    let rows = harness.installation.keyring().await.query(select, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_request_that_is_sent_again_has_the_same_answer_and_signs_nobody_out() {
    let harness = AccountHarness::new().await;
    let asks = json!({ "password": harness.ada.password, "grace_days": 3 });
    let repeating = harness.signed_in.saying("Idempotency-Key", KEY);
    let first = repeating.ask_for_erasure(&asks).await.expect(202);
    let back = harness.ada.sign_in(&harness.anybody).await;

    let again = back.saying("Idempotency-Key", KEY).ask_for_erasure(&asks).await.expect(202);

    assert_eq!(first.json(), again.json());
    assert_eq!(first.position(), again.position());
    back.get("/v1/me").await.expect(200);
    assert_eq!(states(&harness).await, ["requested"]);
}

#[tokio::test]
async fn a_request_that_is_sent_again_does_not_undo_its_cancellation() {
    let harness = AccountHarness::new().await;
    let asks = json!({ "password": harness.ada.password, "grace_days": 3 });
    let repeating = harness.signed_in.saying("Idempotency-Key", KEY);
    let first = repeating.ask_for_erasure(&asks).await.expect(202);
    let back = harness.ada.sign_in(&harness.anybody).await;
    back.delete("/v1/me/erasure").await.expect(204);

    let again = back.saying("Idempotency-Key", KEY).ask_for_erasure(&asks).await.expect(202);

    assert_eq!(first.json(), again.json());
    back.get("/v1/me/erasure").await.expect(404);
    assert_eq!(states(&harness).await, ["cancelled"]);
}

#[tokio::test]
async fn a_cancellation_that_is_sent_again_leaves_a_newer_request() {
    let harness = AccountHarness::new().await;
    let asks = json!({ "password": harness.ada.password, "grace_days": 3 });
    harness.signed_in.ask_for_erasure(&asks).await.expect(202);
    let back = harness.ada.sign_in(&harness.anybody).await.saying("Idempotency-Key", KEY);
    back.delete("/v1/me/erasure").await.expect(204);
    back.ask_for_erasure(&asks).await.expect(202);
    let back = harness.ada.sign_in(&harness.anybody).await.saying("Idempotency-Key", KEY);

    back.delete("/v1/me/erasure").await.expect(204);

    back.get("/v1/me/erasure").await.expect(200);
    assert_eq!(states(&harness).await, ["cancelled", "requested"]);
}

#[tokio::test]
async fn a_cancellation_that_the_ledger_has_lost_is_not_undone_by_a_restart() {
    let AccountHarness { installation, node, anybody, ada, signed_in } =
        AccountHarness::new().await;
    let asks = json!({ "password": ada.password, "grace_days": 3 });
    signed_in.ask_for_erasure(&asks).await.expect(202);
    ada.sign_in(&anybody).await.delete("/v1/me/erasure").await.expect(204);
    node.stop().await;
    // As in a ledger that was restored from a backup of before the cancellation.
    let restore = "update keyring.erasures set state = 'requested', cancelled_at = null,
        requested_at = requested_at - interval '2 minutes'";
    assert_eq!(installation.keyring().await.execute(restore, &[]).await.unwrap(), 1);

    let _node = installation.node().await;

    assert_eq!(installation.events("account.erasure_requested").await.len(), 1);
    assert_eq!(installation.events("account.erasure_cancelled").await.len(), 1);
}

#[tokio::test]
async fn a_sole_owner_is_erased_once_the_workspace_is_to_be_deleted() {
    let harness = Harness::new().await;
    let bo = harness.member("bo", "operator").await;
    until("the read side knows that Bo has joined", async || {
        let listed = bo.get("/v1/workspaces").await.expect(200).json();
        if listed["items"].as_array().unwrap().len() == 1 { Ok(()) } else { Err(listed) }
    })
    .await;
    let password = json!({ "password": Person::named("ada").password });
    let refused = harness.ada.ask_for_erasure(&password).await;
    assert_eq!(problem(&refused, 409), "owns-workspaces");

    let delete = harness.ada.call(reqwest::Method::POST, &harness.at("deletion"));
    let delete = delete.header("If-Match", &harness.etag().await).json(&password);
    delete.send().await.expect(202);

    harness.ada.ask_for_erasure(&password).await.expect(202);
}
