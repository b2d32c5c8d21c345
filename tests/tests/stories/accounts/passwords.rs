//! Changing a password, and choosing another when it is lost.

use serde_json::json;
use tests::Person;

use super::{Stage, causes_of_closing};

#[tokio::test]
async fn a_new_password_signs_out_everywhere_else() {
    let stage = Stage::set().await;
    let (ada, anybody, desk) = (&stage.ada, &stage.anybody, &stage.signed_in);
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
    let stage = Stage::set().await;
    stage.ada.sign_in(&stage.anybody).await;

    let change = json!({ "current": stage.ada.password, "new": "quite another password" });
    stage.signed_in.put("/v1/me/password", "*", &change).await.expect(204);

    let causes = causes_of_closing(&stage.installation).await;
    assert!(!causes.is_empty());
    for cause in causes {
        assert_eq!(cause.as_deref(), Some("account.password_changed"));
    }
}

#[tokio::test]
async fn a_lost_password_is_replaced_by_a_link_that_works_once() {
    let stage = Stage::set().await;
    let (ada, anybody) = (&stage.ada, &stage.anybody);

    let asked = anybody.post("/v1/password-resets", json!({ "email": ada.email })).await;
    let unknown = json!({ "email": "nobody@example.org" });
    let unknown = anybody.post("/v1/password-resets", unknown).await.expect(202);
    let asked = asked.expect(202);
    assert_eq!(asked.body, unknown.body);
    assert_eq!(asked.header("lethe-position"), None);
    assert_eq!(asked.header("etag"), None);

    let token = stage.installation.mail(&ada.email, 2).await.token().to_owned();
    let choose = json!({ "token": token, "password": "quite another password" });
    anybody.post("/v1/password-resets/completions", &choose).await.expect(204);
    let again = anybody.post("/v1/password-resets/completions", &choose).await.expect(410);
    assert_eq!(again.field("/type"), "/problems/link-gone");
    stage.signed_in.get("/v1/me").await.expect(401);
    let changed = Person { password: "quite another password".to_owned(), ..ada.clone() };
    changed.sign_in(anybody).await;
}

#[tokio::test]
async fn a_link_for_one_thing_does_not_do_another() {
    let stage = Stage::set().await;
    let (ada, anybody) = (&stage.ada, &stage.anybody);
    anybody.post("/v1/password-resets", json!({ "email": ada.email })).await.expect(202);
    let token = stage.installation.mail(&ada.email, 2).await.token().to_owned();

    for path in ["/v1/email-verifications", "/v1/email-changes"] {
        let refused = anybody.post(path, json!({ "token": token })).await.expect(400);
        assert_eq!(refused.field("/type"), "/problems/link-invalid");
    }
}
