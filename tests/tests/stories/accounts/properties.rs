//! Whatever is sent, wherever it is sent: never a mistake of ours, never a panic.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use reqwest::Method;
use serde_json::{Value, json};
use tests::Client;

use super::AccountHarness;

const CASES: u32 = 12;

/// An operation of the document: where, how, and the names of the fields it takes.
struct Operation {
    method: Method,
    path: String,
    fields: Vec<String>,
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut found = vec![];
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let name = schema.as_str().and_then(|at| at.rsplit('/').next()).unwrap_or_default();
            let properties = document["components"]["schemas"][name]["properties"].as_object();
            let fields = properties.map(|map| map.keys().cloned().collect()).unwrap_or_default();
            found.push(Operation { method, path: path.clone(), fields });
        }
    }
    found
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,40}".prop_map(Value::from),
        Just(json!("ada@example.org")),
        Just(json!("a password of ada")),
        Just(json!("\u{0}")),
        "[a-z]{300}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{0,6}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// A body with some of the fields that are known there, and some that are not; or any bytes.
fn body(fields: Vec<String>) -> impl Strategy<Value = Vec<u8>> {
    let known = if fields.is_empty() { vec!["x".to_owned()] } else { fields };
    let name = prop_oneof![4 => proptest::sample::select(known), 1 => ".{0,12}"];
    let object = proptest::collection::btree_map(name, value(), 0..6)
        .prop_map(|map: BTreeMap<String, Value>| json!(map).to_string().into_bytes());
    let bytes = proptest::collection::vec(any::<u8>(), 0..120);
    prop_oneof![6 => object, 1 => value().prop_map(|any| any.to_string().into_bytes()), 1 => bytes]
}

fn header() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,40}", Just("\"1\"".to_owned()), Just("*".to_owned()), "[0-9]{1,25}"]
}

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9_.~-]{1,40}",
        "(%[0-9A-F]{2}){1,12}",
        Just("product_news".to_owned()),
        Just("00000000-0000-0000-0000-000000000001".to_owned()),
    ]
}

#[derive(Clone, Debug)]
struct Sent {
    body: Vec<u8>,
    segments: Vec<String>,
    query: String,
    headers: Vec<(&'static str, String)>,
    bears: u8,
    token: String,
}

fn sent(fields: Vec<String>) -> impl Strategy<Value = Sent> {
    let names =
        ["If-Match", "Idempotency-Key", "Lethe-Min-Position", "Origin", "Cookie", "User-Agent"];
    let names = proptest::sample::select(names.to_vec());
    let query = "(limit|cursor|after|tenant|type|from|x)=[a-zA-Z0-9_%.-]{0,40}";
    (
        body(fields),
        proptest::collection::vec(segment(), 4),
        prop_oneof![Just(String::new()), query],
        proptest::collection::vec((names, header()), 0..4),
        0..4u8,
        "l[sow]_[A-Za-z0-9_-]{0,60}",
    )
        .prop_map(|(body, segments, query, headers, bears, token)| Sent {
            body,
            segments,
            query,
            headers,
            bears,
            token,
        })
}

async fn send(clients: &[Client; 3], operation: &Operation, sent: Sent) -> tests::Answer {
    let mut path = String::new();
    let mut segments = sent.segments.iter();
    for part in operation.path.split('/').skip(1) {
        let filled = if part.starts_with('{') { segments.next().unwrap() } else { part };
        path = format!("{path}/{filled}");
    }
    if !sent.query.is_empty() {
        path = format!("{path}?{}", sent.query);
    }
    let client = clients.get(usize::from(sent.bears));
    let client = client.cloned().unwrap_or_else(|| clients[0].bearing(&sent.token));
    let mut call = client.call(operation.method.clone(), &path);
    for (name, value) in &sent.headers {
        call = call.header(name, value);
    }
    call.bytes("application/json", sent.body).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_answered_with_a_mistake_of_ours() {
    let harness = AccountHarness::new().await;
    let document = harness.anybody.get("/v1/openapi.json").await.expect(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    let operations = operations(&document);
    assert!(operations.len() > 30, "{} operations", operations.len());
    let clients =
        [harness.anybody.clone(), harness.signed_in.clone(), harness.operator("admin").await];
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        for operation in &operations {
            let mut runner = TestRunner::new(Config {
                cases: CASES,
                failure_persistence: None,
                // The same requests each time: what fails here fails for whoever looks into it.
                rng_seed: RngSeed::Fixed(1),
                ..Config::default()
            });
            let tried = runner.run(&sent(operation.fields.clone()), |sent| {
                let answer = runtime.block_on(send(&clients, operation, sent));
                let is_ours = answer.status >= 500 && answer.field("/type") != "/problems/not-yet";
                prop_assert!(!is_ours, "{} {}", answer.status, answer.text());
                let documented = answer.status != 404
                    || answer.header("content-type") == Some("application/problem+json");
                prop_assert!(documented, "{}", answer.text());
                Ok(())
            });
            tried
                .unwrap_or_else(|error| panic!("{} {}: {error}", operation.method, operation.path));
        }
    });
    assert!(!harness.node.log_text().contains("panicked"), "{}", harness.node.log_text());
    harness.anybody.get("/healthz").await.expect(200);
}
