//! Every refusal says what is wrong, in one shape, and repeats nothing.

use serde_json::{Value, json};
use tests::{Answer, Installation, until};

use super::AccountHarness;

/// More than the limit lets through at once.
const TURNS: u8 = 20;

fn kind(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let shown = answer.clone().expect(status).json();
    assert_eq!(shown["status"], status);
    assert!(shown["title"].is_string() && shown["detail"].is_string());
    shown["type"].as_str().unwrap().trim_start_matches("/problems/").to_owned()
}

#[tokio::test]
async fn every_bad_body_is_a_problem_of_its_own() {
    let AccountHarness { anybody, node: _node, installation: _in, .. } =
        AccountHarness::new().await;
    let post = async |content: &str, body: &[u8]| {
        let call = anybody.call("POST".parse().unwrap(), "/v1/accounts");
        call.bytes(content, body).send().await
    };
    let json_type = "application/json";
    assert_eq!(kind(&post("text/plain", b"{}").await, 415), "content-type");
    assert_eq!(kind(&post(json_type, b"{\n  nonsense").await, 400), "bad-json");
    assert!(post(json_type, b"{\n  nonsense").await.text().contains("line 2"));
    assert_eq!(kind(&post(json_type, b"").await, 400), "bad-json");
    assert_eq!(kind(&post(json_type, b"[]").await, 422), "bad-body");
    assert_eq!(kind(&post(json_type, &vec![b' '; 64 * 1024 + 1]).await, 413), "too-large");

    let body = json!({ "email": "ada-at-home", "name": 7, "password": "short", "colour": "red" });
    let refused = post(json_type, body.to_string().as_bytes()).await;
    assert_eq!(kind(&refused, 422), "bad-body");
    let pointers: Vec<Value> = refused.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|at| at["pointer"].clone())
        .collect();
    assert_eq!(pointers, ["/email", "/name", "/password", "/colour"]);
    assert!(!refused.text().contains("ada-at-home") && !refused.text().contains("short\""));
}

#[tokio::test]
async fn a_path_or_a_method_that_does_not_exist_is_a_problem() {
    let AccountHarness { anybody, signed_in, node: _node, installation: _in, .. } =
        AccountHarness::new().await;
    assert_eq!(kind(&anybody.get("/v1/nothing").await, 404), "not-found");
    let wrong = anybody.delete("/v1/accounts").await;
    assert_eq!(kind(&wrong, 405), "method-not-allowed");
    assert_eq!(wrong.header("allow"), Some("POST"));
    let head = anybody.call("HEAD".parse().unwrap(), "/healthz").send().await.expect(200);
    assert!(head.body.is_empty());
    assert_eq!(kind(&anybody.get("/v1/me").await, 401), "unauthorised");
    let cut = anybody.bearing("ls_AAAA").get("/v1/me").await;
    assert_eq!(kind(&cut, 401), "unauthorised");
    assert_eq!(kind(&signed_in.get("/v1/me/sessions?limit=0").await, 400), "bad-query");
    assert_eq!(kind(&signed_in.get("/v1/me/sessions?colour=red").await, 400), "bad-query");
    let short =
        anybody.saying("Idempotency-Key", "with a space").post("/v1/sessions", json!({})).await;
    assert_eq!(kind(&short, 400), "bad-header");
}

#[tokio::test]
async fn every_problem_has_a_page_and_every_answer_its_headers() {
    let AccountHarness { anybody, node: _node, installation: _in, .. } =
        AccountHarness::new().await;
    let list = anybody.get("/problems").await.expect(200);
    for line in list.text().lines() {
        let path = line.split(" · ").next().unwrap();
        anybody.get(path).await.expect(200);
    }
    let answer = anybody.get("/v1/nothing").await;
    for header in ["x-request-id", "content-security-policy", "x-content-type-options"] {
        assert!(answer.header(header).is_some(), "{header} is missing");
    }
    let page = anybody.get("/docs/").await.expect(200);
    assert!(page.text().contains("swagger-ui-bundle.js"));
    assert!(!page.text().contains("//cdn") && !page.text().contains("https://"));
    let script = anybody.get("/docs/swagger-initializer.js").await.expect(200);
    assert!(script.text().contains("/v1/openapi.json"));
    assert!(anybody.get("/docs").await.status < 400);
    anybody.get("/verify-email").await.expect(200);
    let ready = until("it is ready", async || {
        let answer = anybody.get("/readyz").await;
        if answer.status == 200 { Ok(answer) } else { Err(answer.text()) }
    })
    .await;
    assert_eq!(ready.field("/ready"), "true");
    anybody.get("/healthz").await.expect(200);
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_how_long_to_wait() {
    let settings = [("sign_ins_per_minute", "2"), ("registrations_per_hour", "1")];
    let installation = Installation::with(&settings).await;
    let node = installation.node().await;
    let anybody = node.client();
    let body = json!({ "email": "ada@example.org", "password": "a password of ada" });

    let mut last = anybody.post("/v1/sessions", &body).await.expect(401);
    // However slowly each is answered.
    for _ in 0..TURNS {
        if last.status == 401 {
            last = anybody.post("/v1/sessions", &body).await;
        }
    }

    assert_eq!(kind(&last, 429), "too-many-requests");
    let wait: u64 = last.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    anybody.get("/healthz").await.expect(200);
}

#[tokio::test]
async fn the_log_of_the_node_tells_no_address_and_no_password() {
    let harness = AccountHarness::new().await;
    harness.anybody.get(&format!("/v1/nothing?email={}", harness.ada.email)).await.expect(404);
    let wrong = json!({ "email": harness.ada.email, "password": 7 });
    harness.anybody.post("/v1/sessions", wrong).await.expect(422);

    let log_text = harness.node.log_text();

    assert!(!log_text.is_empty());
    for secret in [&harness.ada.email, &harness.ada.password, &harness.ada.name, "127.0.0.1:"] {
        assert!(!log_text.contains(secret), "{secret} is in the log");
    }
}
