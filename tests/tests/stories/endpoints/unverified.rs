//! Somebody whose address is not verified reads, and makes Lethe write to nobody and connect to nothing.

use reqwest::Method;
use serde_json::json;
use tests::{Installation, Person, Sshd};

use super::operation::{fresh, operations_of_workspaces};
use super::tenant::Tenant;

/// A version that no stream reaches here, so that little of what is allowed is done.
const NEVER: &str = "\"999999\"";

const NEEDS_AN_ADDRESS: &[&str] = &[
    "POST /v1/workspaces/{workspace_id}/invitations",
    "POST /v1/workspaces/{workspace_id}/service-accounts",
    "POST /v1/workspaces/{workspace_id}/servers",
    "PUT /v1/workspaces/{workspace_id}/servers/{server_id}/address",
    "POST /v1/workspaces/{workspace_id}/servers/{server_id}/check",
    "POST /v1/workspaces/{workspace_id}/servers/{server_id}/host-key/approve",
    "PUT /v1/workspaces/{workspace_id}/servers/{server_id}/credential",
    "POST /v1/workspaces/{workspace_id}/runs",
    "POST /v1/workspaces/{workspace_id}/runs/{run_id}/retry",
];

#[tokio::test]
async fn whoever_has_not_verified_the_address_reads_but_invites_nobody_and_connects_to_nothing() {
    let sshd = Sshd::start().unwrap();
    let allow = format!("127.0.0.1/32:{}", sshd.port());
    let settings = [("egress_allow", allow.as_str()), ("monitor_seconds", "0")];
    let installation = Installation::with(&settings).await;
    let node = installation.node().await;
    let client = node.client();
    let ada = Tenant::settle(&installation, &client, "ada", &sshd).await;
    let person = Person::named("bob");
    person.register(&client).await;
    let bob = person.sign_in(&client).await;
    installation.join(&ada.things["workspace_id"], &bob.account().await, "owner").await;
    let operations = operations_of_workspaces(&client).await;
    let refused = async || {
        let mut refused = Vec::new();
        for operation in &operations {
            let path = operation.filled(|name| ada.things[name].clone());
            let call = bob.call(operation.method.clone(), &path).header("If-Match", NEVER);
            let call = call.header("Idempotency-Key", &fresh());
            let answer = match operation.method {
                Method::GET => call.send().await,
                _ => call.json(json!({ "no_such_field": true })).send().await,
            };
            if answer.text().contains("/problems/address-unverified") {
                assert_eq!(answer.status, 403, "{path}");
                refused.push(operation.name());
            }
        }
        refused.sort();
        refused
    };
    let mut expected: Vec<String> = NEEDS_AN_ADDRESS.iter().map(ToString::to_string).collect();
    expected.sort();

    assert_eq!(refused().await, expected);

    person.verify(&client, &installation).await;
    assert_eq!(refused().await, Vec::<String>::new());
}
