//! What somebody agrees to, and takes back.

use serde_json::json;

use super::{AccountHarness, read_at};

#[tokio::test]
async fn consent_is_given_and_withdrawn_purpose_by_purpose() {
    let AccountHarness { signed_in, node: _node, installation: _in, .. } =
        AccountHarness::new().await;
    let path = "/v1/me/consents/product_news";

    let given = signed_in.put(path, "*", json!({ "policy_version": 3 })).await.expect(200);
    let listed = read_at(&signed_in, "/v1/me/consents", &given.position()).await.json();
    let news = json!({ "purpose": "product_news", "given": true, "policy_version": 3 });
    assert_eq!(listed["items"][1], news);
    assert_eq!(listed["items"][0], json!({ "purpose": "usage_analysis", "given": false }));
    let again = signed_in.put(path, "*", json!({ "policy_version": 3 })).await.expect(200);
    assert_eq!((again.etag(), again.header("lethe-position")), (given.etag(), None));

    let withdrawn = signed_in.delete(path).await.expect(204);
    let listed = read_at(&signed_in, "/v1/me/consents", &withdrawn.position()).await.json();
    assert_eq!(listed["items"][1]["given"], false);
    let stale = signed_in.put(path, "\"1\"", json!({ "policy_version": 4 })).await;
    stale.expect(412);
}

#[tokio::test]
async fn what_does_not_rest_on_consent_is_not_agreed_to() {
    let AccountHarness { signed_in, node: _node, installation: _in, .. } =
        AccountHarness::new().await;
    let give = async |purpose: &str| {
        let path = format!("/v1/me/consents/{purpose}");
        signed_in.put(&path, "*", json!({ "policy_version": 1 })).await
    };
    let refused = give("authentication").await.expect(422);
    assert_eq!(refused.field("/type"), "/problems/not-by-consent");
    let unknown = give("world_domination").await.expect(404);
    for purpose in ["usage_analysis", "product_news"] {
        assert!(unknown.field("/detail").contains(purpose), "{}", unknown.text());
    }
}
