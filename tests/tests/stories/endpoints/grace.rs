//! Between a request for its deletion and the end of the grace, nothing begins in a workspace: it is read,
//! and what runs, waits or has a right there is ended.

use reqwest::Method;
use serde_json::json;
use tests::{Installation, Person, Sshd};

use super::operation::{fresh, operations_of_workspaces};
use super::tenant::Tenant;

/// What ends something, or takes a right away.
const ENDS: &[&str] = &[
    "DELETE /v1/workspaces/{workspace_id}/members/{account_id}",
    "DELETE /v1/workspaces/{workspace_id}/invitations/{invitation_id}",
    "DELETE /v1/workspaces/{workspace_id}/api-tokens/{token_id}",
    "DELETE /v1/workspaces/{workspace_id}/seat-leases/{lease_id}",
    "POST /v1/workspaces/{workspace_id}/runs/{run_id}/cancel",
];

#[tokio::test]
async fn in_the_grace_of_a_deletion_what_begins_something_is_refused_and_what_ends_something_is_not()
 {
    let sshd = Sshd::start().unwrap();
    let allow = format!("127.0.0.1/32:{}", sshd.port());
    let settings = [("egress_allow", allow.as_str()), ("monitor_seconds", "0")];
    let installation = Installation::with(&settings).await;
    let node = installation.node().await;
    let ada = Tenant::settle(&installation, &node.client(), "ada", &sshd).await;
    let workspace = format!("/v1/workspaces/{}", ada.things["workspace_id"]);
    let asks = json!({ "password": Person::named("ada").password, "grace_days": 3 });
    let delete = ada.session.call(Method::DELETE, &workspace).header("If-Match", "*");
    delete.json(asks).send().await.expect(202);

    let (mut read, mut refused, mut ended) = (0, 0, 0);
    // What is read first is not yet ended.
    let mut operations = operations_of_workspaces(&node.client()).await;
    operations.sort_by_key(|operation| operation.method != Method::GET);
    for operation in operations {
        let path = operation.filled(|name| ada.things[name].clone());
        if operation.method == Method::GET {
            let answer = ada.session.get(&path).await;
            // Some need a query.
            assert!(matches!(answer.status, 200 | 400), "{path}: {}", answer.text());
            read += 1;
        } else if path != workspace && path != format!("{workspace}/deletion") {
            let call = ada.session.call(operation.method.clone(), &path).header("If-Match", "*");
            let call = call.header("Idempotency-Key", &fresh()).json(json!({}));
            let answer = call.send().await;
            let is_refused = answer.text().contains("/problems/workspace-deleting");
            let ends = ENDS.contains(&&*operation.name());
            assert_eq!(is_refused, !ends, "{path}: {} {}", answer.status, answer.text());
            refused += usize::from(!ends);
            ended += usize::from(ends);
        }
    }
    assert!(read >= 14 && refused >= 18, "{read} read, {refused} refused");
    assert_eq!(ended, ENDS.len());
    ada.session.delete(&format!("{workspace}/deletion")).await.expect(204);
    ada.session.patch(&workspace, "*", json!({ "name": "Mills" })).await.expect(200);
}
