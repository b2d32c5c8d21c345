//! The log of a run in pages, and of one stream in every form.

use serde_json::{Value, json};
use tests::{Answer, Events, RunHarness};

fn lines(page: &Answer) -> Vec<Value> {
    page.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The address of the next page.
fn next(page: &Answer) -> Option<&str> {
    let link = page.header("link")?;
    Some(link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap())
}

#[tokio::test]
async fn a_page_of_a_log_is_full_and_names_the_next_one_until_the_end() {
    let (harness, _node) = RunHarness::new().await;
    // Each line is stored alone: a page of 90 is of more than 64 chunks.
    let run = harness.start("for n in $(seq 100); do echo $n; sleep 0.06; done").await;
    harness.in_state(&run, "succeeded").await;
    let log = harness.log_of(&run);

    let first = harness.get(&format!("{log}?limit=90")).await.expect(200);
    assert_eq!(lines(&first).len(), 90);
    assert_eq!(first.header("lethe-log-next"), Some("90"));
    assert_eq!(first.header("lethe-log-over"), None);
    let path = next(&first).unwrap().to_owned();
    assert_eq!(path, harness.path(&format!("{log}?attempt=1&limit=90&after=90")));
    let second = harness.ada.get(&path).await.expect(200);
    let numbers: Vec<_> = lines(&second).iter().map(|line| line["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (91..=100).collect::<Vec<_>>());
    assert_eq!((second.header("lethe-log-next"), next(&second)), (None, None));

    for (query, count, is_more) in
        [("?limit=100", 100, false), ("?limit=99", 99, true), ("?after=100", 0, false)]
    {
        let page = harness.get(&format!("{log}{query}")).await.expect(200);
        assert_eq!(lines(&page).len(), count, "{query}");
        assert_eq!(next(&page).is_some(), is_more, "{query}");
    }
}

#[tokio::test]
async fn one_stream_is_answered_as_lines_as_bytes_and_as_events() {
    let (harness, _node) = RunHarness::new().await;
    let run = harness.start("for n in 1 2 3 4; do echo o$n; echo e$n >&2; done").await;
    harness.in_state(&run, "succeeded").await;
    let all = harness.lines(&run).await;
    assert_eq!(all.len(), 8);

    for (stream, text) in [("out", "o1\no2\no3\no4\n"), ("err", "e1\ne2\ne3\ne4\n")] {
        let path = format!("{}?stream={stream}", harness.log_of(&run));
        let wanted: Vec<_> = all.iter().filter(|line| line["stream"] == stream).cloned().collect();
        let page = harness.get(&path).await.expect(200);
        assert_eq!(lines(&page), wanted, "{stream}");
        let part = harness.get(&format!("{path}&limit=3")).await.expect(200);
        assert_eq!(lines(&part), wanted[..3], "{stream}");
        let rest = harness.ada.get(next(&part).unwrap()).await.expect(200);
        assert_eq!(lines(&rest), wanted[3..], "{stream}");

        assert_eq!(harness.bytes(&run, stream).await, text.as_bytes());

        let watch = harness.ada.call("GET".parse().unwrap(), &harness.path(&path));
        let events = Events::open(watch).await.rest().await;
        let seen = events.iter().filter(|event| event.name == "line");
        let seen: Vec<_> = seen.map(|event| (json!(event.id), event.data.clone())).collect();
        let wanted: Vec<_> = wanted.into_iter().map(|line| (line["n"].clone(), line)).collect();
        assert_eq!(seen, wanted, "{stream}");
        let end = events.last().unwrap();
        assert_eq!((end.name.as_str(), &end.data["log"]["lines"]), ("end", &json!(8)));
    }
}
