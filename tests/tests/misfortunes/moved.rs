//! A node dies between a start and its event, and the server is another machine before the next node looks.

use tests::{Installation, LIMIT, RunHarness, Sshd};

#[tokio::test]
async fn a_start_that_nobody_knows_of_is_not_sent_to_another_machine() {
    let _alone = tests::alone().await;
    let settings = [
        ("egress_allow", "127.0.0.1/32:*"),
        ("seat_lease_seconds", "3600"),
        ("monitor_seconds", "0"),
        ("run_lost_seconds", "20"),
    ];
    let installation = Installation::with(&settings).await.with_failpoints();
    let (mut harness, node) = RunHarness::on(installation).await;
    let other = Sshd::start().unwrap();
    assert!(node.stop().await.success());
    let failpoint = [("failpoint", "run.launched")];
    let mut armed = harness.installation.node_with(&failpoint).await;
    harness.ada = harness.ada.at(armed.api());
    let run = harness.start("echo began >> ~/began; until [ -e ~/go ]; do sleep 0.05; done").await;
    armed.ended().await;

    // Nobody finds the first machine before the address is another one.
    harness.sshd.stop().unwrap();
    let node = harness.installation.node().await;
    harness.ada = harness.ada.at(node.api());
    harness.move_to(&other).await;

    assert_eq!(harness.ended(&run, LIMIT).await["state"], "lost");
    assert!(!other.home().join(".lethe").exists(), "it was sent to the second machine");
    let began = std::fs::read_to_string(harness.sshd.home().join("began")).unwrap();
    assert_eq!(began, "began\n");
    std::fs::write(harness.sshd.home().join("go"), "").unwrap();
}
