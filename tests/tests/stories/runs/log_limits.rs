//! What the logs of a workspace may store in a day.

use serde_json::json;
use tests::{RunHarness, until};

#[tokio::test]
async fn a_log_beyond_what_its_workspace_may_store_in_a_day_is_cut_and_says_why() {
    let limits = [("run_log_bytes_max", "1024"), ("run_log_bytes_per_day", "1500")];
    let (harness, node) = RunHarness::with(&limits).await;
    // A thousand bytes.
    let command = "for n in $(seq 10); do printf '%099d\\n' $n; done";

    let mut logs = Vec::new();
    for _ in 0..2 {
        let run = harness.start(command).await;
        let shown = harness.in_state(&run, "succeeded").await;
        let lines = harness.lines(&run).await;
        logs.push((shown["servers"][0]["log"]["truncated"].clone(), lines));
    }

    let [(first, whole), (second, cut)] = &logs[..] else { panic!("two logs") };
    assert_eq!((first, whole.len()), (&json!(false), 10));
    assert_eq!((second, cut.len()), (&json!(true), 6));
    let last = cut.last().unwrap();
    assert_eq!(last["stream"], "lethe");
    assert_eq!(
        last["text"],
        "Lethe kept the first 5 lines of this log, 500 bytes. The logs of a workspace may have \
         1500 bytes a day: the rest was dropped.\n"
    );
    until("it is counted", async || {
        let text = reqwest::get(node.metrics()).await.unwrap().text().await.unwrap();
        text.contains("\nlethe_run_log_quota_reached_total 1\n")
    })
    .await;
}
