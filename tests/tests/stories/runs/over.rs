//! Logs of which some days are over, or all.

use serde_json::Value;
use tests::{Answer, Events, RunHarness, until};
use uuid::Uuid;

const DAY: &str = "2020-01-01";
const REMARK: &str = "Lines 1 to 1 of this log are over: lines are kept for 30 days.\n";
const TABLE: &str = "select max(table_name::text) from information_schema.tables
    where table_schema = 'read_models' and table_name ~ '^runs(_v[0-9]+)?$'";

fn id(run: &str) -> Uuid {
    run.rsplit('/').next().unwrap().parse().unwrap()
}

/// As if the first chunks of the log had been stored years ago.
async fn set_chunks_back(harness: &RunHarness, run: &str, chunks: i64) {
    let log = harness.installation.log().await;
    let create = format!("select working.create_run_log_partitions('{DAY}', '{DAY}')");
    log.batch_execute(&create).await.unwrap();
    let set = format!(
        "update working.run_log_chunks set day = '{DAY}', at = '{DAY}' where run_id = $1 and seq < $2"
    );
    log.execute(&set, &[&id(run), &chunks]).await.unwrap();
}

/// As if the run had been requested, and had ended, on that day.
async fn set_run_back(harness: &RunHarness, run: &str) {
    let log = harness.installation.log().await;
    let table: String = log.query_one(TABLE, &[]).await.unwrap().get(0);
    let set = format!(
        "update read_models.{table} set requested_at = '{DAY}', on_servers = \
         regexp_replace(on_servers::text, '\"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T', '\"{DAY}T', 'g')::json \
         where run_id = $1 \
         and version = (select max(version) from event_log.events where stream_id = $1)"
    );
    until("the row of the run has its last event", async || {
        log.execute(&set, &[&id(run)]).await.unwrap() == 1
    })
    .await;
}

async fn read(harness: &RunHarness, run: &str, query: &str, headers: &[(&str, &str)]) -> Answer {
    let path = harness.path(&format!("{}{query}", harness.log_of(run)));
    let mut call = harness.ada.call("GET".parse().unwrap(), &path);
    for (name, value) in headers {
        call = call.header(name, value);
    }
    call.send().await
}

async fn read_as(harness: &RunHarness, run: &str, form: &str) -> Answer {
    read(harness, run, "", &[("Accept", form)]).await
}

async fn bytes(harness: &RunHarness, run: &str, query: &str, range: &str) -> Answer {
    read(harness, run, query, &[("Accept", "text/plain"), ("Range", range)]).await
}

#[tokio::test]
async fn a_log_that_is_over_is_gone_and_says_until_when_it_was_kept() {
    let (harness, _node) = RunHarness::new().await;
    let (run, silent) = (harness.start("echo one").await, harness.start("true").await);
    for run in [&run, &silent] {
        harness.in_state(run, "succeeded").await;
        set_run_back(&harness, run).await;
    }
    let forms = ["application/x-ndjson", "text/plain", "text/event-stream"];
    for form in forms {
        read_as(&harness, &run, form).await.expect(200);
    }

    set_chunks_back(&harness, &run, i64::MAX).await;

    for form in forms {
        let gone = read_as(&harness, &run, form).await.expect(410);
        assert_eq!(gone.field("/type"), "/problems/log-expired", "{form}");
        let detail = "The lines of this log were kept for 30 days, until 2020-01-31.";
        assert_eq!(gone.field("/detail"), detail, "{form}");
        read_as(&harness, &silent, form).await.expect(200);
    }
}

#[tokio::test]
async fn a_log_whose_beginning_is_over_begins_with_a_line_that_says_so() {
    let (harness, _node) = RunHarness::new().await;
    let run =
        harness.start("echo one; while ! [ -e ~/go ]; do sleep 0.05; done; echo two >&2").await;
    until("the first line is stored", async || harness.lines(&run).await.len() == 1).await;
    std::fs::write(harness.sshd.home().join("go"), "").unwrap();
    harness.in_state(&run, "succeeded").await;
    let log = harness.log_of(&run);
    set_chunks_back(&harness, &run, 1).await;

    // Of a run of today it is damage.
    harness.get(&log).await.expect(500);
    set_run_back(&harness, &run).await;

    for query in ["", "?stream=err"] {
        let page = harness.get(&format!("{log}{query}")).await.expect(200);
        assert_eq!(page.header("lethe-log-over"), Some("1"), "{query}");
        let lines: Vec<Value> =
            page.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let lines: Vec<_> = lines
            .iter()
            .map(|line| (line["n"].as_u64(), line["stream"].as_str(), line["text"].as_str()))
            .collect();
        let remark = (Some(1), Some("lethe"), Some(REMARK));
        assert_eq!(lines, [remark, (Some(2), Some("err"), Some("two\n"))], "{query}");
    }
    let watch = harness.ada.call("GET".parse().unwrap(), &harness.path(&log));
    let events = Events::open(watch).await.rest().await;
    let ids: Vec<_> = events.iter().filter(|event| event.name == "line").map(|it| it.id).collect();
    assert_eq!(ids, [Some(1), Some(2)]);

    let whole = bytes(&harness, &run, "", "none").await.expect(200);
    assert_eq!(whole.text(), format!("{REMARK}two\n"));
    assert_eq!(whole.header("lethe-log-over"), Some("1"));
    assert_eq!(bytes(&harness, &run, "?stream=err", "none").await.expect(200).text(), "two\n");
    let rest = bytes(&harness, &run, "", "bytes=4-").await.expect(206);
    assert_eq!(rest.text(), "two\n");
    assert_eq!(rest.header("content-range"), Some("bytes 4-7/8"));
    let refused = bytes(&harness, &run, "", "bytes=0-5").await.expect(416);
    assert_eq!(refused.header("content-range"), Some("bytes */8"));
    assert!(refused.field("/detail").contains("begin with byte 4"), "{}", refused.text());
}
