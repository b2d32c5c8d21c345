//! Servers that are out of reach for longer than a test may take, by the clock of the database; and a log that its own
//! command has cut.

use serde_json::json;
use tests::{LIMIT, RunHarness, until};
use tokio_postgres::Client;

async fn count(log: &Client, of: &str) -> i64 {
    let count = format!("select count(*) from working.run_tasks where {of}");
    log.query_one(&count, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_run_whose_server_is_not_reached_fails_a_minute_later_and_no_earlier() {
    let (mut harness, node) = RunHarness::new().await;
    harness.sshd.stop().unwrap();
    let run = harness.start("true").await;
    until("a node has it", async || {
        let shown = harness.run(&run).await?;
        (shown["servers"][0]["state"] == "dispatched").then_some(())
    })
    .await;
    assert!(node.stop().await.success());
    assert!(harness.installation.events("run.not_started").await.is_empty(), "it is tried again");
    let log = harness.installation.log().await;
    let minute = "update working.run_tasks set seen_at = seen_at - interval '1 minute'";
    assert_eq!(log.execute(minute, &[]).await.unwrap(), 1);

    let node = harness.installation.node().await;
    harness.ada = harness.ada.at(node.api());

    let shown = harness.in_state(&run, "failed").await;
    let failure = json!({ "kind": "not_started", "obstacle": "tcp" });
    assert_eq!(shown["servers"][0]["ending"]["failure"], failure, "{shown}");
}

#[tokio::test]
async fn a_lost_run_is_looked_for_each_minute_of_a_day_and_then_its_log_ends() {
    let (harness, _node) = RunHarness::with(&[("run_lost_seconds", "2")]).await;
    let run = harness.start("echo begun; sleep 3620").await;
    harness.is_at_work(&run).await;
    until("its first line is stored", async || harness.lines(&run).await.len() == 1).await;
    harness.sshd.stop().unwrap();
    assert_eq!(harness.ended(&run, LIMIT).await["state"], "lost");
    let log = harness.installation.log().await;
    let lost_for = async |hours: i32| {
        let lost = "update working.run_tasks set next_at = null,
            lost_at = clock_timestamp() - make_interval(hours => $1) where state = 'lost'";
        until("its task is lost", async || log.execute(lost, &[&hours]).await.unwrap() == 1).await;
    };

    lost_for(23).await;
    let in_a_minute = "next_at between clock_timestamp() + interval '30 seconds'
        and clock_timestamp() + interval '1 minute'";
    until("it is looked for soon", async || count(&log, in_a_minute).await == 1).await;
    assert!(harness.installation.events("run.log_sealed").await.is_empty());

    lost_for(25).await;
    let tomorrow = "next_at > clock_timestamp() + interval '20 hours'";
    until("it is looked for tomorrow", async || count(&log, tomorrow).await == 1).await;
    let sealed = harness.installation.events("run.log_sealed").await;
    assert_eq!(sealed.len(), 1, "{sealed:?}");
    assert_eq!(
        (&sealed[0]["log"]["truncated"], &sealed[0]["log"]["lines"]),
        (&json!(true), &json!(1))
    );
}

#[tokio::test]
async fn a_log_that_its_command_has_cut_is_not_whole_and_says_so() {
    let (harness, _node) = RunHarness::new().await;
    // There is no other run.
    let cuts = "cd ~/.lethe/runs/*; echo first; while [ ! -s out ]; do sleep 0.01; done; : >out; \
                echo second";
    let remark =
        "The output was cut on the server, which kept 7 of the 13 bytes of standard output.\n";
    let cases = [(cuts, vec![remark]), ("echo first; echo second", vec![])];
    for (command, remarks) in cases {
        let run = harness.start(command).await;
        let shown = harness.in_state(&run, "succeeded").await;
        let log = &shown["servers"][0]["log"];
        assert_eq!(log["truncated"], !remarks.is_empty(), "{command}: {shown}");
        let lines = harness.lines(&run).await;
        let own = lines.iter().filter(|line| line["stream"] == "lethe");
        let own: Vec<_> = own.map(|line| line["text"].as_str().unwrap()).collect();
        assert_eq!(own, remarks, "{command}: {lines:?}");
    }
}
