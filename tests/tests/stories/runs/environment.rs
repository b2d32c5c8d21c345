//! Variables that are no secrets: shown, not masked, and the same for each attempt.

use infra::residue::Canaries;
use serde_json::json;
use tests::{Place, RunHarness};

/// In the log of an attempt, as bytes.
async fn printed(harness: &RunHarness, run: &str, attempt: u32) -> String {
    let log = format!("{}?stream=out&attempt={attempt}", harness.log_of(run));
    let call = harness.ada.call("GET".parse().unwrap(), &harness.path(&log));
    call.header("Accept", "text/plain").send().await.expect(200).text()
}

#[tokio::test]
async fn what_is_no_secret_is_given_as_it_is_to_each_attempt_and_is_shown() {
    const BRANCH: &str = "branch-of-the-third-engine";
    let (harness, _node) = RunHarness::new().await;
    let environment = json!({ "BRANCH": BRANCH, "EMPTY": "", "PORT": "80" });
    let run = harness
        .request(json!({
            "command": "echo \"$BRANCH ${EMPTY-unset} $PORT $TOKEN\"; exit 1",
            "server_ids": [harness.server],
            "environment": environment,
            "secrets": { "TOKEN": "correct-horse-battery-staple" },
        }))
        .await;
    let shown = harness.in_state(&run, "failed").await;
    assert_eq!(shown["environment"], environment);
    assert_eq!(printed(&harness, &run, 1).await, format!("{BRANCH}  80 ***\n"));

    let again = json!({ "secrets": { "TOKEN": "another-horse" } });
    harness.post(&format!("{run}/retry"), again).await.expect(202);
    harness.in_state(&run, "failed").await;
    assert_eq!(printed(&harness, &run, 2).await, format!("{BRANCH}  80 ***\n"));
    let hides = json!({ "secrets": { "TOKEN": "another-horse", "PORT": "8080" } });
    harness.post(&format!("{run}/retry"), hides).await.expect(202);
    let shown = harness.in_state(&run, "failed").await;
    assert_eq!(printed(&harness, &run, 3).await, format!("{BRANCH}  *** ***\n"));

    assert_eq!(shown["environment"], environment, "as it was requested");
    let canaries = Canaries::new(&[BRANCH]).unwrap();
    let database = Place::Database { name: "the dump", url: harness.installation.log_url() };
    database.search(&canaries).await.is_clean("it is sealed");
}

#[tokio::test]
async fn a_variable_that_does_not_fit_is_named_and_nothing_is_requested() {
    let (harness, _node) = RunHarness::new().await;
    let long = "a".repeat(32 * 1024);
    let secrets = json!({ "TOKEN": "correct-horse-battery-staple" });
    for (environment, pointer) in [
        (json!({ "PORT": "80", "UID": "0" }), "/environment/UID"),
        (json!({ "1ST": "80" }), "/environment/1ST"),
        (json!({ "A-B": "80" }), "/environment"),
        (json!({ "PORT": 80 }), "/environment/PORT"),
        (json!({ "PORT": "8\u{0}" }), "/environment/PORT"),
        (json!({ "TOKEN": "shown" }), "/environment/TOKEN"),
        (json!({ "PORT": long }), "/environment"),
        (json!(["PORT"]), "/environment"),
    ] {
        let asks = json!({ "command": "true", "server_ids": [harness.server],
            "environment": environment, "secrets": secrets });
        let refused = harness.post("runs", asks).await.expect(422);
        assert_eq!(refused.field("/errors/0/pointer"), pointer, "{}", refused.text());
    }
    assert!(harness.installation.events("run.requested").await.is_empty());
}
