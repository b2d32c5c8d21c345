//! What answers a write that has landed: also where what it wrote cannot be read, or is gone when it is sent again.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tests::{Answer, Client, Harness, Installation, Person, RunHarness, Sshd};

const KEY: &str = "sent-again-when-it-is-gone";

/// From now on nothing reads these read models, and they lag behind.
async fn damage(installation: &Installation) {
    let damages = "do $$ declare damaged text; begin
        for damaged in select table_name from information_schema.tables
            where table_schema = 'read_models' and table_name ~ '^(accounts|runs)(_v[0-9]+)?(_g[0-9]+)?$' loop
          execute format('alter table read_models.%I rename column position to unread', damaged);
          commit; -- a reader may hold them in another order
        end loop; end $$";
    installation.log().await.batch_execute(damages).await.unwrap();
}

#[tokio::test]
async fn a_write_whose_thing_cannot_be_read_is_answered_by_what_its_append_says() {
    let (harness, _node) = RunHarness::new().await;
    let ada = &harness.ada;
    let before = ada.get("/v1/me").await.expect(200).etag();
    damage(&harness.installation).await;
    ada.get("/v1/me").await.expect(503);

    let renamed = ada.patch("/v1/me", &before, json!({ "name": "Augusta" })).await.expect(200);
    let consents = "/v1/me/consents/product_news";
    let gives = ada.call(Method::PUT, consents).json(json!({ "policy_version": 1 }));
    let consented = gives.send().await.expect(200);
    let run =
        harness.post("runs", json!({ "command": "true", "server_ids": [harness.server] })).await;

    assert_eq!(renamed.text(), "");
    // What was given just now is known without a look-up.
    let consent = json!({ "purpose": "product_news", "given": true, "policy_version": 1 });
    assert_eq!(consented.json(), consent);
    assert_ne!(renamed.position(), consented.position());
    let stale = ada.patch("/v1/me", &renamed.etag(), json!({ "name": "Ada" })).await;
    assert_eq!(stale.expect(412).etag(), consented.etag());
    let run = run.expect(201);
    assert_eq!(run.text(), "");
    let at = run.header("location").unwrap();
    assert!(at.starts_with(&harness.path("runs/")), "{at}");
    assert!(run.header("etag").is_some() && run.position() != consented.position());
    assert_eq!(harness.installation.events("account.rectified").await.len(), 1);
    assert_eq!(harness.installation.events("run.requested").await.len(), 1);
}

#[tokio::test]
async fn a_write_is_not_kept_waiting_for_what_is_read_behind_it() {
    let harness = Harness::new().await;
    let before = harness.ada.get("/v1/me").await.expect(200).etag();
    let log = harness.installation.log().await;
    // The database would break off whoever waits for this lock after ten seconds.
    let locks = "begin; lock table read_models.accounts_v4";
    log.batch_execute(locks).await.unwrap();
    let since = Instant::now();

    let renamed = harness.ada.patch("/v1/me", &before, json!({ "name": "Augusta" })).await;

    assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
    log.batch_execute("rollback").await.unwrap();
    let renamed = renamed.expect(200);
    assert_eq!(renamed.text(), "");
    let after = harness.ada.get("/v1/me").await.expect(200);
    assert_eq!((after.field("/name"), after.etag()), ("Augusta".to_owned(), renamed.etag()));
}

/// As soon as an event of one of these types is appended, no stream can be loaded any more.
/// The trigger stays: to drop it would lock all partitions against nodes that read some of them.
async fn hide_the_log_after(installation: &Installation, event_types: &str) {
    let hides = format!(
        "create function public.hide() returns trigger language plpgsql security definer as $$ begin
          revoke select on event_log.events from lethe_app, lethe_retention;
          return null;
        end $$;
        create trigger hide after insert on event_log.events
          for each row when (new.event_type in ({event_types})) execute function public.hide()"
    );
    installation.log().await.batch_execute(&hides).await.unwrap();
}

async fn show_the_log(installation: &Installation) {
    let shows = "grant select on event_log.events to lethe_app, lethe_retention";
    installation.log().await.batch_execute(shows).await.unwrap();
}

#[tokio::test]
async fn what_has_landed_is_answered_also_where_nothing_can_be_loaded_behind_it() {
    let sshd = Sshd::start().unwrap();
    let allow = format!("127.0.0.1/32:{}", sshd.port());
    let settings = [("egress_allow", allow.as_str()), ("monitor_seconds", "0")];
    let harness = Harness::on(Installation::with(&settings).await).await;
    let bob = harness.member("bob", "admin").await;
    let server = harness.register_server(sshd.port(), sshd.user()).await;
    let installation = &harness.installation;

    let hiding = "'server.host_key_observed', 'workspace.succession_agreed'";
    hide_the_log_after(installation, hiding).await;
    let checked = harness.ada.post(&format!("{server}/check"), json!({})).await;
    show_the_log(installation).await;
    let password = json!({ "password": Person::named("bob").password });
    let agreed = bob.put(&harness.at("succession"), "*", password).await;
    show_the_log(installation).await;

    let (checked, agreed) = (checked.expect(200), agreed.expect(200));
    assert_eq!((checked.text(), agreed.text()), (String::new(), String::new()));
    assert_ne!(checked.position(), agreed.position());
    let seen = harness.ada.get(&server).await.expect(200);
    assert_eq!(seen.field("/host_key/state"), "observed");
    assert_eq!(checked.etag(), seen.etag());
    let heirs = bob.get(&harness.at("succession")).await.expect(200);
    assert_eq!(heirs.json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(agreed.etag(), heirs.etag());
}

fn assert_same(first: &Answer, again: &Answer) {
    assert_eq!(first.json(), again.json());
    assert_eq!(first.position(), again.position());
    assert_eq!(first.header("location"), again.header("location"));
}

#[tokio::test]
async fn whoever_has_joined_and_left_is_answered_as_the_first_time() {
    let harness = Harness::new().await;
    let bob = harness.person("bob").await;
    let token = harness.invite("bob@example.org", "operator").await;
    let once = bob.saying("Idempotency-Key", KEY);
    let joins = json!({ "token": token });
    let joined = once.post("/v1/invitations/accept", &joins).await.expect(200);
    let etag = harness.etag().await;
    harness.ada.patch(&harness.path, &etag, json!({ "name": "Looms" })).await.expect(200);
    let leaves = harness.at(&format!("members/{}", bob.account().await));
    bob.delete(&leaves).await.expect(204);

    let again = once.post("/v1/invitations/accept", &joins).await.expect(200);

    assert_same(&joined, &again);
    assert_eq!(again.field("/name"), "Engines", "of what came later nobody hears who has left");
    bob.get(&harness.path).await.expect(404);
}

async fn remove(client: &Client, path: &str) {
    client.call(Method::DELETE, path).header("If-Match", "*").send().await.expect(204);
}

#[tokio::test]
async fn a_server_and_a_deployment_that_are_removed_are_answered_as_the_first_time() {
    let harness = Harness::new().await;
    let once = harness.ada.saying("Idempotency-Key", KEY);
    let server = json!({ "name": "one", "host": "one.example.org", "user": "deploy" });
    let servers = harness.at("servers");
    let registers = || once.post(&servers, &server);
    let registered = registers().await.expect(201);
    let path = registered.header("location").unwrap().to_owned();
    let steps = json!({ "name": "all", "steps": [{ "name": "one", "command": "true" }] });
    let deployments = format!("{path}/deployments");
    let deploys = || once.post(&deployments, &steps);
    let created = deploys().await.expect(201);

    remove(&harness.ada, created.header("location").unwrap()).await;
    assert_same(&created, &deploys().await.expect(201));
    remove(&harness.ada, &path).await;
    assert_same(&registered, &registers().await.expect(201));
}
