//! What a run is given is seen by its command, and by nobody else.

use infra::residue::Canaries;
use serde_json::json;
use tests::{Place, RunHarness, until};

const SECRET: &str = "correct-horse-battery-staple";

#[tokio::test]
async fn a_secret_reaches_the_command_and_neither_its_log_nor_the_database() {
    let (harness, node) = RunHarness::new().await;
    let command = "printf '%s' \"$TOKEN\" > ~/got; echo \"<$TOKEN>\"; printf 'correct-horse'; \
                   sleep 0.3; echo '-battery-staple'; printf '%s' \"$TOKEN\" | base64 >&2";
    let run = harness
        .request(json!({ "command": command, "server_ids": [harness.server], "secrets": { "TOKEN": SECRET } }))
        .await;
    harness.in_state(&run, "succeeded").await;

    let got = std::fs::read_to_string(harness.sshd.home().join("got")).unwrap();
    assert_eq!(got, SECRET);
    assert_eq!(harness.bytes(&run, "out").await, b"<***>\n***\n");
    // Of the last letters of base64 no more than their own byte could be guessed.
    let err = harness.bytes(&run, "err").await;
    assert!(err.starts_with(b"***") && err.len() <= 8, "{}", String::from_utf8_lossy(&err));
    let log = harness.installation.log().await;
    until("its row is gone", async || {
        let count = "select count(*) from working.run_secrets";
        let left: i64 = log.query_one(count, &[]).await.unwrap().get(0);
        (left == 0).then_some(())
    })
    .await;
    let canaries = Canaries::new(&[SECRET]).unwrap();
    let database = Place::Database { name: "the dump", url: harness.installation.log_url() };
    let logged = Place::File { name: "the log", path: node.log_path().to_owned() };
    for place in [database, logged] {
        place.search(&canaries).await.is_clean("after the run");
    }
}

#[tokio::test]
async fn a_run_that_had_secrets_is_retried_with_each_of_them_and_says_how_they_were_called() {
    const NAMES: [&str; 2] = ["TOKEN_OF_THE_OLD_RELEASES", "KEY_OF_THE_OLD_RELEASES"];
    let (harness, _node) = RunHarness::new().await;
    let command = "env | grep -c _OF_THE_OLD_RELEASES= >> ~/got; exit 1";
    let run = harness
        .request(json!({ "command": command, "server_ids": [harness.server],
            "secrets": { NAMES[0]: SECRET, NAMES[1]: SECRET } }))
        .await;
    let shown = harness.in_state(&run, "failed").await;
    assert_eq!(shown["secret_names"], json!([NAMES[1], NAMES[0]]));

    for (sent, missing) in [
        (json!({}), vec![NAMES[1], NAMES[0]]),
        (json!({ "secrets": { "OTHER": SECRET } }), vec![NAMES[1], NAMES[0]]),
        (json!({ "secrets": { NAMES[0]: SECRET, "OTHER": SECRET } }), vec![NAMES[1]]),
    ] {
        let refused = harness.post(&format!("{run}/retry"), sent).await.expect(422);
        assert_eq!(refused.field("/errors/0/pointer"), "/secrets");
        let detail = refused.field("/errors/0/detail");
        assert!(detail.ends_with(&format!(": {}", missing.join(", "))), "{detail}");
    }
    assert_eq!(harness.run(&run).await.unwrap()["servers"][0]["attempt"], 1);
    let log = harness.installation.log().await;
    let kept = "select count(*) from working.run_secrets";
    until("the first attempt has none any more", async || {
        log.query_one(kept, &[]).await.unwrap().get::<_, i64>(0) == 0
    })
    .await;
    let again = json!({ "secrets": { NAMES[0]: SECRET, NAMES[1]: SECRET, "OTHER": SECRET } });
    harness.post(&format!("{run}/retry"), again).await.expect(202);
    harness.in_state(&run, "failed").await;

    let got = std::fs::read_to_string(harness.sshd.home().join("got")).unwrap();
    assert_eq!(got, "2\n2\n");
    let canaries = Canaries::new(&NAMES).unwrap();
    let database = Place::Database { name: "the dump", url: harness.installation.log_url() };
    database.search(&canaries).await.is_clean("the names are sealed");
}

#[tokio::test]
async fn a_secret_has_no_name_that_the_shell_sets_itself() {
    let (harness, _node) = RunHarness::new().await;
    for name in ["UID", "PPID", "LETHE_RUN"] {
        let asks = json!({ "command": "true", "server_ids": [harness.server], "secrets": { name: SECRET } });
        let refused = harness.post("runs", asks).await.expect(422);
        assert_eq!(refused.field("/errors/0/pointer"), format!("/secrets/{name}"));
        assert!(refused.field("/errors/0/detail").starts_with(name), "{}", refused.text());
    }
    assert!(harness.installation.events("run.requested").await.is_empty());
}

#[tokio::test]
async fn secrets_of_the_documented_size_reach_the_command_and_one_byte_more_is_pointed_at() {
    let (harness, _node) = RunHarness::new().await;
    let value = |letter: &str, bytes: usize| letter.repeat(bytes);
    let secrets =
        |third: &str| json!({ "A": value("a", 16_384), "B": value("b", 16_380), "C": third });
    let command = "printf '%s%s%s' \"$A\" \"$B\" \"$C\" | wc -c > ~/got";
    let asks = |third: &str| json!({ "command": command, "server_ids": [harness.server], "secrets": secrets(third) });

    let run = harness.request(asks("cccc")).await;
    harness.in_state(&run, "succeeded").await;
    let got = std::fs::read_to_string(harness.sshd.home().join("got")).unwrap();
    assert_eq!(got.trim(), "32768");

    let refused = harness.post("runs", asks("ccccc")).await.expect(422);
    assert_eq!(refused.field("/errors/0/pointer"), "/secrets");
}
