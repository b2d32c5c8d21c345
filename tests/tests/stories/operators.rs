//! What an operator finds, and reads of what operators set.

use std::time::Instant;

use serde_json::{Value, json};
use tests::{Client, Harness, Installation, Person};

#[tokio::test]
async fn an_account_is_found_by_the_whole_of_its_address_and_each_answer_is_recorded() {
    let harness = Harness::new().await;
    let operator = harness.operator().await;
    let ada = harness.ada.account().await;
    let find = async |email: &str| {
        operator.post("/v1/admin/accounts/find", json!({ "email": email })).await
    };

    let found = find(&Person::named("ada").email).await.expect(200);
    assert_eq!(found.field("/account_id"), ada);
    let once = operator.saying("Idempotency-Key", "the-same-account-again");
    let again = json!({ "email": Person::named("ada").email.to_uppercase() });
    for _ in 0..2 {
        let again = once.post("/v1/admin/accounts/find", &again).await.expect(200);
        assert_eq!(again.field("/account_id"), ada);
    }
    let events = harness.events("operator.account_found").await;
    assert_eq!(events, vec![json!({ "account": ada }); 3]);

    find("ada@example.or").await.expect(404);
    find("nobody@example.org").await.expect(404);
    let bad = find("ada").await.expect(422);
    assert_eq!(bad.field("/errors/0/pointer"), "/email");
    assert_eq!(harness.events("operator.account_found").await.len(), 3);
    let missed = harness.events("operator.account_not_found").await;
    assert_eq!(missed, vec![json!({}); 2], "whose it was not is not kept");
    let auditor = harness.installation.operator_with("audit").await;
    let auditor = harness.node.client().bearing(&auditor);
    auditor.post("/v1/admin/accounts/find", again).await.expect(403);
    assert!(!harness.node.log_text().to_lowercase().contains("ada@example.org"));
}

#[tokio::test]
async fn an_operator_asks_for_thirty_addresses_a_minute_and_no_more() {
    let harness = Harness::new().await;
    let (operator, other) = (harness.operator().await, harness.operator().await);
    let find = async |by: &Client| {
        by.post("/v1/admin/accounts/find", json!({ "email": "nobody@example.org" })).await
    };
    let (mut asked, since) = (0, Instant::now());
    let refused = loop {
        let answer = find(&operator).await;
        if answer.status != 404 {
            break answer.expect(429);
        }
        asked += 1;
    };

    assert!(refused.header("retry-after").is_some());
    // One is free every two seconds.
    assert!((30..=31 + since.elapsed().as_secs() / 2).contains(&asked), "{asked}");
    find(&other).await.expect(404);
}

#[tokio::test]
async fn tokens_of_operators_are_listed_with_what_they_are_for_and_without_their_secrets() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let create = async |arguments: &[&str]| {
        let made = installation.run(&[&["token", "create"][..], arguments].concat()).await;
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        node.client().bearing(String::from_utf8(made.stdout).unwrap().trim())
    };
    let admin = create(&["--scope", "admin", "--name", "on call"]).await;
    let auditor = create(&[]).await;

    let page = admin.get("/v1/admin/tokens?limit=1").await.expect(200).json();
    let cursor = page["next"].as_str().unwrap();
    let rest = admin.get(&format!("/v1/admin/tokens?limit=1&cursor={cursor}")).await.expect(200);
    let (first, second) = (page["items"][0].clone(), rest.json()["items"][0].clone());

    assert_eq!((&first["name"], &first["scope"]), (&json!("on call"), &json!("admin")));
    assert_eq!((&second["name"], &second["scope"]), (&Value::Null, &json!("audit")));
    assert_eq!((&first["current"], &second["current"]), (&json!(true), &json!(false)));
    assert!(rest.json()["next"].is_null());
    assert!(!format!("{first}{second}").contains("lo_"));
    auditor.get("/v1/admin/tokens").await.expect(403);
    let id = second["token_id"].as_str().unwrap();
    assert!(installation.run(&["token", "revoke", id]).await.status.success());
    let listed = admin.get("/v1/admin/tokens").await.expect(200).json();
    assert!(listed["items"][1]["revoked_at"].is_string(), "{listed}");
}

#[tokio::test]
async fn an_operator_reads_the_seat_limit_that_an_operator_has_set() {
    let harness = Harness::with(&[("seat_limit_default", "3")]).await;
    let operator = harness.operator().await;
    let path = format!("/v1/admin/workspaces/{}/seat-limit", harness.workspace_id());

    let before = operator.get(&path).await.expect(200).json();
    assert_eq!(before, json!({ "limit": 3, "cause": "default" }));
    harness.set_seat_limit(&operator, 7).await;

    let after = operator.get(&path).await.expect(200).json();
    assert_eq!(after, json!({ "limit": 7, "cause": "admin" }));
    let nobodys = "/v1/admin/workspaces/00000000-0000-7000-8000-000000000000/seat-limit";
    operator.get(nobodys).await.expect(404);
    harness.ada.get(&path).await.expect(401);
}
