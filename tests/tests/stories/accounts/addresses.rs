//! Moving to another e-mail address.

use serde_json::json;
use tests::{Client, Person};

use super::{AccountHarness, read_at};

#[tokio::test]
async fn the_address_changes_when_the_link_sent_to_the_new_one_is_followed() {
    let harness = AccountHarness::new().await;
    let (ada, anybody, signed_in) = (&harness.ada, &harness.anybody, &harness.signed_in);
    let etag = signed_in.patch("/v1/me", "*", json!({ "name": "Ada" })).await.expect(200).etag();
    let new = json!({ "email": "ada@new.example", "password": ada.password });

    let mut wrong = new.clone();
    wrong["password"] = json!("not the password of ada");
    let refused = signed_in.put("/v1/me/email", &etag, wrong).await.expect(403);
    assert_eq!(refused.field("/type"), "/problems/password-wrong");
    signed_in.put("/v1/me/email", "\"1\"", &new).await.expect(412);
    let requested = signed_in.put("/v1/me/email", &etag, &new).await.expect(202);
    let me = read_at(signed_in, "/v1/me", &requested.position()).await;
    assert_eq!(
        (me.field("/email"), me.field("/pending_email")),
        (ada.email.clone(), "ada@new.example".to_owned(),)
    );

    let token = harness.installation.mail("ada@new.example", 1).await.token().to_owned();
    let done = anybody.post("/v1/email-changes", json!({ "token": token })).await.expect(204);
    let me = read_at(signed_in, "/v1/me", &done.position()).await;
    assert_eq!(me.field("/email"), "ada@new.example");
    assert!(me.json().get("pending_email").is_none());
    anybody.post("/v1/email-changes", json!({ "token": token })).await.expect(410);

    ada.try_sign_in(anybody).await.expect(401);
    let moved = Person { email: "ADA@new.example".to_owned(), ..ada.clone() };
    moved.sign_in(anybody).await;
    let next = Person { email: ada.email.clone(), ..Person::named("next") };
    next.register(anybody).await;
}

#[tokio::test]
async fn an_address_is_asked_for_by_two_and_goes_to_the_one_who_proves_it_first() {
    let harness = AccountHarness::new().await;
    let (ada, anybody) = (&harness.ada, &harness.anybody);
    let new = json!({ "email": "both@new.example", "password": ada.password });
    harness.signed_in.put("/v1/me/email", "*", &new).await.expect(202);
    let token = harness.installation.mail("both@new.example", 1).await.token().to_owned();
    let faster = Person { email: "both@new.example".to_owned(), ..Person::named("faster") };
    faster.register(anybody).await;

    let late = anybody.post("/v1/email-changes", json!({ "token": token })).await.expect(409);

    assert_eq!(late.field("/type"), "/problems/address-taken");
    let refused = harness.signed_in.put("/v1/me/email", "*", &new).await.expect(409);
    assert_eq!(refused.field("/type"), "/problems/address-taken");
    ada.sign_in(anybody).await;
}

const THIEFS: &str = "thief@elsewhere.example";

/// Somebody who knows the password asks for an address of their own; answers the secret of its link.
async fn park_change(harness: &AccountHarness) -> String {
    let body = json!({ "email": THIEFS, "password": harness.ada.password });
    harness.signed_in.put("/v1/me/email", "*", body).await.expect(202);
    harness.installation.mail(THIEFS, 1).await.token().to_owned()
}

async fn follow(anybody: &Client, token: &str, status: u16) {
    anybody.post("/v1/email-changes", json!({ "token": token })).await.expect(status);
}

/// The secret of the link for another password, which is mail number `count`.
async fn ask_reset(harness: &AccountHarness, count: usize) -> String {
    let body = json!({ "email": harness.ada.email });
    harness.anybody.post("/v1/password-resets", body).await.expect(202);
    let mail = harness.installation.mail(&harness.ada.email, count).await;
    assert_eq!(mail.subject, "Choose a new password");
    mail.token().to_owned()
}

#[tokio::test]
async fn the_current_address_gets_a_mail_about_a_requested_change_and_a_new_password_ends_it() {
    let harness = AccountHarness::new().await;
    let (ada, anybody) = (&harness.ada, &harness.anybody);
    let parked = park_change(&harness).await;
    let warning = harness.installation.mail(&ada.email, 2).await;
    assert_eq!(warning.subject, "Another e-mail address was asked for");
    assert!(warning.text.contains("choose a new one at once"), "{}", warning.text);
    assert!(!warning.text.contains(THIEFS), "{}", warning.text);

    let token = ask_reset(&harness, 3).await;
    let chosen = json!({ "token": token, "password": "only ada knows it" });
    let reset = anybody.post("/v1/password-resets/completions", chosen).await.expect(204);

    follow(anybody, &parked, 410).await;
    let ada = Person { password: "only ada knows it".to_owned(), ..ada.clone() };
    let back = ada.sign_in(anybody).await;
    let me = read_at(&back, "/v1/me", &reset.position()).await;
    assert_eq!(me.field("/email"), ada.email);
    assert!(me.json().get("pending_email").is_none());

    let body = json!({ "email": "other@elsewhere.example", "password": ada.password });
    back.put("/v1/me/email", "*", body).await.expect(202);
    let parked = harness.installation.mail("other@elsewhere.example", 1).await;
    let change = json!({ "current": ada.password, "new": "and this one, too" });
    back.put("/v1/me/password", "*", change).await.expect(204);
    follow(anybody, parked.token(), 410).await;
}

#[tokio::test]
async fn a_link_for_a_password_ends_when_the_address_that_it_was_sent_to_goes() {
    let harness = AccountHarness::new().await;
    let anybody = &harness.anybody;
    let reset = ask_reset(&harness, 2).await;
    let body = json!({ "email": "ada@new.example", "password": harness.ada.password });
    harness.signed_in.put("/v1/me/email", "*", body).await.expect(202);
    let mail = harness.installation.mail("ada@new.example", 1).await;
    follow(anybody, mail.token(), 204).await;

    let chosen = json!({ "token": reset, "password": "whoever reads the old mailbox" });
    let refused = anybody.post("/v1/password-resets/completions", chosen).await.expect(410);

    assert_eq!(refused.field("/type"), "/problems/link-gone");
    harness.signed_in.get("/v1/me").await.expect(200);
}

#[tokio::test]
async fn a_change_of_address_that_waits_is_seen_and_cancelled() {
    let harness = AccountHarness::new().await;
    let (anybody, signed_in) = (&harness.anybody, &harness.signed_in);
    let path = "/v1/me/email-change";
    signed_in.get(path).await.expect(404);
    signed_in.delete(path).await.expect(404);
    let body = json!({ "email": THIEFS, "password": harness.ada.password });
    let asked = signed_in.put("/v1/me/email", "*", body).await.expect(202);
    let parked = harness.installation.mail(THIEFS, 1).await.token().to_owned();

    let waits = read_at(signed_in, path, &asked.position()).await;
    assert_eq!(waits.field("/email"), THIEFS);
    let time = |name: &str| -> chrono::DateTime<chrono::Utc> { waits.field(name).parse().unwrap() };
    let lasts = time("/expires_at") - time("/requested_at");
    assert!((lasts - chrono::TimeDelta::days(1)).abs() < chrono::TimeDelta::minutes(1), "{lasts}");
    let stale = signed_in.call(reqwest::Method::DELETE, path).header("If-Match", "\"1\"");
    stale.send().await.expect(412);
    let cancel = signed_in.call(reqwest::Method::DELETE, path).header("If-Match", &waits.etag());
    let cancelled = cancel.send().await.expect(204);

    follow(anybody, &parked, 410).await;
    assert_eq!(signed_in.get_at(path, &cancelled.position()).await.status, 404);
    signed_in.delete(path).await.expect(404);
    anybody.get(path).await.expect(401);
}

#[tokio::test]
async fn a_change_of_address_whose_link_is_over_is_not_shown() {
    let harness = AccountHarness::new().await;
    let body = json!({ "email": THIEFS, "password": harness.ada.password });
    let asked = harness.signed_in.put("/v1/me/email", "*", body).await.expect(202);
    read_at(&harness.signed_in, "/v1/me/email-change", &asked.position()).await;

    // A day passes.
    let passes = "update read_models.accounts_v4
        set pending_email_until = pending_email_until - interval '1 day'";
    assert_eq!(harness.installation.log().await.execute(passes, &[]).await.unwrap(), 1);

    harness.signed_in.get("/v1/me/email-change").await.expect(404);
    let me = harness.signed_in.get("/v1/me").await.expect(200);
    assert!(me.json().get("pending_email").is_none());
}

#[tokio::test]
async fn the_case_of_ones_own_address_changes_at_once() {
    let harness = AccountHarness::new().await;
    let (ada, anybody, signed_in) = (&harness.ada, &harness.anybody, &harness.signed_in);
    let new = json!({ "email": "Ada@Example.org", "password": ada.password });

    let mut wrong = new.clone();
    wrong["password"] = json!("not the password of ada");
    signed_in.put("/v1/me/email", "*", wrong).await.expect(403);
    let done = signed_in.put("/v1/me/email", "*", &new).await.expect(200);

    let me = read_at(signed_in, "/v1/me", &done.position()).await;
    assert_eq!(
        (me.field("/email"), me.field("/email_verified")),
        ("Ada@Example.org".into(), "true".into())
    );
    assert!(me.json().get("pending_email").is_none());
    let same = signed_in.put("/v1/me/email", "*", &new).await.expect(422);
    assert_eq!(same.field("/errors/0/pointer"), "/email");
    // It is reserved as before.
    ada.sign_in(anybody).await;
    let other = Person { email: ada.email.clone(), ..Person::named("other") };
    other.try_register(anybody).await.expect(409);
}

#[tokio::test]
async fn the_case_of_an_address_that_is_not_verified_changes_by_its_link() {
    let installation = tests::Installation::new().await;
    let node = installation.node().await;
    let (anybody, ada) = (node.client(), Person::named("ada"));
    ada.register(&anybody).await;
    let signed_in = ada.sign_in(&anybody).await;
    let new = json!({ "email": "Ada@example.org", "password": ada.password });

    signed_in.put("/v1/me/email", "*", &new).await.expect(202);

    let token = installation.mail("Ada@example.org", 1).await.token().to_owned();
    let done = anybody.post("/v1/email-changes", json!({ "token": token })).await.expect(204);
    let me = read_at(&signed_in, "/v1/me", &done.position()).await;
    assert_eq!(me.field("/email_verified"), "true");
    ada.sign_in(&anybody).await;
    let other = Person { email: ada.email.clone(), ..Person::named("other") };
    other.try_register(&anybody).await.expect(409);
}
