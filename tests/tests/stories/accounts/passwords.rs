//! Changing a password, and choosing another when it is lost.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tests::{Installation, Person};

use super::{AccountHarness, causes_of_closing};

#[tokio::test]
async fn a_new_password_signs_out_everywhere_else() {
    let harness = AccountHarness::new().await;
    let (ada, anybody, desk) = (&harness.ada, &harness.anybody, &harness.signed_in);
    let phone = ada.sign_in(anybody).await;
    let change = json!({ "current": ada.password, "new": "quite another password" });

    let mut wrong = change.clone();
    wrong["current"] = json!("not the password of ada");
    desk.put("/v1/me/password", "*", wrong).await.expect(403);
    desk.put("/v1/me/password", "\"1\"", &change).await.expect(412);
    desk.put("/v1/me/password", "*", json!({ "current": ada.password, "new": "short" }))
        .await
        .expect(422);
    desk.put("/v1/me/password", "*", &change).await.expect(204);

    phone.get("/v1/me").await.expect(401);
    desk.get("/v1/me").await.expect(200);
    ada.try_sign_in(anybody).await.expect(401);
    let changed = Person { password: "quite another password".to_owned(), ..ada.clone() };
    changed.sign_in(anybody).await;
}

#[tokio::test]
async fn a_session_that_a_new_password_closes_names_the_change_as_its_cause() {
    // Without workers: the session closer would close the session, too, and name the right cause.
    let installation = Installation::new().await;
    let api = installation.api_node().await;
    let ada = Person::named("ada");
    ada.register(&api.client()).await;
    let (desk, _phone) = (ada.sign_in(&api.client()).await, ada.sign_in(&api.client()).await);

    let change = json!({ "current": ada.password, "new": "quite another password" });
    // Nor is there a trail, so that nobody knows which tokens of service accounts stay.
    desk.put("/v1/me/password", "*", &change).await.expect(200);

    let causes = causes_of_closing(&installation).await;
    assert!(!causes.is_empty());
    for cause in causes {
        assert_eq!(cause.as_deref(), Some("account.password_changed"));
    }
}

#[tokio::test]
async fn a_lost_password_is_replaced_by_a_link_that_works_once() {
    let harness = AccountHarness::new().await;
    let (ada, anybody) = (&harness.ada, &harness.anybody);

    let requested = anybody.post("/v1/password-resets", json!({ "email": ada.email })).await;
    let unknown = json!({ "email": "nobody@example.org" });
    let unknown = anybody.post("/v1/password-resets", unknown).await.expect(202);
    let requested = requested.expect(202);
    assert_eq!(requested.body, unknown.body);
    assert_eq!(requested.header("lethe-position"), None);
    assert_eq!(requested.header("etag"), None);

    let token = harness.installation.mail(&ada.email, 2).await.token().to_owned();
    let choose = json!({ "token": token, "password": "quite another password" });
    anybody.post("/v1/password-resets/completions", &choose).await.expect(204);
    let again = anybody.post("/v1/password-resets/completions", &choose).await.expect(410);
    assert_eq!(again.field("/type"), "/problems/link-gone");
    harness.signed_in.get("/v1/me").await.expect(401);
    let changed = Person { password: "quite another password".to_owned(), ..ada.clone() };
    changed.sign_in(anybody).await;
}

#[tokio::test]
async fn a_link_for_one_thing_does_not_do_another() {
    let harness = AccountHarness::new().await;
    let (ada, anybody) = (&harness.ada, &harness.anybody);
    anybody.post("/v1/password-resets", json!({ "email": ada.email })).await.expect(202);
    let token = harness.installation.mail(&ada.email, 2).await.token().to_owned();

    for path in ["/v1/email-verifications", "/v1/email-changes"] {
        let refused = anybody.post(path, json!({ "token": token })).await.expect(400);
        assert_eq!(refused.field("/type"), "/problems/link-invalid");
    }
}

/// How many rows of hashes were ever written: a hash is computed right before its row is.
async fn count_hashes(installation: &Installation) -> i64 {
    let log = installation.log().await;
    let row = log.query_one("select last_value - 1 from public.hashes", &[]).await.unwrap();
    row.get(0)
}

#[tokio::test]
async fn a_link_that_is_over_costs_no_hash_and_no_row() {
    let harness = AccountHarness::new().await;
    let (ada, anybody) = (&harness.ada, &harness.anybody);
    let counts = "create sequence public.hashes minvalue 1;
        select nextval('public.hashes');
        create function public.count_hashes() returns trigger language plpgsql security definer
            as $$ begin perform nextval('public.hashes'); return null; end $$;
        create trigger counted after insert on working.credentials
            for each row execute function public.count_hashes()";
    harness.installation.log().await.batch_execute(counts).await.unwrap();
    anybody.post("/v1/password-resets", json!({ "email": ada.email })).await.expect(202);
    let token = harness.installation.mail(&ada.email, 2).await.token().to_owned();
    let choose = json!({ "token": token, "password": "quite another password" });
    anybody.post("/v1/password-resets/completions", &choose).await.expect(204);
    // A control: what is done writes one, and again once it is named.
    let before = count_hashes(&harness.installation).await;
    assert!(before >= 1, "{before}");

    for _ in 0..50 {
        anybody.post("/v1/password-resets/completions", &choose).await.expect(410);
    }

    assert_eq!(count_hashes(&harness.installation).await, before);
}

/// The same token, as it would be had it been made that many days before.
fn aged(token: &str, days: u32) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    let day = u32::from_be_bytes(bytes[32..36].try_into().unwrap());
    bytes[32..36].copy_from_slice(&(day - days).to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn a_link_that_is_over_says_so_however_old_it_is() {
    let harness = AccountHarness::new().await;
    let (ada, anybody) = (&harness.ada, &harness.anybody);
    let token = harness.installation.mail(&ada.email, 1).await.token().to_owned();

    for (days, status, kind) in [
        (1, 400, "link-invalid"),
        (8, 400, "link-invalid"),
        (9, 410, "link-gone"),
        (3_650, 410, "link-gone"),
    ] {
        let body = json!({ "token": aged(&token, days) });
        let refused = anybody.post("/v1/email-verifications", body).await.expect(status);
        assert_eq!(refused.field("/type"), format!("/problems/{kind}"), "{days} days");
    }
}
