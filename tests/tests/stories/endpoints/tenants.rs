//! What one workspace has, another cannot see, count or infer: every route of the document, asked
//! with another's ids and tokens, answers as if nothing were there.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::json;
use tests::{Answer, Client, Installation, Sshd};

use super::operation::{Operation, fresh, names, operations_of_workspaces};
use super::tenant::{Tenant, Things};

/// A version that nothing reaches here, so that what is allowed is not done.
const NEVER: &str = "\"999999\"";

async fn send(by: &Client, method: &Method, path: &str, if_match: &str) -> Answer {
    let call = by.call(method.clone(), path).header("If-Match", if_match);
    let call = call.header("Idempotency-Key", &fresh());
    if *method == Method::GET { call.send().await } else { call.json(json!({})).send().await }
}

/// What differs between two equal answers: the time, the number of the request, and whether actix closes
/// the connection, which it does where it answers before the last byte of the body has come.
const DIFFERS: [&str; 3] = ["date", "x-request-id", "connection"];

/// All that an answer says, but for what differs anyway.
fn seen(answer: &Answer) -> (u16, BTreeMap<String, String>, String) {
    let headers = answer.headers.iter().filter(|(name, _)| !DIFFERS.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), format!("{value:?}")));
    (answer.status, headers.collect(), answer.text())
}

/// The thing of this name; for the workspace that of `own`.
fn of<'a>(own: &'a Things, other: &'a Things) -> impl Fn(&str) -> String + 'a {
    move |name| {
        let things = if name == "workspace_id" { own } else { other };
        let id = things.get(name);
        id.unwrap_or_else(|| panic!("this test does not know what {name} is")).clone()
    }
}

/// The same things but for one, which is another set's.
fn swapped<'a>(
    things: &'a Things,
    other: &'a Things,
    one: &'a str,
) -> impl Fn(&str) -> String + 'a {
    move |name| if name == one { other[name].clone() } else { things[name].clone() }
}

#[tokio::test]
async fn whatever_is_another_tenants_is_not_there_and_nothing_tells_it_from_nothing() {
    let sshd = Sshd::start().unwrap();
    let allow = format!("127.0.0.1/32:{}", sshd.port());
    let settings = [("egress_allow", allow.as_str()), ("seat_lease_seconds", "3600")];
    let installation = Installation::with(&settings).await;
    let node = installation.node().await;
    let client = node.client();
    let ada = Tenant::settle(&installation, &client, "ada", &sshd).await;
    let eve = Tenant::settle(&installation, &client, "eve", &sshd).await;
    let operations = operations_of_workspaces(&client).await;
    let nowhere = format!("/v1/workspaces/{}", fresh());
    let nothing = seen(&send(&eve.session, &Method::GET, &nowhere, "*").await);

    let (mut asked, mut mixed) = (BTreeSet::new(), 0);
    for operation in &operations {
        let Operation { method, path, .. } = operation;
        let hers = operation.filled(of(&ada.things, &ada.things));
        let mut tries = vec![
            ("her session at the other's", &eve.session, hers.clone()),
            ("her token at the other's", &eve.token, hers),
        ];
        let below: Vec<&str> = names(path).filter(|name| *name != "workspace_id").collect();
        if !below.is_empty() {
            let others = operation.filled(of(&eve.things, &ada.things));
            tries.push(("the other's ids in her own", &eve.session, others.clone()));
            // It lacks most rights: what is not there is not there before a right is.
            tries.push(("the other's ids in her own, by her token", &eve.token, others));
            let unused = |name: &str| match name {
                "workspace_id" => eve.things["workspace_id"].clone(),
                _ => fresh(),
            };
            tries.push(("ids of nothing in her own", &eve.session, operation.filled(unused)));
        }
        if below.len() > 1 {
            for one in below {
                let others = operation.filled(swapped(&eve.things, &ada.things, one));
                tries.push(("one id of the other's", &eve.session, others));
                let siblings = operation.filled(swapped(&eve.things, &eve.siblings, one));
                tries.push(("one id of another of her own", &eve.session, siblings.clone()));
                tries.push(("the same, by her token", &eve.token, siblings));
                mixed += 2;
            }
        }
        for (what, by, path) in tries {
            let answer = seen(&send(by, method, &path, "*").await);
            assert_eq!(answer, nothing, "{what}: {method} {path}");
            asked.insert((method.to_string(), path));
        }
    }
    assert!(asked.len() >= operations.len());
    assert!(mixed >= 16, "{mixed} requests with ids that do not belong together");

    // The control: to Ada all of it is there, but for a deletion that she has not asked for.
    let others = operations.iter().filter(|operation| !operation.path.ends_with("/deletion"));
    // What is read first is not yet ended.
    let (reads, writes): (Vec<_>, Vec<_>) =
        others.partition(|operation| operation.method == Method::GET);
    for operation in reads.into_iter().chain(writes) {
        let path = operation.filled(of(&ada.things, &ada.things));
        let answer = send(&ada.session, &operation.method, &path, NEVER).await;
        assert!(!matches!(answer.status, 401 | 403 | 404), "{path}: {}", answer.text());
    }
}
