//! Moving to another e-mail address.

use serde_json::json;
use tests::Person;

use super::{AccountHarness, read_at};

#[tokio::test]
async fn the_address_changes_when_the_link_sent_to_the_new_one_is_followed() {
    let harness = AccountHarness::new().await;
    let (ada, anybody, signed_in) = (&harness.ada, &harness.anybody, &harness.signed_in);
    let etag = signed_in.patch("/v1/me", "*", json!({ "name": "Ada" })).await.expect(204).etag();
    let new = json!({ "email": "ada@new.example", "password": ada.password });

    let mut wrong = new.clone();
    wrong["password"] = json!("not the password of ada");
    let refused = signed_in.put("/v1/me/email", &etag, wrong).await.expect(403);
    assert_eq!(refused.field("/type"), "/problems/password-wrong");
    signed_in.put("/v1/me/email", "\"1\"", &new).await.expect(412);
    let requested = signed_in.put("/v1/me/email", &etag, &new).await.expect(202);
    let me = read_at(signed_in, "/v1/me", requested.position()).await;
    assert_eq!(
        (me.field("/email"), me.field("/pending_email")),
        (ada.email.clone(), "ada@new.example".to_owned(),)
    );

    let token = harness.installation.mail("ada@new.example", 1).await.token().to_owned();
    let done = anybody.post("/v1/email-changes", json!({ "token": token })).await.expect(204);
    let me = read_at(signed_in, "/v1/me", done.position()).await;
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
