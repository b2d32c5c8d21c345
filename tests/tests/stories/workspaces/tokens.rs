//! Tokens that act for a member, in one workspace.

use chrono::TimeDelta;
use infra::clock::Clock;
use serde_json::{Value, json};
use tests::{Client, Harness, Person, create_workspace, until};

fn asks(scopes: &[&str]) -> Value {
    json!({ "name": "the loom's own", "scopes": scopes, "expires_at": in_days(30) })
}

pub fn in_days(days: i64) -> String {
    (Clock::system().now() + TimeDelta::days(days)).to_rfc3339()
}

/// A new token of whoever asks; answers its id and a client that bears it.
pub async fn issue_token(harness: &Harness, of: &Client, scopes: &[&str]) -> (String, Client) {
    let issued = of.post(&harness.at("api-tokens"), asks(scopes)).await.expect(201);
    (issued.field("/token_id"), harness.node.client().bearing(&issued.field("/token")))
}

#[tokio::test]
async fn a_token_is_shown_to_who_asked_and_does_what_its_scopes_say() {
    let harness = Harness::new().await;
    let once = harness.ada.saying("Idempotency-Key", "the-token-of-the-loom");
    let body = asks(&["workspace:read", "members:read"]);
    let issued = once.post(&harness.at("api-tokens"), &body).await.expect(201);
    let again = once.post(&harness.at("api-tokens"), &body).await.expect(201);

    assert_eq!(issued.body, again.body, "the same request has the same token");
    let secret = issued.field("/token");
    assert!(secret.starts_with("lw_"), "{secret}");
    let token = harness.node.client().bearing(&secret);
    token.get(&harness.path).await.expect(200);
    token.get(&harness.at("members")).await.expect(200);
    let renames = token.patch(&harness.path, "*", json!({ "name": "Mills" })).await.expect(403);
    assert!(renames.field("/detail").contains("workspace:manage"));
    let other = if secret.ends_with('A') { 'B' } else { 'A' };
    let mistyped = format!("{}{other}", &secret[..secret.len() - 1]);
    let mistyped = harness.node.client().bearing(&mistyped);
    mistyped.get(&harness.path).await.expect(401);

    let listed = harness.ada.get(&harness.at("api-tokens")).await.expect(200);
    assert_eq!(listed.field("/items/0/name"), "the loom's own");
    assert_eq!(listed.json()["items"][0]["scopes"], json!(["workspace:read", "members:read"]));
    assert!(listed.json()["items"][0]["last_used_at"].is_string());
    assert!(!listed.text().contains(&secret));
}

#[tokio::test]
async fn a_token_is_refused_where_it_does_not_belong() {
    let harness = Harness::new().await;
    let (_, token) =
        issue_token(&harness, &harness.ada, &["workspace:read", "workspace:manage"]).await;
    let other = create_workspace(&harness.ada, "Looms").await;

    for path in ["/v1/me", "/v1/workspaces", "/v1/me/sessions", "/v1/audit-events"] {
        token.get(path).await.expect(401);
    }
    token.post("/v1/workspaces", json!({ "name": "Mills" })).await.expect(401);
    let theirs = token.get(&other).await.expect(404).json();
    let nobodys = "/v1/workspaces/00000000-0000-7000-8000-000000000000";
    assert_eq!(theirs, token.get(nobodys).await.expect(404).json());

    token.post(&harness.at("api-tokens"), asks(&["workspace:read"])).await.expect(403);
    token.get(&harness.at("api-tokens")).await.expect(403);
    let requested = json!({ "email": "bob@example.org", "role": "viewer" });
    token.post(&harness.at("invitations"), requested).await.expect(403);
    let ada = harness.at(&format!("members/{}", harness.ada.account().await));
    token.delete(&ada).await.expect(403);
    for scope in ["tokens:manage", "members:manage", "workspace:delete"] {
        let refused = harness.ada.post(&harness.at("api-tokens"), asks(&[scope])).await.expect(422);
        assert_eq!(refused.field("/errors/0/pointer"), "/scopes");
    }
}

#[tokio::test]
async fn what_is_asked_of_a_token_must_fit() {
    let harness = Harness::new().await;
    let issue = async |body: Value| harness.ada.post(&harness.at("api-tokens"), body).await;

    issue(asks(&["workspace:rule"])).await.expect(422);
    issue(asks(&[])).await.expect(422);
    let scopes = ["workspace:read"];
    issue(json!({ "name": "x", "scopes": scopes })).await.expect(422);
    for days in [-1, 366] {
        let mut requested = json!({ "name": "x", "scopes": scopes, "expires_at": in_days(days) });
        requested["password"] = Person::named("ada").password.into();
        assert_eq!(issue(requested).await.expect(422).field("/errors/0/pointer"), "/expires_at");
    }
}

#[tokio::test]
async fn a_token_never_has_more_than_its_member_and_stops_with_the_member_on_every_node() {
    let harness = Harness::new().await;
    let second = harness.installation.node().await;
    let bob = harness.invited("bob", "admin").await;
    let id = bob.account().await;
    let (_, here) = issue_token(&harness, &bob, &["workspace:read", "workspace:manage"]).await;
    let there = second.client().bearing(here.token().unwrap());
    let renames =
        async |on: &Client| on.patch(&harness.path, "*", json!({ "name": "Mills" })).await;
    renames(&here).await.expect(200);
    renames(&there).await.expect(200);
    let of_bob = harness.at(&format!("members/{id}"));

    harness.ada.put(&of_bob, "*", json!({ "role": "viewer" })).await.expect(200);
    renames(&there).await.expect(403);
    there.get(&harness.path).await.expect(200);
    harness.ada.delete(&of_bob).await.expect(204);

    for token in [&here, &there] {
        token.get(&harness.path).await.expect(401);
    }
    let log = harness.installation.log().await;
    until("its row is gone", async || {
        log.query("select from working.api_tokens", &[]).await.unwrap().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_and_its_acts_are_its_own() {
    let harness = Harness::new().await;
    let second = harness.installation.node().await;
    let (id, token) = issue_token(&harness, &harness.ada, &["workspace:manage"]).await;
    let there = second.client().bearing(token.token().unwrap());
    let renamed = token.patch(&harness.path, "*", json!({ "name": "Mills" })).await.expect(200);
    let log = harness.installation.log().await;
    let actor = "select actor::text, session from event_log.events where position = $1";
    let position = harness.installation.position_of(&renamed).await;
    let row = log.query_one(actor, &[&position]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), id);
    assert_eq!(row.get::<_, Option<uuid::Uuid>>(1), None);

    harness.ada.delete(&harness.at(&format!("api-tokens/{id}"))).await.expect(204);

    there.patch(&harness.path, "*", json!({ "name": "Looms" })).await.expect(401);
    token.get(&harness.path).await.expect(401);
    harness.ada.delete(&harness.at(&format!("api-tokens/{id}"))).await.expect(404);
    assert_eq!(harness.ada.get(&harness.path).await.expect(200).field("/name"), "Mills");
}

/// Tokens in two workspaces, each as a client of both nodes.
async fn issue_two(harness: &Harness, ada: &Client, there: &Client) -> Vec<(String, Client)> {
    let other = create_workspace(ada, "Looms").await;
    let mut issued = Vec::new();
    for workspace in [&harness.path, &other] {
        let path = format!("{workspace}/api-tokens");
        let secret = ada.post(&path, asks(&["workspace:read"])).await.expect(201).field("/token");
        for node in [&harness.node.client(), there] {
            let token = node.bearing(&secret);
            token.get(workspace).await.expect(200);
            issued.push((workspace.clone(), token));
        }
    }
    issued
}

async fn all_are(tokens: &[(String, Client)], status: u16, after: &str) {
    for (workspace, token) in tokens {
        assert_eq!(token.get(workspace).await.status, status, "{after}");
    }
}

/// The tokens that are listed in the first workspace.
async fn listed(harness: &Harness, ada: &Client) -> usize {
    let listed = ada.get(&harness.at("api-tokens")).await.expect(200).json();
    listed["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn what_ends_everything_ends_the_tokens_on_every_node_before_its_answer() {
    let harness = Harness::new().await;
    let second = harness.installation.node().await;
    let (anybody, there) = (harness.node.client(), second.client());
    let mut ada = Person::named("ada");
    let desk = &harness.ada;

    let tokens = issue_two(&harness, desk, &there).await;
    let change = json!({ "current": ada.password, "new": "another password of ada" });
    desk.put("/v1/me/password", "*", change).await.expect(204);
    all_are(&tokens, 401, "a new password").await;
    assert_eq!(listed(&harness, desk).await, 0);
    ada.password = "another password of ada".to_owned();

    let tokens = issue_two(&harness, desk, &there).await;
    desk.delete("/v1/me/sessions").await.expect(204);
    all_are(&tokens, 401, "sign-out everywhere").await;
    assert_eq!(listed(&harness, desk).await, 0);

    let tokens = issue_two(&harness, desk, &there).await;
    anybody.post("/v1/password-resets", json!({ "email": ada.email })).await.expect(202);
    let link = until("the link is mailed", async || {
        let mails = harness.installation.mails(&ada.email);
        mails.into_iter().find(|mail| mail.subject == "Choose a new password")
    })
    .await;
    ada.password = "a third password of ada".to_owned();
    let chosen = json!({ "token": link.token(), "password": ada.password });
    anybody.post("/v1/password-resets/completions", chosen).await.expect(204);
    all_are(&tokens, 401, "a password by mail").await;
    let desk = ada.sign_in(&anybody).await;
    assert_eq!(listed(&harness, &desk).await, 0);

    let tokens = issue_two(&harness, &desk, &there).await;
    desk.ask_for_erasure(json!({ "password": ada.password, "grace_days": 3 })).await.expect(202);
    all_are(&tokens, 401, "a request for erasure").await;

    let revoked = harness.events("workspace.api_token_revoked").await;
    assert_eq!(revoked.len(), 8, "two of each way");
}

#[tokio::test]
async fn tokens_stay_where_that_is_asked_for_and_the_answer_lists_them() {
    let harness = Harness::new().await;
    let ada = Person::named("ada");
    let (id, token) = issue_token(&harness, &harness.ada, &["workspace:read"]).await;
    let change = json!({ "current": ada.password, "new": "another password of ada" });
    let mut keeps = change.clone();
    keeps["keep_api_tokens"] = json!(true);
    let mut wrong = change;
    wrong["keep_api_tokens"] = json!("yes");
    let wrong = harness.ada.put("/v1/me/password", "*", wrong).await.expect(422);
    assert_eq!(wrong.field("/errors/0/pointer"), "/keep_api_tokens");

    let once = harness.ada.saying("Idempotency-Key", "keeps-the-api-tokens");
    let answers = [
        once.put("/v1/me/password", "*", &keeps).await.expect(200),
        once.put("/v1/me/password", "*", &keeps).await.expect(200),
        harness.ada.delete("/v1/me/sessions?keep_api_tokens=true").await.expect(200),
    ];

    for answer in answers {
        assert_eq!(answer.field("/items/0/token_id"), id);
        assert_eq!(answer.field("/items/0/workspace_id"), harness.workspace_id());
        assert_eq!(answer.field("/items/0/name"), "the loom's own");
        assert!(answer.json()["items"].as_array().unwrap().len() == 1);
    }
    token.get(&harness.path).await.expect(200);
    harness.ada.delete("/v1/me/sessions?keep_api_tokens=maybe").await.expect(400);
}

#[tokio::test]
async fn a_token_of_somebody_else_stays() {
    let harness = Harness::new().await;
    let bob = harness.invited("bob", "admin").await;
    let (_, of_bob) = issue_token(&harness, &bob, &["workspace:read"]).await;
    let (_, of_ada) = issue_token(&harness, &harness.ada, &["workspace:read"]).await;

    harness.ada.delete("/v1/me/sessions").await.expect(204);

    of_ada.get(&harness.path).await.expect(401);
    of_bob.get(&harness.path).await.expect(200);
}

/// As many as are answered, whoever is faster.
const AT_ONCE: usize = 64;

#[tokio::test]
async fn the_same_token_asked_for_many_times_at_once_on_two_nodes_is_one_that_works() {
    let harness = Harness::new().await;
    let second = harness.installation.node().await;
    let once = harness.ada.saying("Idempotency-Key", "the-token-of-the-loom");
    let nodes = [once.clone(), once.at(second.api())];
    let (path, body) = (harness.at("api-tokens"), asks(&["workspace:read"]));

    let asked = (0..AT_ONCE).map(|turn| nodes[turn % 2].post(&path, &body));
    let answers = futures_util::future::join_all(asked).await;

    let (issued, waits): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 201);
    for answer in &waits {
        assert_eq!((answer.status, answer.field("/type").as_str()), (409, "/problems/in-flight"));
    }
    assert!(issued.len() > 1, "{waits:?}");
    for answer in &issued {
        assert_eq!(answer.body, issued[0].body);
    }
    for node in [&harness.node, &second] {
        let token = node.client().bearing(&issued[0].field("/token"));
        token.get(&harness.path).await.expect(200);
    }
    assert_eq!(harness.installation.events("workspace.api_token_issued").await.len(), 1);
    let log = harness.installation.log().await;
    until("its row is named", async || {
        let named = "select from working.api_tokens where named";
        (log.query(named, &[]).await.unwrap().len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_request_for_a_token_that_comes_again_after_its_end_shows_none() {
    let harness = Harness::new().await;
    let once = harness.ada.saying("Idempotency-Key", "the-token-of-the-loom");
    let (path, body) = (harness.at("api-tokens"), asks(&["workspace:read"]));
    let issued = once.post(&path, &body).await.expect(201);
    let id = issued.field("/token_id");
    harness.ada.delete(&harness.at(&format!("api-tokens/{id}"))).await.expect(204);

    let again = once.post(&path, &body).await.expect(201);

    assert_eq!(again.field("/token_id"), id);
    assert_eq!((again.field("/name"), again.etag()), (issued.field("/name"), issued.etag()));
    assert!(again.json().get("token").is_none());
    let other = once.post(&path, asks(&["members:read"])).await.expect(422);
    assert_eq!(other.field("/type"), "/problems/idempotency-key-reused");
}

#[tokio::test]
async fn a_token_needs_the_password_in_an_old_session_and_for_more_than_90_days() {
    let harness = Harness::new().await;
    let second = harness.installation.node().await;
    let path = harness.at("api-tokens");
    let password = Person::named("ada").password;
    let asked = |days: i64, password: Option<&str>| {
        let mut body = json!({ "name": "x", "scopes": ["runs:read"], "expires_at": in_days(days) });
        if let Some(password) = password {
            body["password"] = password.into();
        }
        body
    };
    harness.ada.post(&path, asked(89, None)).await.expect(201);
    let needed = harness.ada.post(&path, asked(91, None)).await.expect(403);
    assert_eq!(needed.field("/type"), "/problems/password-needed");
    let once = harness.ada.saying("Idempotency-Key", "of-a-year");
    let long = once.post(&path, asked(365, Some(&password))).await.expect(201);

    let database = harness.installation.log().await;
    let older = "update working.sessions set opened_at = opened_at - interval '11 minutes'";
    assert!(database.execute(older, &[]).await.unwrap() > 0);
    // It has not looked at the session yet.
    let ada = harness.ada.at(second.api());
    let needed = ada.post(&path, asked(1, None)).await.expect(403);
    assert_eq!(needed.field("/type"), "/problems/password-needed");
    let wrong = ada.post(&path, asked(1, Some("not hers at all"))).await.expect(403);
    assert_eq!(wrong.field("/type"), "/problems/password-wrong");
    ada.post(&path, asked(1, Some(&password))).await.expect(201);
    assert_eq!(harness.installation.events("workspace.api_token_issued").await.len(), 3);
    let listed = ada.get("/v1/me/api-tokens").await.expect(200).json();
    let tokens = listed["items"].as_array().unwrap();
    assert_eq!(tokens.len(), 3);
    assert_eq!(tokens[1]["token_id"], long.json()["token_id"]);
    assert_eq!(tokens[1]["scopes"], json!(["runs:read"]));
    assert_eq!(tokens[1]["name"], "x");
}
