//! A dump of the databases shows no command and no line of a log.

use serde_json::json;
use tests::{RunHarness, dump};

const COMMAND: &str = "echo the-harvest-is-late; echo so-is-winter >&2; exit 4";
const PLAIN: [&str; 4] = ["the-harvest-is-late", "so-is-winter", "plough-the-field", "exit 4"];

#[tokio::test]
async fn a_dump_holds_neither_commands_nor_lines() {
    let (harness, node) = RunHarness::new().await;
    let run = harness.start(COMMAND).await;
    harness.in_state(&run, "failed").await;
    assert_eq!(harness.bytes(&run, "out").await, b"the-harvest-is-late\n");
    let path = format!("servers/{}", harness.server);
    let etag = harness.get(&path).await.expect(200).etag();
    let steps = json!([{ "name": "spring", "command": "echo plough-the-field" }]);
    let call =
        harness.ada.call("POST".parse().unwrap(), &harness.path(&format!("{path}/deployments")));
    let call = call.header("If-Match", &etag).json(json!({ "name": "farm", "steps": steps }));
    let deployment = call.send().await.expect(201).field("/deployment_id");
    let run =
        harness.request(json!({ "deployment": deployment, "servers": [harness.server] })).await;
    harness.in_state(&run, "succeeded").await;

    let mut dumps = dump(&harness.installation.log_url(), &[]).await;
    dumps.extend(dump(&harness.installation.keyring_url(), &[]).await);

    let text = String::from_utf8_lossy(&dumps);
    assert!(text.contains("run_log_chunks") && text.contains("run.requested"));
    for plain in PLAIN {
        for form in [plain.to_owned(), hex::encode(plain)] {
            assert!(!text.contains(&form), "{plain} is in the dump");
        }
        assert!(!node.log_text().contains(plain), "{plain} is in the log of the programme");
    }
}
