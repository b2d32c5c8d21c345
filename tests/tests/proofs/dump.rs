//! A dump of the databases and the log of the programme show no command, no line and no secret, while
//! a run is running and after it.

use infra::residue::Canaries;
use serde_json::json;
use tests::{Place, RunHarness, TestServer, until};

const SECRET: &str = "correct-horse-battery-staple";
const COMMAND: &str = "echo the-harvest-is-late; echo so-is-winter >&2; echo \"<$TOKEN>\"; \
    until [ -e ~/go ]; do sleep 0.05; done; : until-the-barn-is-full; exit 4";
const STEP: &str = "echo plough-the-field";
const HIDDEN: [&str; 5] =
    [SECRET, "the-harvest-is-late", "so-is-winter", "until-the-barn-is-full", "plough-the-field"];

fn places(harness: &RunHarness, node: &TestServer) -> [Place; 3] {
    let installation = &harness.installation;
    [
        Place::Database { name: "the dump of the events", url: installation.log_url() },
        Place::Database { name: "the dump of the keyring", url: installation.keyring_url() },
        Place::File { name: "the log of the programme", path: node.log_path().to_owned() },
    ]
}

async fn deploy(harness: &RunHarness) {
    let path = format!("servers/{}", harness.server);
    let etag = harness.get(&path).await.expect(200).etag();
    let deployments = harness.path(&format!("{path}/deployments"));
    let steps = json!([{ "name": "spring", "command": STEP }]);
    let call = harness.ada.call("POST".parse().unwrap(), &deployments).header("If-Match", &etag);
    let made = call.json(json!({ "name": "farm", "steps": steps })).send().await.expect(201);
    let deployment = made.field("/deployment_id");
    let run = harness
        .request(json!({ "deployment_id": deployment, "server_ids": [harness.server] }))
        .await;
    harness.in_state(&run, "succeeded").await;
}

#[tokio::test]
async fn a_dump_holds_no_command_no_line_and_no_secret() {
    let (harness, node) = RunHarness::new().await;
    let canaries = Canaries::new(&HIDDEN).unwrap();
    let requested = json!({
        "command": COMMAND, "server_ids": [harness.server], "secrets": { "TOKEN": SECRET },
    });
    let run = harness.request(requested).await;
    until("its lines are kept", async || {
        let lines = harness.get(&harness.log_of(&run)).await;
        if lines.status == 200 && lines.text().lines().count() == 3 { Ok(()) } else { Err(lines) }
    })
    .await;
    let log = harness.installation.log().await;
    let kept = "select count(*) from working.run_secrets";
    assert_eq!(log.query_one(kept, &[]).await.unwrap().get::<_, i64>(0), 1, "its secrets are kept");

    for place in places(&harness, &node) {
        place.search(&canaries).await.is_clean("while the run is running");
    }

    std::fs::write(harness.sshd.home().join("go"), "").unwrap();
    harness.in_state(&run, "failed").await;
    assert_eq!(harness.bytes(&run, "out").await, b"the-harvest-is-late\n<***>\n");
    deploy(&harness).await;
    let mut places = places(&harness, &node);
    for place in &places {
        place.search(&canaries).await.is_clean("after the run");
    }

    // The search is one that finds: each form, planted in each place.
    for place in &mut places {
        place.plant(&canaries).await;
        place.search(&canaries).await.is_complete(&canaries);
    }
}
