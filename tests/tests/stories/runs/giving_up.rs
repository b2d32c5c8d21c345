//! What may be left of a lost run: ended once it is found, or given up by a person.

use serde_json::{Value, json};
use tests::{Answer, LIMIT, Person, RunHarness, until};

/// Notes that it began, and waits for leave to end.
const WORK: &str = "echo begun | tee -a ~/begun; until [ -e ~/go ]; do sleep 0.05; done";

/// Waits until the command of a run was started.
async fn started(harness: &RunHarness, run: &str) {
    until("the command was started", async || {
        let shown = harness.run(run).await?;
        (shown["servers"][0]["state"] == "running").then_some(())
    })
    .await;
}

/// The id of a deployment that does [`WORK`].
async fn deployment(harness: &RunHarness) -> String {
    let path = format!("servers/{}", harness.server);
    let etag = harness.get(&path).await.expect(200).etag();
    let steps = json!([{ "name": "work", "command": WORK }]);
    let call =
        harness.ada.call("POST".parse().unwrap(), &harness.path(&format!("{path}/deployments")));
    let call = call.header("If-Match", &etag).json(json!({ "name": "release", "steps": steps }));
    call.send().await.expect(201).field("/deployment_id")
}

/// What a run, in the version that the tag names, may have left on the server is given up.
async fn give_up(harness: &RunHarness, run: &str, etag: &str, password: &str) -> Answer {
    let path = harness.path(&format!("{run}/servers/{}/give-up", harness.server));
    let call = harness.ada.call("POST".parse().unwrap(), &path).header("If-Match", etag);
    call.json(json!({ "password": password })).send().await
}

#[tokio::test]
async fn what_a_person_gives_up_keeps_no_other_run_of_its_deployment_waiting() {
    let (harness, _node) = RunHarness::with(&[("run_lost_seconds", "2")]).await;
    let asks =
        json!({ "deployment_id": deployment(&harness).await, "server_ids": [harness.server] });
    let first = harness.request(asks.clone()).await;
    started(&harness, &first).await;
    until("its first line is stored", async || {
        let lines = harness.lines(&first).await;
        lines.iter().any(|line| line["text"] == "begun\n").then_some(())
    })
    .await;
    let password = Person::named("ada").password;
    let early = give_up(&harness, &first, "*", &password).await.expect(409);
    assert_eq!(early.field("/type"), "/problems/refused", "{}", early.text());
    harness.sshd.stop().unwrap();
    let lost = harness.ended(&first, LIMIT).await;
    assert_eq!(
        (&lost["state"], &lost["servers"][0]["attempts_left"]),
        (&json!("lost"), &json!([1]))
    );
    let seen = harness.get(&first).await.expect(200).etag();
    let cancelled = harness.post(&format!("{first}/cancel"), json!({})).await.expect(202).json();
    assert_eq!(
        (&cancelled["state"], &cancelled["servers"][0]["cancelling"]),
        (&json!("lost"), &json!(true))
    );
    let second = harness.request(asks).await;
    harness.in_state(&second, "queued").await;

    let refused = give_up(&harness, &first, "*", "not the right password").await.expect(403);
    assert_eq!(refused.field("/type"), "/problems/password-wrong");
    let path = format!("{first}/servers/{}/give-up", harness.server);
    harness.post(&path, json!({ "password": password })).await.expect(428);
    give_up(&harness, &first, &seen, &password).await.expect(412);
    assert!(harness.installation.events("run.given_up").await.is_empty());
    let seen = harness.get(&first).await.expect(200).etag();
    let given_up = give_up(&harness, &first, &seen, &password).await.expect(200).json();

    assert_eq!(given_up["state"], "lost", "nobody knows more of it");
    let on_server = &given_up["servers"][0];
    assert_eq!(on_server.get("cancelling"), None);
    assert_eq!(
        (&on_server["settled"], &on_server["attempts_left"]),
        (&json!("given_up"), &Value::Null)
    );
    harness.in_state(&second, "running").await;
    harness.sshd.restart().unwrap();
    until("the second has begun", async || {
        let begun = std::fs::read_to_string(harness.sshd.home().join("begun")).unwrap();
        (begun == "begun\nbegun\n").then_some(())
    })
    .await;
    let sealed = until("the log of the first is sealed", async || {
        let shown = harness.run(&first).await?;
        shown["servers"][0].get("log").cloned()
    })
    .await;
    assert_eq!(sealed["truncated"], true, "{sealed}");
    let lines = u64::try_from(harness.lines(&first).await.len()).unwrap();
    assert_eq!(sealed["lines"], lines);
    give_up(&harness, &first, "*", &password).await.expect(409);
    std::fs::write(harness.sshd.home().join("go"), "").unwrap();
    harness.in_state(&second, "succeeded").await;
}

#[tokio::test]
async fn a_lost_run_that_is_cancelled_is_ended_once_it_is_found() {
    let (harness, _node) = RunHarness::with(&[("run_lost_seconds", "2")]).await;
    let run = harness.start("sleep 3612").await;
    started(&harness, &run).await;
    harness.sshd.stop().unwrap();
    assert_eq!(harness.ended(&run, LIMIT).await["state"], "lost");
    harness.sshd.restart().unwrap();

    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);

    until("it is cancelled", async || {
        let shown = harness.run(&run).await?;
        (shown["state"] == "cancelled").then_some(())
    })
    .await;
    let left = harness.sshd.processes().unwrap();
    assert!(left.iter().all(|process| process.command != "sleep 3612"), "{left:?}");
}
