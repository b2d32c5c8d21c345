//! Somebody whose address is not verified reads, and makes Lethe write to nobody and connect to nothing.

use domain::workspace::Right;
use reqwest::Method;
use serde_json::json;
use tests::{Client, Installation, Person, Sshd};

use super::operation::{Operation, fresh, operations_of_workspaces};
use super::tenant::{Tenant, Things, issue_token};

/// A version that no stream reaches here, so that little of what is allowed is done.
const NEVER: &str = "\"999999\"";

/// What no token does, whoever it acts for.
const BY_PEOPLE: &[&str] = &[
    "POST /v1/workspaces/{workspace_id}/invitations",
    "POST /v1/workspaces/{workspace_id}/service-accounts",
];

/// What a token does as well as its member.
const NEEDS_AN_ADDRESS: &[&str] = &[
    "POST /v1/workspaces/{workspace_id}/servers",
    "PUT /v1/workspaces/{workspace_id}/servers/{server_id}/address",
    "POST /v1/workspaces/{workspace_id}/servers/{server_id}/check",
    "POST /v1/workspaces/{workspace_id}/servers/{server_id}/host-key/approve",
    "PUT /v1/workspaces/{workspace_id}/servers/{server_id}/credential",
    "POST /v1/workspaces/{workspace_id}/runs",
    "POST /v1/workspaces/{workspace_id}/runs/{run_id}/retry",
];

/// What is refused because no address is verified.
async fn refused(by: &Client, operations: &[Operation], things: &Things) -> Vec<String> {
    let mut refused = Vec::new();
    for operation in operations {
        let path = operation.filled(|name| things[name].clone());
        let call = by.call(operation.method.clone(), &path).header("If-Match", NEVER);
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
}

fn sorted(names: &[&[&str]]) -> Vec<String> {
    let mut sorted: Vec<String> = names.concat().iter().map(ToString::to_string).collect();
    sorted.sort();
    sorted
}

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
    let workspace = &ada.things["workspace_id"];
    installation.join(workspace, &bob.account().await, "owner").await;
    let scopes = Right::ALL.iter().filter(|right| right.is_for_tokens());
    let scopes: Vec<_> = scopes.map(|right| right.as_str()).collect();
    let (_, secret) = issue_token(&bob, &format!("/v1/workspaces/{workspace}"), &scopes).await;
    let token = client.bearing(&secret);
    let operations = operations_of_workspaces(&client).await;
    let refused = async |by: &Client| refused(by, &operations, &ada.things).await;

    assert_eq!(refused(&token).await, sorted(&[NEEDS_AN_ADDRESS]));
    assert_eq!(refused(&bob).await, sorted(&[BY_PEOPLE, NEEDS_AN_ADDRESS]));

    person.verify(&client, &installation).await;
    for by in [&token, &bob] {
        assert_eq!(refused(by).await, Vec::<String>::new());
    }
}
