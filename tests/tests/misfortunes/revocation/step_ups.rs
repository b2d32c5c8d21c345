//! A password that was verified, and is another one when the events are appended.

use reqwest::Method;
use serde_json::json;
use test_support::until_waits_for_lock;
use tests::{Installation, Person, until};

/// The first hash that is stored waits for a lock.
const HOLD_FIRST_HASH: &str = "create sequence public.hashes;
    create function public.hold_first() returns trigger language plpgsql security definer as $$
        begin
            if nextval('public.hashes') = 1 then
                perform pg_advisory_xact_lock(7);
            end if;
            return new;
        end $$;
    create trigger held before insert on working.credentials
        for each row execute function public.hold_first()";

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_was_reset_meanwhile_is_not_replaced_by_who_knew_the_one_before() {
    let installation = Installation::new().await.with_failpoints();
    let node = installation.node().await;
    let ada = Person::named("ada");
    let thief = ada.settle(&node.client(), &installation).await;
    node.client().post("/v1/password-resets", json!({ "email": ada.email })).await.expect(202);
    let link = installation.mail(&ada.email, 2).await.token().to_owned();
    assert!(node.stop().await.success());
    // Without workers, which would close the session of the thief at once.
    let node = installation.api_node().await;
    let mut armed = installation.node_with(&[("failpoint", "password.changed")]).await;
    let log = installation.log().await;
    log.batch_execute(HOLD_FIRST_HASH).await.unwrap();
    log.execute("select pg_advisory_lock(7)", &[]).await.unwrap();

    let thief = thief.at(node.api());
    let body = json!({ "current": ada.password, "new": "the thief alone knows it" });
    let changes = thief.call(Method::PUT, "/v1/me/password").header("If-Match", "*").json(body);
    let changes = tokio::spawn(changes.send());
    until_waits_for_lock(&log, "working.credentials").await;
    let chosen = json!({ "token": link, "password": "the owner alone knows it" });
    let resets = armed.client().call(Method::POST, "/v1/password-resets/completions");
    let cut_short = resets.json(chosen).try_send().await;
    assert!(cut_short.is_err(), "{cut_short:?}");
    armed.ended().await;
    log.execute("select pg_advisory_unlock(7)", &[]).await.unwrap();

    let refused = changes.await.unwrap().expect(403);
    assert_eq!(refused.field("/type"), "/problems/password-wrong");
    assert_eq!(installation.events("account.password_changed").await.len(), 1);
    let owner = Person { password: "the owner alone knows it".to_owned(), ..ada };
    let node = installation.node().await;
    owner.sign_in(&node.client()).await.get("/v1/me").await.expect(200);
    until("the session of the thief is closed", async || {
        thief.at(node.api()).get("/v1/me").await.status == 401
    })
    .await;
}
