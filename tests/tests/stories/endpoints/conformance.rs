//! What fits the document is done, or refused for a reason that the document has, and what does not fit is answered as
//! it says: with the examples of the document, and with `LETHE_SCHEMA` (`.ci/long schema`) with whatever Schemathesis
//! draws.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use tests::{Answer, Installation, Person, Sshd, TestServer, long, schemathesis};

use super::operation::{Operation, document, fresh, operations};
use super::schema::body;
use super::tenant::Tenant;

/// Of such problems the answer says where the values are that do not fit.
const UNFIT: [&str; 3] = ["bad-body", "bad-query", "bad-header"];
/// Nothing that fits a schema is one of these.
const MALFORMED: [&str; 2] = ["bad-json", "content-type"];

/// Where a value is: of a list, the list.
fn place(error: &Value) -> Option<String> {
    let of = |kind: &str| {
        let at = error[kind].as_str()?;
        let end = at.match_indices('/').nth(1).map_or(at.len(), |(end, _)| end);
        Some(format!("{kind} {}", &at[..end]))
    };
    ["pointer", "parameter", "header"].into_iter().find_map(of)
}

fn places(errors: &Value) -> impl Iterator<Item = String> {
    errors.as_array().into_iter().flatten().map(|error| place(error).unwrap())
}

/// Where the operation says that it refuses values though its schema admits them.
fn documented(operation: &Operation, status: u16) -> BTreeSet<String> {
    let at = format!("/responses/{status}/content/application~1problem+json/examples");
    let examples = operation.spec.pointer(&at).and_then(Value::as_object);
    let examples = examples.into_iter().flat_map(Map::values);
    examples.flat_map(|example| places(&example["value"]["errors"])).collect()
}

/// Why the answer to a request that fits is none that the document has.
fn fault(operation: &Operation, answer: &Answer) -> Option<String> {
    let said = |what: &str| Some(format!("{what}: {} {}", answer.status, answer.text()));
    if operation.spec["responses"][answer.status.to_string()].is_null() {
        return said("the document does not have it");
    }
    if answer.status < 400 {
        return None;
    }
    let problem = answer.json();
    let kind = problem["type"].as_str().unwrap().trim_start_matches("/problems/");
    if MALFORMED.contains(&kind) {
        return said("it is read as something else");
    }
    let known = documented(operation, answer.status);
    let is_known = places(&problem["errors"]).all(|place| known.contains(&place));
    let says_where = problem["errors"].is_array();
    if UNFIT.contains(&kind) && !(says_where && is_known) { said("no reason") } else { None }
}

/// The example of each body is sent to what is there.
async fn send_examples(ada: &Tenant, operations: &[Operation], document: &Value) {
    let (mut sent, mut faults) = (0, vec![]);
    for operation in operations {
        let Some(schema) = body(&operation.spec).and_then(|schema| schema["$ref"].as_str()) else {
            continue;
        };
        let schema = document.pointer(schema.trim_start_matches('#')).unwrap();
        let path = operation.filled(|name| ada.things.get(name).cloned().unwrap_or_else(fresh));
        let mut call = ada.session.call(operation.method.clone(), &path).json(&schema["example"]);
        let key = fresh();
        for (name, value) in [("If-Match", "*"), ("Idempotency-Key", key.as_str())] {
            if operation.needs_header(name) {
                call = call.header(name, value);
            }
        }
        let answer = call.send().await;
        faults.extend(fault(operation, &answer).map(|it| format!("{}: {it}", operation.name())));
        sent += 1;
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(sent > 30, "{sent}");
}

/// Of each operation so many requests are drawn that fit, and as many that do not.
async fn draw(installation: &Installation, node: &TestServer, ada: &Tenant, all: &[Operation]) {
    let bob = Person::named("bob").settle(&node.client(), installation).await;
    let bob = bob.account().await;
    installation.join(&ada.things["workspace_id"], &bob, "viewer").await;
    let mut ids = ada.things.clone();
    ids.extend([
        ("account_id", bob),
        ("purpose", "product_news".to_owned()),
        ("slug", "refused".to_owned()),
    ]);
    let person = Person::named("ada");
    let sign_in = json!({ "email": person.email, "password": person.password, "kind": "client" });
    let token = ada.session.token();
    let settings = json!({ "token": token, "sign_in": sign_in, "ids": ids, "other": ada.siblings });
    let cases = if long() { 200 } else { 10 };
    schemathesis(node, "negative", cases, settings.clone()).await;
    let counts = schemathesis(node, "positive", cases, settings).await;
    let mut few = vec![];
    for operation in all {
        let statuses = counts.get(&operation.name()).cloned().unwrap_or_default();
        let count: u32 = statuses.values().sum();
        println!("{count} of {}: {statuses:?}", operation.name());
        // Where nothing but ids can differ, one request is all there is.
        let differ = body(&operation.spec).is_some() || operation.has_query();
        let least = if differ { cases } else { 1 };
        if count < least {
            few.push(operation.name());
        }
    }
    assert!(few.is_empty(), "too few requests of {}", few.join(", "));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fits_the_document_is_done_or_refused_for_a_reason_that_it_has() {
    let sshd = Sshd::start().unwrap();
    let allow = format!("127.0.0.1/32:{}", sshd.port());
    let settings = [
        ("egress_allow", allow.as_str()),
        ("monitor_seconds", "0"),
        ("seat_lease_seconds", "3600"),
    ];
    let installation = Installation::with(&settings).await;
    let node = installation.node().await;
    let client = node.client();
    let ada = Tenant::settle(&installation, &client, "ada", &sshd).await;
    let document = document(&client).await;
    let operations = operations(&document);

    if std::env::var_os("LETHE_SCHEMA").is_some() {
        draw(&installation, &node, &ada, &operations).await;
    } else {
        send_examples(&ada, &operations, &document).await;
    }

    assert!(!node.log_text().contains("panicked"), "{}", node.log_text());
    client.get("/healthz").await.expect(200);
}
