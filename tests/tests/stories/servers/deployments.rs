//! Deployments: named lists of steps.

use serde_json::json;

use super::set_up;

#[tokio::test]
async fn a_deployment_is_named_shown_replaced_and_removed() {
    let harness = set_up().await;
    let server = harness.register_server(22, "deploy").await;
    let path = format!("{server}/deployments");
    let steps = json!([{ "name": "pull", "command": "git pull" }]);
    let body = json!({ "name": "site", "steps": steps });
    let made = harness.ada.post(&path, body).await.expect(201);
    let deployment = made.header("location").unwrap().to_owned();

    let shown = harness.ada.get(&deployment).await.expect(200);
    assert_eq!((&shown.json()["name"], &shown.json()["steps"]), (&json!("site"), &steps));
    let two = json!([
        { "name": "pull", "command": "git pull" }, { "name": "restart", "command": "make restart" }
    ]);
    let body = json!({ "name": "site", "steps": two });
    harness.ada.put(&deployment, &shown.etag(), body.clone()).await.expect(200);
    harness.ada.put(&deployment, &shown.etag(), body.clone()).await.expect(412);
    let listed = harness.ada.get(&path).await.expect(200);
    assert_eq!(listed.json()["items"][0]["steps"], two);

    let call = harness.ada.call(reqwest::Method::DELETE, &deployment);
    call.header("If-Match", &listed.etag()).send().await.expect(204);
    harness.ada.get(&deployment).await.expect(404);
    harness.ada.put(&deployment, "*", body).await.expect(404);
}

#[tokio::test]
async fn what_does_not_fit_is_pointed_at() {
    let harness = set_up().await;
    let server = harness.register_server(22, "deploy").await;
    let path = format!("{server}/deployments");
    for steps in [
        json!([]),
        json!("pull"),
        json!([{ "name": "pull" }]),
        json!([{ "name": "pull", "command": "git pull", "user": "root" }]),
        json!([{ "name": "", "command": "git pull" }]),
    ] {
        let refused = harness.ada.post(&path, json!({ "name": "site", "steps": steps })).await;
        assert_eq!(refused.expect(422).field("/errors/0/pointer"), "/steps");
    }
}

#[tokio::test]
async fn a_body_of_the_documented_maxima_fits_and_one_byte_more_is_pointed_at() {
    let harness = set_up().await;
    let server = harness.register_server(22, "deploy").await;
    let path = format!("{server}/deployments");
    // As JSON each of these takes six bytes.
    let step = |bytes: usize| json!({ "name": "n", "command": "\u{1}".repeat(bytes - 1) });
    let full = vec![step(32 * 1024); 4];
    let body = json!({ "name": "n".repeat(100), "steps": full });
    let made = harness.ada.post(&path, &body).await.expect(201);
    let shown = harness.ada.get(made.header("location").unwrap()).await.expect(200);
    assert_eq!(shown.json()["steps"], body["steps"]);

    let more = [full, vec![step(2)]].concat();
    let over = json!({ "name": "n", "steps": more });
    let refused = harness.ada.post(&path, over).await.expect(422);
    assert_eq!(refused.field("/errors/0/pointer"), "/steps");
    assert!(refused.field("/errors/0/detail").contains("131072"), "{}", refused.text());
    let long = json!({ "name": "n", "steps": "s".repeat(1024 * 1024) });
    let refused = harness.ada.post(&path, long).await.expect(413);
    assert_eq!(refused.field("/type"), "/problems/too-large");
}
