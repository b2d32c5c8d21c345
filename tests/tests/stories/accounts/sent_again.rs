//! A request that is sent again while the first one is served, was cut short, or has asked for the password; or that
//! is done each time.

use futures_util::future::select_all;
use serde_json::json;
use test_support::until_waits_for_lock;
use tests::{Installation, Person, create_workspace, until};

use super::AccountHarness;

const KEY: &str = "0123456789abcdef-a-key";

/// Its handler reads no body, so that what follows is nobody's.
#[tokio::test]
async fn a_deletion_with_a_body_is_done_once_however_often_it_is_sent_at_once() {
    let harness = AccountHarness::new().await;
    let phone = harness.ada.try_sign_in(&harness.anybody).await.expect(201);
    let path = format!("/v1/me/sessions/{}", phone.field("/session_id"));
    let repeating = harness.signed_in.saying("Idempotency-Key", KEY);
    let log = harness.installation.log().await;
    log.batch_execute("begin; select event_log.lock()").await.unwrap();
    let deletes = || {
        let call = repeating.call("DELETE".parse().unwrap(), &path).json(json!({}));
        tokio::spawn(call.send())
    };
    let first = deletes();
    let watcher = harness.installation.log().await;
    until_waits_for_lock(&watcher, "event_log.append").await;

    let again = deletes().await.unwrap();

    assert_eq!(again.expect(409).field("/type"), "/problems/in-flight");
    log.batch_execute("rollback").await.unwrap();
    first.await.unwrap().expect(204);
    assert_eq!(harness.installation.events("session.closed").await.len(), 1);
}

/// Killed between the row of its session and its event. The same key with another body is another request,
/// which may be going on; ten minutes later it is known to have opened nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_was_cut_short_leaves_its_key_to_others_after_a_while() {
    let installation = Installation::new().await.with_failpoints();
    let node = installation.node().await;
    let ada = Person::named("ada");
    ada.settle(&node.client(), &installation).await;
    assert!(node.stop().await.success());
    let mut armed = installation.node_with(&[("failpoint", "session.opened")]).await;
    let client = armed.client().saying("Idempotency-Key", KEY);
    let kind = |kind| json!({ "email": ada.email, "password": ada.password, "kind": kind });
    let sends = client.call("POST".parse().unwrap(), "/v1/sessions").json(kind("client"));
    assert!(sends.try_send().await.is_err());
    armed.ended().await;
    let node = installation.node().await;
    let client = node.client().saying("Idempotency-Key", KEY);

    let other = client.post("/v1/sessions", kind("browser")).await.expect(422);
    assert_eq!(other.field("/type"), "/problems/idempotency-key-reused");
    let passes = "update working.sessions set opened_at = opened_at - interval '10 minutes'
        where session_id not in (select stream_id from event_log.events)";
    assert_eq!(installation.log().await.execute(passes, &[]).await.unwrap(), 1);
    let other = client.post("/v1/sessions", kind("browser")).await.expect(201);

    let cookie = other.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    node.client().saying("Cookie", &cookie).get("/v1/me").await.expect(200);
    client.post("/v1/sessions", kind("client")).await.expect(422);
    let again = client.post("/v1/sessions", kind("browser")).await.expect(201);
    assert_eq!(other.field("/session_id"), again.field("/session_id"));
}

/// The password was counted and verified before, and was another one by then.
#[tokio::test]
async fn an_erasure_or_a_deletion_that_is_sent_again_needs_no_other_look_at_the_password() {
    let settings = [("sign_ins_per_minute", "3")];
    let installation = Installation::with(&settings).await;
    let node = installation.node().await;
    let ada = Person::named("ada");
    let signed_in = ada.settle(&node.client(), &installation).await;
    let workspace = create_workspace(&signed_in, "Engines").await;
    let repeating = signed_in.saying("Idempotency-Key", KEY);
    let body = json!({ "password": ada.password, "grace_days": 7 });
    let deletion = format!("{workspace}/deletion");
    let deletes = || {
        let call = repeating.call("POST".parse().unwrap(), &deletion).header("If-Match", "*");
        call.json(&body).send()
    };

    let first = deletes().await.expect(202);

    for _ in 0..5 {
        let again = deletes().await.expect(202);
        assert_eq!((again.body.clone(), again.position()), (first.body.clone(), first.position()));
    }
}

#[tokio::test]
async fn a_request_that_comes_again_and_waits_for_too_long_is_told_when_to_come_back() {
    let harness = AccountHarness::new().await;
    let repeating = harness.signed_in.saying("Idempotency-Key", KEY);
    let body = json!({ "name": "Looms" });
    let mut log = harness.installation.log().await;
    // Nobody appends meanwhile.
    let pause = log.transaction().await.unwrap();
    pause.execute("select event_log.lock()", &[]).await.unwrap();

    let both = [(); 2].map(|()| Box::pin(repeating.post("/v1/workspaces", &body)));
    let (refused, _, mut others) = select_all(both).await;
    let refused = refused.expect(409);
    pause.rollback().await.unwrap();

    assert_eq!(refused.field("/type"), "/problems/in-flight");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let served = others.remove(0).await.expect(201);
    let again = repeating.post("/v1/workspaces", &body).await.expect(201);
    assert_eq!(served.body, again.body);
    assert_eq!(harness.installation.events("workspace.created").await.len(), 1);
}

#[tokio::test]
async fn each_export_is_recorded_whatever_its_idempotency_key() {
    let harness = AccountHarness::new().await;
    let auditor = harness.operator("audit").await.saying("Idempotency-Key", KEY);

    let first = auditor.get("/v1/audit/export").await.expect(200);
    let again = auditor.get("/v1/audit/export").await.expect(200);

    assert_ne!(first.position(), again.position());
    let finished = until("both have ended in the log", async || {
        let finished = harness.installation.events("operator.export_finished").await;
        if finished.len() == 2 { Ok(finished) } else { Err(finished) }
    });
    assert!(finished.await.iter().all(|event| event["complete"] == true));
    assert_eq!(harness.installation.events("operator.export_started").await.len(), 2);
}
