//! Pages of other sites: those of the origins that are listed use the API, with a token, and no others do.

use reqwest::Method;
use serde_json::json;
use tests::{Answer, Client, Harness, Person};

const LISTED: &str = "https://app.example";

fn allowed(answer: &Answer) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

/// A browser's question before a page's PATCH.
async fn preflight(client: &Client, path: &str, origin: &str) -> Answer {
    let asks = client.call(Method::OPTIONS, path).header("Origin", origin);
    let asks = asks.header("Access-Control-Request-Method", "PATCH");
    asks.header("Access-Control-Request-Headers", "authorization,if-match").send().await
}

#[tokio::test]
async fn pages_of_a_listed_origin_send_requests_and_read_the_answers_and_no_others_do() {
    let settings = [("cors_origins", "https://app.example, http://localhost:5173")];
    let harness = Harness::with(&settings).await;
    let anybody = harness.node.client();

    for origin in [LISTED, "http://localhost:5173"] {
        let asked = preflight(&anybody, &harness.path, origin).await.expect(204);
        assert_eq!(allowed(&asked), Some(origin));
        assert!(asked.header("access-control-allow-methods").unwrap().contains("PATCH"));
        let sent = asked.header("access-control-allow-headers").unwrap();
        for name in ["Authorization", "Idempotency-Key", "If-Match", "Lethe-Min-Position"] {
            assert!(sent.split(", ").any(|listed| listed == name), "{name}: {sent}");
        }
        assert!(asked.header("access-control-max-age").is_some());
        assert_eq!(asked.header("access-control-allow-credentials"), None);
        assert!(asked.body.is_empty());
    }

    let page = harness.ada.saying("Origin", LISTED);
    let renamed = page.patch(&harness.path, "*", json!({ "name": "Looms" })).await.expect(200);
    assert_eq!(allowed(&renamed), Some(LISTED));
    assert_eq!(renamed.header("vary"), Some("Origin"));
    let read = renamed.header("access-control-expose-headers").unwrap();
    for name in ["ETag", "Location", "Retry-After", "Lethe-Position"] {
        assert!(read.split(", ").any(|listed| listed == name), "{name}: {read}");
    }
    let refused = anybody.saying("Origin", LISTED).get(&harness.path).await.expect(401);
    assert_eq!(allowed(&refused), Some(LISTED), "a page reads why it was refused");

    for other in ["https://app.example.eve.example", "http://app.example", "null"] {
        let asked = preflight(&anybody, &harness.path, other).await;
        assert_ne!(asked.status, 204, "{other}");
        assert_eq!(allowed(&asked), None, "{other}");
        let answer = harness.ada.saying("Origin", other).get(&harness.path).await.expect(200);
        assert_eq!((allowed(&answer), answer.header("vary")), (None, Some("Origin")), "{other}");
    }
}

#[tokio::test]
async fn the_cookie_is_of_no_use_to_a_listed_origin() {
    let harness = Harness::with(&[("cors_origins", LISTED)]).await;
    let ada = Person::named("ada");
    let body = json!({ "email": ada.email, "password": ada.password, "kind": "browser" });
    let opened = harness.node.client().post("/v1/sessions", body).await.expect(201);
    let cookie = opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let page = harness.node.client().saying("Cookie", &cookie).saying("Origin", LISTED);

    let read = page.get("/v1/me").await;
    assert_eq!(read.header("access-control-allow-credentials"), None);
    let refused = page.patch(&harness.path, "*", json!({ "name": "Looms" })).await.expect(403);
    assert_eq!(refused.field("/type"), "/problems/foreign-origin");
}

#[tokio::test]
async fn without_a_list_no_answer_speaks_of_origins() {
    let harness = Harness::new().await;

    let asked = preflight(&harness.ada, &harness.path, LISTED).await.expect(405);
    let answer = harness.ada.saying("Origin", LISTED).get(&harness.path).await.expect(200);

    for answer in [asked, answer] {
        assert_eq!((allowed(&answer), answer.header("vary")), (None, None));
    }
}
