//! A run, and another attempt of it, need the approval and the credential of each of their servers.

use serde_json::json;
use tests::{Answer, Person, RunHarness};

/// The places in the request of the servers that are refused, with the reasons.
fn refused(answer: &Answer) -> Vec<(String, String)> {
    let body = answer.json();
    assert_eq!(answer.status, 422, "{body}");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let errors = body["errors"].as_array().unwrap();
    errors.iter().map(|error| (text(&error["pointer"]), text(&error["detail"]))).collect()
}

#[tokio::test]
async fn each_server_of_a_run_needs_an_approved_host_key_and_a_credential() {
    let (harness, _node) = RunHarness::new().await;
    let register = async |name: &str| {
        let (port, user) = (harness.sshd.port(), harness.sshd.user());
        let place = json!({ "name": name, "host": "127.0.0.1", "port": port, "user": user });
        harness.post("servers", place).await.expect(201).field("/server_id")
    };
    let keyless = register("approved").await;
    let at = |rest: &str| harness.path(&format!("servers/{keyless}/{rest}"));
    let checked = harness.ada.post(&at("check"), json!({})).await.expect(200);
    let fingerprint = harness.sshd.host_key_fingerprint().unwrap();
    let password = Person::named("ada").password;
    let approval = json!({ "fingerprint": fingerprint, "password": password });
    let approve = harness.ada.call("POST".parse().unwrap(), &at("host-key/approve"));
    let approve = approve.header("If-Match", &checked.etag()).json(approval);
    assert!(approve.send().await.status < 300);
    let unapproved = register("keyed").await;
    let credential = harness.path(&format!("servers/{unapproved}/credential"));
    harness.ada.put(&credential, "*", json!({ "generate": true })).await.expect(200);
    let servers = [&harness.server, &keyless, &unapproved];
    let expected = |places: [usize; 2]| {
        let reasons = [
            "it has no credential: attach one first",
            "its host key is not approved: approve it first",
        ];
        let [first, second] = places.map(|place| format!("/server_ids/{place}"));
        let [no_credential, no_approval] = reasons.map(str::to_owned);
        vec![(first, no_credential), (second, no_approval)]
    };

    let run = harness.post("runs", json!({ "command": "true", "server_ids": servers })).await;
    assert_eq!(refused(&run), expected([1, 2]));

    let run = harness.start("exit 3").await;
    harness.in_state(&run, "failed").await;
    let again = json!({ "server_ids": [keyless, unapproved] });
    let again = harness.post(&format!("{run}/retry"), again).await;
    assert_eq!(refused(&again), expected([0, 1]));
}

#[tokio::test]
async fn another_attempt_that_names_no_servers_needs_those_that_it_is_for() {
    let (harness, _node) = RunHarness::new().await;
    let run = harness.start("exit 3").await;
    harness.in_state(&run, "failed").await;
    let server = harness.path(&format!("servers/{}", harness.server));
    let etag = harness.ada.get(&server).await.expect(200).etag();
    let moved = json!({ "host": "127.0.0.1", "port": 4022, "user": harness.sshd.user() });
    harness.ada.put(&format!("{server}/address"), &etag, moved).await.expect(200);

    let again = harness.post(&format!("{run}/retry"), json!({})).await;

    let reason = "its host key is not approved: approve it first";
    let reason = format!("the server {} of the run: {reason}", harness.server);
    assert_eq!(refused(&again), [("/server_ids".to_owned(), reason)]);
    assert!(harness.installation.events("run.retried").await.is_empty());
}
