//! Whatever a member of a workspace sends about what is there: never a mistake of ours, and a refusal is
//! always a problem.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use reqwest::Method;
use serde_json::Value;
use tests::{Answer, Client, Installation, Sshd};

use super::operation::{Operation, document, operations};
use super::schema::{Schemas, body, empty, headers, query};
use super::tenant::Tenant;

/// For each operation.
const CASES: u32 = 16;

#[derive(Clone, Debug)]
struct Sent {
    body: Value,
    query: Vec<(String, String)>,
    headers: BTreeMap<String, String>,
    by_viewer: bool,
}

fn sent(schemas: &Schemas<'_>, operation: &Operation) -> impl Strategy<Value = Sent> {
    let body = body(&operation.spec);
    let body = body.map_or_else(|| Just(empty()).boxed(), |schema| schemas.near(schema, ""));
    let by_viewer = prop_oneof![7 => Just(false), 1 => Just(true)];
    (body, query(schemas, &operation.spec), headers(&operation.spec), by_viewer)
        .prop_map(|(body, query, headers, by_viewer)| Sent { body, query, headers, by_viewer })
}

async fn send(by: &Client, operation: &Operation, path: &str, sent: &Sent) -> Answer {
    let text: Vec<String> = sent
        .query
        .iter()
        .map(|(name, value)| {
            let value: Vec<String> = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            format!("{name}={}", value.concat())
        })
        .collect();
    let mut call = by.call(operation.method.clone(), &format!("{path}?{}", text.join("&")));
    for (name, value) in &sent.headers {
        call = call.header(name, value);
    }
    if operation.method == Method::GET {
        call.send().await
    } else {
        call.json(&sent.body).send().await
    }
}

/// What of the answers of an operation got past 401, 403 and 404, and what was done.
#[derive(Default)]
struct Counts {
    passed: AtomicU32,
    done: AtomicU32,
}

impl Counts {
    fn count(&self, status: u16) {
        let passed = u32::from(!matches!(status, 401 | 403 | 404));
        self.passed.fetch_add(passed, Ordering::Relaxed);
        self.done.fetch_add(u32::from(status < 300), Ordering::Relaxed);
    }
}

fn judge(answer: &Answer) -> Result<(), TestCaseError> {
    if answer.status < 400 {
        return Ok(());
    }
    let problem = answer.header("content-type") == Some("application/problem+json");
    prop_assert!(problem, "{} {:?}", answer.status, answer.headers);
    let kind = answer.field("/type");
    prop_assert!(kind.starts_with("/problems/"), "{}", answer.text());
    let ours = answer.status >= 500 && kind != "/problems/not-yet";
    prop_assert!(!ours, "{} {}", answer.status, answer.text());
    Ok(())
}

/// What is deleted is not there for others: deletions come last, the deepest first.
fn order(operation: &Operation) -> (u8, Reverse<usize>) {
    let rank = match operation.method.as_str() {
        "GET" => 0,
        "POST" => 1,
        "PATCH" => 2,
        "PUT" => 3,
        _ => 4,
    };
    (rank, Reverse(operation.path.matches('/').count()))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_of_a_member_is_answered_with_a_mistake_of_ours() {
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
    let (account, token) = installation.stranger().await;
    installation.join(&ada.things["workspace_id"], &account, "viewer").await;
    let viewer = client.bearing(&token);
    let document = document(&client).await;
    let mut operations = operations(&document);
    operations.retain(Operation::is_below_a_workspace);
    operations.sort_by_key(order);
    let ids = ada.things.values().chain(ada.siblings.values()).cloned().collect();
    let schemas = Schemas { document: &document, ids };

    let runtime = tokio::runtime::Handle::current();
    let (mut passed, mut done) = (0, 0);
    for operation in &operations {
        let path = operation.filled(|name| ada.things[name].clone());
        let counts = Counts::default();
        let mut runner = TestRunner::new(Config {
            cases: CASES,
            failure_persistence: None,
            max_shrink_iters: 32,
            // The same requests each time: what fails here fails for whoever looks into it.
            rng_seed: RngSeed::Fixed(1),
            ..Config::default()
        });
        let ran = tokio::task::block_in_place(|| {
            runner.run(&sent(&schemas, operation), |sent| {
                let by = if sent.by_viewer { &viewer } else { &ada.session };
                let answer = runtime.block_on(send(by, operation, &path, &sent));
                counts.count(answer.status);
                judge(&answer)
            })
        });
        ran.unwrap_or_else(|error| panic!("{}: {error}", operation.name()));
        let (of_passed, of_done) = (counts.passed.into_inner(), counts.done.into_inner());
        // What is gone stays gone, and a deletion is not there before it is requested.
        let least = match operation.method.as_str() {
            "GET" if operation.path.ends_with("/deletion") => 0,
            "DELETE" => 1,
            _ => CASES / 4,
        };
        println!("{of_passed} of {CASES} passed, {of_done} done: {}", operation.name());
        assert!(of_passed >= least, "{}: {of_passed} of {CASES}", operation.name());
        (passed, done) = (passed + of_passed, done + of_done);
    }
    println!("{passed} requests got past 401, 403 and 404, {done} of them were done");
    assert!(passed >= 400 && done >= 100, "{passed} passed, {done} were done");
    assert!(!node.log_text().contains("panicked"), "{}", node.log_text());
    client.get("/healthz").await.expect(200);
}
