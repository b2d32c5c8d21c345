//! Service accounts: members without a person, which act by their tokens.

use serde_json::{Value, json};
use tests::{Answer, Client, Harness, LIMIT, Person, RunHarness, until};

use super::tokens::in_days;

/// A new service account in this role; answers its id.
async fn create(by: &Client, workspace: &str, role: &str) -> String {
    let body = json!({ "name": "deploys", "role": role });
    let path = format!("{workspace}/service-accounts");
    by.post(&path, body).await.expect(201).field("/account_id")
}

/// Answers the token's path and its secret.
async fn issue(by: &Client, workspace: &str, account: &str, scopes: &[&str]) -> (String, String) {
    let asks = json!({
        "name": "the pipeline", "scopes": scopes, "account_id": account, "expires_at": in_days(30)
    });
    let issued = by.post(&format!("{workspace}/api-tokens"), asks).await.expect(201);
    assert_eq!(issued.field("/account_id"), account);
    (issued.header("location").unwrap().to_owned(), issued.field("/token"))
}

#[tokio::test]
async fn a_service_account_is_a_member_without_a_person() {
    let harness = Harness::new().await;
    let (ada, bob) = (&harness.ada, harness.invited("bob", "viewer").await);
    let once = ada.saying("Idempotency-Key", "the-service-account");
    let body = json!({ "name": "deploys", "role": "operator" });
    let path = harness.at("service-accounts");

    let made = once.post(&path, &body).await.expect(201);

    let id = made.field("/account_id");
    let shown = json!({
        "account_id": id, "kind": "service_account", "role": "operator", "name": "deploys"
    });
    assert_eq!(made.json(), shown);
    assert_eq!(once.post(&path, &body).await.expect(201).json(), shown);
    assert_eq!(bob.get(made.header("location").unwrap()).await.expect(200).json(), shown);
    let listed = async |query: &str| {
        bob.get(&harness.at(&format!("members{query}"))).await.expect(200).json()["items"].clone()
    };
    assert_eq!(listed("?kind=service_account").await, json!([shown]));
    assert_eq!(listed("?kind=person").await.as_array().unwrap().len(), 2);
    assert_eq!(listed("").await.as_array().unwrap().len(), 3);
    let names = "members?names=true&purpose=account_administration&order=name";
    let page = ada.get(&harness.at(names)).await.expect(200).json();
    let names: Vec<_> = page["items"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["ada of Example", "bob of Example", "deploys"]);
    let opened = &harness.events("workspace.member_names_opened").await[0];
    assert_eq!(opened["count"], 2, "people only: {opened}");
    assert_eq!(ada.get(&harness.path).await.expect(200).json()["members"], 2, "people");

    let owner = json!({ "name": "deploys", "role": "owner" });
    assert_eq!(ada.post(&path, owner).await.expect(422).field("/errors/0/pointer"), "/role");
    bob.post(&path, &body).await.expect(403);
    let member = made.header("location").unwrap();
    let raised = ada.put(member, "*", json!({ "role": "owner" })).await.expect(422);
    assert_eq!(raised.field("/errors/0/pointer"), "/role");
    let changed = ada.put(member, "*", json!({ "role": "viewer" })).await.expect(200);
    assert_eq!(
        (changed.field("/role"), changed.field("/name")),
        ("viewer".into(), "deploys".into())
    );
    ada.delete(member).await.expect(204);
    bob.get(member).await.expect(404);
    assert_eq!(listed("?kind=service_account").await, json!([]));
    let log = harness.installation.log().await;
    let in_clear = "select count(*) from event_log.events where data::text like '%deploys%'";
    assert_eq!(log.query_one(in_clear, &[]).await.unwrap().get::<_, i64>(0), 0, "it is sealed");
}

#[tokio::test]
async fn its_token_works_whatever_becomes_of_its_issuer_and_ends_with_it_on_every_node() {
    let harness = Harness::new().await;
    let second = harness.installation.node().await;
    let bob = harness.invited("bob", "admin").await;
    let robot = create(&bob, &harness.path, "operator").await;
    let (token, secret) =
        issue(&bob, &harness.path, &robot, &["workspace:read", "runs:read"]).await;
    let nodes = [harness.node.client(), second.client()].map(|node| node.bearing(&secret));
    let is = async |status: u16, after: &str| {
        for node in &nodes {
            assert_eq!(node.get(&harness.path).await.status, status, "{after}");
        }
    };
    is(200, "it is issued").await;
    assert!(bob.get("/v1/me/api-tokens").await.expect(200).json()["items"] == json!([]));
    let mail = until("its issuer has a mail", async || {
        let mails = harness.installation.mails(&Person::named("bob").email);
        mails
            .into_iter()
            .find(|mail| mail.subject == "An API token of a service account was issued")
    })
    .await;
    assert!(mail.text.contains(harness.workspace_id()), "{}", mail.text);

    bob.delete("/v1/me/sessions").await.expect(200);
    is(200, "its issuer has signed out everywhere").await;
    let of_bob = harness.at(&format!("members/{}", bob.account().await));
    harness.ada.delete(&of_bob).await.expect(204);
    is(200, "its issuer has left").await;

    let rotated = harness.ada.post(&format!("{token}/rotate"), json!({})).await.expect(200);
    is(200, "another member who manages tokens has rotated it").await;
    let newer = second.client().bearing(&rotated.field("/token"));
    newer.get(&harness.path).await.expect(200);
    let of_robot = harness.at(&format!("members/{robot}"));
    harness.ada.put(&of_robot, "*", json!({ "role": "billing" })).await.expect(200);
    let refused = newer.get(&harness.at("runs")).await.expect(403);
    assert!(refused.field("/detail").contains("runs:read"), "{}", refused.text());
    harness.ada.delete(&of_robot).await.expect(204);
    is(401, "it is removed").await;
    newer.get(&harness.path).await.expect(401);
    assert_eq!(harness.events("workspace.api_token_revoked").await.len(), 1);
}

#[tokio::test]
async fn whoever_secures_an_account_is_told_which_tokens_of_service_accounts_work_on() {
    let harness = Harness::new().await;
    let mut bob = Person::named("bob");
    let signed_in = harness.invited("bob", "admin").await;
    let robot = create(&signed_in, &harness.path, "operator").await;
    let scopes = &["workspace:read"];
    let (ada_s, _) = issue(&harness.ada, &harness.path, &robot, scopes).await;
    let (rotated, _) = issue(&signed_in, &harness.path, &robot, scopes).await;
    let (revoked, _) = issue(&signed_in, &harness.path, &robot, scopes).await;
    let (bob_s, secret) = issue(&signed_in, &harness.path, &robot, scopes).await;
    // Bob's secret of the first is over, and he has one of Ada's.
    let at_once = json!({ "overlap_minutes": 0 });
    harness.ada.post(&format!("{rotated}/rotate"), &at_once).await.expect(200);
    signed_in.post(&format!("{ada_s}/rotate"), &at_once).await.expect(200);
    signed_in.delete(&revoked).await.expect(204);
    let id = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let mut stay = [id(&ada_s), id(&bob_s)];
    stay.sort();
    let are_named = |answer: &Answer| {
        let answer = answer.json();
        assert_eq!(answer["items"], json!([]));
        let named = answer["of_service_accounts"].as_array().unwrap();
        let mut ids: Vec<_> = named.iter().map(|it| it["token_id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids, stay, "{answer}");
        for token in named {
            assert_eq!(token["workspace_id"], harness.workspace_id());
            assert_eq!(token["account_id"], robot);
            assert_eq!(token["scopes"], json!(scopes));
        }
    };

    are_named(&signed_in.delete("/v1/me/sessions").await.expect(200));
    let change = json!({ "current": bob.password, "new": "another password of bob" });
    are_named(&signed_in.put("/v1/me/password", "*", change).await.expect(200));
    let anybody = harness.node.client();
    anybody.post("/v1/password-resets", json!({ "email": bob.email })).await.expect(202);
    let mails = async |subject: &str, count: usize| {
        until("the mails are there", async || {
            let mut mails = harness.installation.mails(&bob.email);
            mails.retain(|mail| mail.subject == subject);
            (mails.len() == count).then(|| mails.pop().unwrap())
        })
        .await
    };
    let link = mails("Choose a new password", 1).await;
    let chosen = json!({ "token": link.token(), "password": "a third password of bob" });
    anybody.post("/v1/password-resets/completions", chosen).await.expect(204);
    let mail = mails("Your password was changed", 2).await;
    for (token, is_named) in [(&ada_s, true), (&bob_s, true), (&rotated, false), (&revoked, false)]
    {
        assert_eq!(mail.text.contains(&id(token)), is_named, "{token}: {}", mail.text);
    }
    anybody.bearing(&secret).get(&harness.path).await.expect(200);

    bob.password = "a third password of bob".to_owned();
    let again = bob.sign_in(&anybody).await;
    again.delete(&bob_s).await.expect(204);
    again.delete(&ada_s).await.expect(204);
    again.delete("/v1/me/sessions").await.expect(204);
}

#[tokio::test]
async fn a_token_is_for_a_service_account_of_the_workspace_within_the_rights_of_both() {
    let harness = Harness::new().await;
    let bob = harness.invited("bob", "admin").await;
    let viewer = create(&bob, &harness.path, "viewer").await;
    let billing = create(&harness.ada, &harness.path, "billing").await;
    let asks = |account: &str, scope: &str| json!({ "name": "x", "scopes": [scope], "account_id": account, "expires_at": in_days(1) });
    let tokens = harness.at("api-tokens");
    let refused = async |by: &Client, body: Value, pointer: &str| {
        let refused = by.post(&tokens, body).await.expect(422);
        assert_eq!(refused.field("/errors/0/pointer"), pointer, "{}", refused.text());
    };

    let ada = harness.ada.account().await;
    refused(&bob, asks(&ada, "runs:read"), "/account_id").await;
    refused(&bob, asks("nobody", "runs:read"), "/account_id").await;
    refused(&bob, asks(&viewer, "runs:start"), "/scopes").await;
    let needs = bob.post(&tokens, asks(&billing, "billing:manage")).await.expect(403);
    assert!(needs.field("/detail").contains("billing:manage"), "{}", needs.text());
    let (token, _) = issue(&harness.ada, &harness.path, &billing, &["billing:manage"]).await;
    let needs = bob.post(&format!("{token}/rotate"), json!({})).await.expect(403);
    assert!(needs.field("/detail").contains("billing:manage"), "{}", needs.text());
    assert_eq!(harness.events("workspace.api_token_issued").await.len(), 1);
}

#[tokio::test]
async fn a_service_account_takes_a_seat_and_runs_work_and_leaves_no_seat_taken() {
    let (harness, node) = RunHarness::new().await;
    let robot = create(&harness.ada, &harness.workspace, "operator").await;
    let scopes = ["seats:lease", "seats:read", "runs:start", "runs:read"];
    let (_, secret) = issue(&harness.ada, &harness.workspace, &robot, &scopes).await;
    let token = node.client().bearing(&secret);
    let body = json!({ "command": "true", "server_ids": [harness.server] });

    let seatless = token.post_once(&harness.path("runs"), &body).await.expect(409);
    assert_eq!(seatless.field("/type"), "/problems/seat-needed");
    token.post_once(&harness.path("seat-leases"), json!({})).await.expect(201);
    let requested = token.post_once(&harness.path("runs"), &body).await.expect(201);

    let run = format!("runs/{}", requested.field("/run_id"));
    assert_eq!(harness.ended(&run, LIMIT).await["state"], "succeeded");
    let held = format!("seats?account_id={robot}");
    let leases = harness.get(&held).await.expect(200).json()["items"].as_array().unwrap().len();
    assert_eq!(leases, 1);
    harness.ada.delete(&harness.path(&format!("members/{robot}"))).await.expect(204);
    until("its seat is free", async || {
        let held = harness.get(&held).await.expect(200).json();
        (held["items"] == json!([])).then_some(())
    })
    .await;
}
