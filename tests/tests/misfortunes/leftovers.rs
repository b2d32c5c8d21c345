//! The server is away when a run that has ended is to be removed from it.

use std::time::Duration;

use tests::{Installation, RunHarness, until, until_within};

/// The sweep comes once a minute.
const LIMIT: Duration = Duration::from_mins(3);

#[tokio::test]
async fn what_could_not_be_removed_from_a_server_is_removed_once_it_is_back() {
    let _alone = tests::alone().await;
    let settings = [
        ("egress_allow", "127.0.0.1/32:*"),
        ("seat_lease_seconds", "3600"),
        ("monitor_seconds", "0"),
    ];
    let installation = Installation::with(&settings).await.with_failpoints();
    let (mut harness, node) = RunHarness::on(installation).await;
    assert!(node.stop().await.success());
    let mut armed = harness.installation.node_with(&[("failpoint", "run.ended")]).await;
    harness.ada = harness.ada.at(armed.api());
    let run = harness.start("echo one").await;
    armed.ended().await;

    harness.sshd.stop().unwrap();
    let node = harness.installation.node().await;
    harness.ada = harness.ada.at(node.api());
    harness.in_state(&run, "succeeded").await;
    let log = harness.installation.log().await;
    let count = async |table: &str| {
        let count = format!("select count(*) from working.{table}");
        log.query_one(&count, &[]).await.unwrap().get::<_, i64>(0)
    };
    until("the folder is noted", async || count("run_leftovers").await == 1).await;
    until("the run itself is over", async || count("run_tasks").await == 0).await;
    let folders = std::fs::read_dir(harness.sshd.home().join(".lethe/runs")).unwrap();
    let folders: Vec<_> = folders.map(|folder| folder.unwrap().path()).collect();
    assert!(folders.len() == 1 && folders[0].join("out").exists(), "{folders:?}");

    harness.sshd.restart().unwrap();
    let due = "update working.run_leftovers set next_at = clock_timestamp()";
    assert_eq!(log.execute(due, &[]).await.unwrap(), 1);

    until_within(LIMIT, "it is removed", async || count("run_leftovers").await == 0).await;
    assert!(folders[0].join("gone").exists() && !folders[0].join("out").exists());
}
