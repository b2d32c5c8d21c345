//! Between a request for its deletion and the end of the grace, a workspace and all that is in it is
//! only read.

use reqwest::Method;
use serde_json::json;
use tests::{Installation, Person, Sshd};

use super::operation::{fresh, operations_of_workspaces};
use super::tenant::Tenant;

#[tokio::test]
async fn in_the_grace_of_a_deletion_every_change_is_refused_but_its_cancellation() {
    let sshd = Sshd::start().unwrap();
    let allow = format!("127.0.0.1/32:{}", sshd.port());
    let settings = [("egress_allow", allow.as_str()), ("monitor_seconds", "0")];
    let installation = Installation::with(&settings).await;
    let node = installation.node().await;
    let ada = Tenant::settle(&installation, &node.client(), "ada", &sshd).await;
    let workspace = format!("/v1/workspaces/{}", ada.things["workspace"]);
    let asks = json!({ "password": Person::named("ada").password, "grace_days": 3 });
    let delete = ada.session.call(Method::DELETE, &workspace).header("If-Match", "*");
    delete.json(asks).send().await.expect(202);

    let (mut read, mut refused) = (0, 0);
    for operation in operations_of_workspaces(&node.client()).await {
        let path = operation.filled(|name| ada.things[name].clone());
        if operation.method == Method::GET {
            let answer = ada.session.get(&path).await;
            // Some need a query.
            assert!(matches!(answer.status, 200 | 400), "{path}: {}", answer.text());
            read += 1;
        } else if path != workspace && path != format!("{workspace}/deletion") {
            let call = ada.session.call(operation.method.clone(), &path).header("If-Match", "*");
            let call = call.header("Idempotency-Key", &fresh()).json(json!({}));
            let answer = call.send().await.expect(409);
            assert_eq!(answer.field("/type"), "/problems/workspace-deleting", "{path}");
            refused += 1;
        }
    }
    assert!(read >= 14 && refused >= 20, "{read} read, {refused} refused");
    ada.session.delete(&format!("{workspace}/deletion")).await.expect(204);
    ada.session.patch(&workspace, "*", json!({ "name": "Mills" })).await.expect(204);
}
