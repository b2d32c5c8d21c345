//! Somebody comes, proves an address, and puts a name right.

use serde_json::json;
use tests::{Installation, Person};

use super::{AccountHarness, read_at};

#[tokio::test]
async fn somebody_registers_proves_the_address_and_reads_it_back() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let (anybody, ada) = (node.client(), Person::named("ada"));

    let registered = ada.try_register(&anybody).await.expect(201);
    assert_eq!(registered.header("location"), Some("/v1/me"));
    assert_eq!(registered.etag(), "\"1\"");
    let signed_in = ada.sign_in(&anybody).await;
    let me = read_at(&signed_in, "/v1/me", &registered.position()).await;
    assert_eq!(me.field("/email"), ada.email);
    assert_eq!(me.field("/name"), ada.name);
    assert_eq!(me.field("/username"), ada.username);
    assert_eq!(me.field("/email_verified"), "false");
    assert_eq!(me.header("cache-control"), Some("no-store"));

    let token = installation.mail(&ada.email, 1).await.token().to_owned();
    let proven = anybody.post("/v1/email-verifications", json!({ "token": token })).await;
    let proven = proven.expect(204);
    let me = read_at(&signed_in, "/v1/me", &proven.position()).await;
    assert_eq!(me.field("/email_verified"), "true");
    let again = anybody.post("/v1/email-verifications", json!({ "token": token })).await;
    assert_eq!(again.expect(409).field("/type"), "/problems/already-done");
}

#[tokio::test]
async fn an_earlier_link_no_longer_works_once_another_was_sent() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let (anybody, ada) = (node.client(), Person::named("ada"));
    ada.register(&anybody).await;
    let signed_in = ada.sign_in(&anybody).await;
    let first = installation.mail(&ada.email, 1).await.token().to_owned();

    signed_in.post("/v1/me/email-verification", json!({})).await.expect(202);
    let second = installation.mail(&ada.email, 2).await.token().to_owned();

    let gone = anybody.post("/v1/email-verifications", json!({ "token": first })).await;
    assert_eq!(gone.expect(410).field("/type"), "/problems/link-gone");
    anybody.post("/v1/email-verifications", json!({ "token": second })).await.expect(204);
}

#[tokio::test]
async fn an_address_that_is_taken_is_refused_whatever_its_case() {
    let harness = AccountHarness::new().await;
    let mut other = Person::named("other");
    other.email = harness.ada.email.to_uppercase();

    let refused = other.try_register(&harness.anybody).await.expect(409);

    assert_eq!(refused.field("/type"), "/problems/address-taken");
    assert!(!refused.text().contains(&other.email));
}

#[tokio::test]
async fn a_name_is_put_right_at_the_version_that_was_read() {
    let AccountHarness { signed_in, ada, node: _node, installation: _in, .. } =
        AccountHarness::new().await;
    let me = signed_in.get("/v1/me").await.expect(200);
    let name = json!({ "name": "Ada King" });

    let call = signed_in.call("PATCH".parse().unwrap(), "/v1/me").json(&name);
    assert_eq!(call.send().await.expect(428).field("/type"), "/problems/precondition-required");
    let stale = signed_in.patch("/v1/me", "\"1\"", &name).await.expect(412);
    assert_eq!(stale.field("/type"), "/problems/precondition-failed");
    let current = stale.etag();
    let done = signed_in.patch("/v1/me", &current, &name).await.expect(200);
    signed_in.patch("/v1/me", &current, &name).await.expect(412);

    let me_now = read_at(&signed_in, "/v1/me", &done.position()).await;
    assert_eq!(me_now.field("/name"), "Ada King");
    assert_eq!(me_now.field("/username"), ada.username);
    assert_eq!(me_now.etag(), done.etag());
    assert_ne!(me_now.etag(), me.etag());
    let nothing = signed_in.patch("/v1/me", &done.etag(), json!({})).await;
    nothing.expect(422);
}

#[tokio::test]
async fn null_removes_a_username_and_no_name() {
    let harness = AccountHarness::new().await;
    let signed_in = &harness.signed_in;
    let refused = signed_in.patch("/v1/me", "*", json!({ "name": null })).await.expect(422);
    assert_eq!(refused.field("/errors/0/pointer"), "/name");

    let both = json!({ "name": "Ada King", "username": null });
    let done = signed_in.patch("/v1/me", "*", both).await.expect(200);

    let me = read_at(signed_in, "/v1/me", &done.position()).await;
    assert_eq!((me.field("/name"), me.etag()), ("Ada King".to_owned(), done.etag()));
    assert!(me.json()["username"].is_null(), "{}", me.text());
    let again = signed_in.patch("/v1/me", "*", json!({ "username": "ada.y" })).await.expect(200);
    let me = read_at(signed_in, "/v1/me", &again.position()).await;
    assert_eq!(me.field("/username"), "ada.y");
}

#[tokio::test]
async fn of_a_list_of_tags_one_has_to_match() {
    let harness = AccountHarness::new().await;
    let signed_in = &harness.signed_in;
    let name = json!({ "name": "Ada King" });
    let current = signed_in.patch("/v1/me", "*", &name).await.expect(200).etag();

    signed_in.patch("/v1/me", "\"1\", W/\"2\"", &name).await.expect(412);
    let list = format!("\"1\", {current}, \"999\"");
    signed_in.patch("/v1/me", &list, &name).await.expect(200);
    signed_in.patch("/v1/me", &list, &name).await.expect(412);
    let bad = signed_in.patch("/v1/me", "\"1\" \"2\"", &name).await.expect(400);
    assert_eq!(bad.field("/errors/0/header"), "If-Match");
}
