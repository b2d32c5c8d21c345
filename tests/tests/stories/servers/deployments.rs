//! Deployments: named lists of steps.

use serde_json::json;

use super::Stage;

#[tokio::test]
async fn a_deployment_is_named_shown_replaced_and_removed() {
    let stage = Stage::set().await;
    let server = stage.register(22, "deploy").await;
    let path = format!("{server}/deployments");
    let steps = json!([{ "name": "pull", "command": "git pull" }]);
    let body = json!({ "name": "site", "steps": steps });
    let made = stage.ada.post(&path, body).await.expect(201);
    let deployment = made.header("location").unwrap().to_owned();

    let shown = stage.ada.get(&deployment).await.expect(200);
    assert_eq!((&shown.json()["name"], &shown.json()["steps"]), (&json!("site"), &steps));
    let two = json!([
        { "name": "pull", "command": "git pull" }, { "name": "restart", "command": "make restart" }
    ]);
    let body = json!({ "name": "site", "steps": two });
    stage.ada.put(&deployment, &shown.etag(), body.clone()).await.expect(204);
    stage.ada.put(&deployment, &shown.etag(), body.clone()).await.expect(412);
    let listed = stage.ada.get(&path).await.expect(200);
    assert_eq!(listed.json()["items"][0]["steps"], two);

    let call = stage.ada.call(reqwest::Method::DELETE, &deployment);
    call.header("If-Match", &listed.etag()).send().await.expect(204);
    stage.ada.get(&deployment).await.expect(404);
    stage.ada.put(&deployment, "*", body).await.expect(404);
}

#[tokio::test]
async fn what_does_not_fit_is_pointed_at() {
    let stage = Stage::set().await;
    let server = stage.register(22, "deploy").await;
    let path = format!("{server}/deployments");
    for steps in [
        json!([]),
        json!("pull"),
        json!([{ "name": "pull" }]),
        json!([{ "name": "pull", "command": "git pull", "user": "root" }]),
        json!([{ "name": "", "command": "git pull" }]),
    ] {
        let refused = stage.ada.post(&path, json!({ "name": "site", "steps": steps })).await;
        assert_eq!(refused.expect(422).field("/errors/0/pointer"), "/steps");
    }
}
