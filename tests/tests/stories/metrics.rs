//! What Prometheus finds: names as it expects them, and labels that stay few.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tests::{Installation, promtool, until};

/// Of each part of a turn that has labels: the last one comes last.
const GAUGES: [&str; 8] = [
    "lethe_pool_connections{",
    "lethe_reader_generations{",
    "lethe_log_bytes{",
    "lethe_clock_skew_seconds{",
    "lethe_reader_lag_events{",
    "lethe_keyring_keys{",
    "lethe_erasures_waiting{",
    "lethe_runs{",
];

/// The metrics of a node that somebody has used.
async fn metrics() -> String {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let client = node.client();
    let registration = json!({
        "email": "ada@metrics.example", "name": "Ada", "password": "correct horse battery"
    });
    client.post("/v1/accounts", &registration).await.expect(201);
    client.get("/v1/nowhere/at-all").await.expect(404);
    client.get("/v1/me/sessions/7f8e").await;
    let address = node.metrics().to_owned();
    until("the gauges are refreshed", async || {
        let text = reqwest::get(&address).await.unwrap().text().await.unwrap();
        let missing = GAUGES.iter().find(|gauge| !text.contains(*gauge));
        missing.map_or(Ok(text.clone()), |gauge| Err(*gauge))
    })
    .await
}

/// Name and labels of each series.
fn series(text: &str) -> Vec<(&str, BTreeMap<&str, &str>)> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (series, _) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.trim_end_matches('}').split("\",").filter(|it| !it.is_empty());
            (name, labels.map(|label| label.split_once("=\"").unwrap()).collect())
        })
        .collect()
}

#[tokio::test]
async fn promtool_has_nothing_to_say() {
    let text = metrics().await;

    assert_eq!(promtool(&["check", "metrics"], &text), "");

    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, labels) in series(&text) {
        assert!(name.starts_with("lethe_") || name.starts_with("process_"), "{name}");
        for (label, value) in labels {
            values.entry(label).or_default().insert(value);
        }
    }
    let routes = &values["route"];
    assert!(routes.contains("/v1/accounts"), "{routes:?}");
    assert!(routes.iter().all(|route| !route.contains("7f8e") && !route.contains("nowhere")));
    let bounded = [
        "clock",
        "le",
        "method",
        "outcome",
        "partition",
        "pool",
        "profile",
        "queue",
        "reader",
        "reason",
        "route",
        "state",
        "status",
        "version",
    ];
    assert_eq!(values.keys().copied().collect::<Vec<_>>(), bounded);
}

#[tokio::test]
async fn every_metric_has_help_that_is_a_sentence() {
    let text = metrics().await;

    let helps: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("# HELP lethe_")).collect();

    assert!(helps.len() > 20, "{helps:?}");
    assert!(helps.iter().all(|help| help.ends_with('.')), "{helps:?}");
}

#[tokio::test]
async fn a_hole_in_the_log_is_shown_until_it_is_filled() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let log = installation.log().await;
    let shows = async |value: &str| {
        until(&format!("lethe_log_hole is {value}"), async || {
            let text = reqwest::get(node.metrics()).await.unwrap().text().await.unwrap();
            text.contains(&format!("\nlethe_log_hole {value}\n"))
        })
        .await;
    };
    shows("0").await;
    let next: i64 = log.query_one(NEXT, &[]).await.unwrap().get(0);

    log.execute(APPEND, &[&(next + 1)]).await.unwrap();
    shows("1").await;

    log.execute(APPEND, &[&next]).await.unwrap();
    shows("0").await;
}

const NEXT: &str = "select coalesce(max(position), 0) + 1 from event_log.events";

const APPEND: &str = "
    insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id,
      event_type, schema_version, data, subjects, recorded_at)
    values ($1, gen_random_uuid(), 'operator', gen_random_uuid(), 1, gen_random_uuid(),
      'operator.export_started', 1, '{\"through\":1}', '{}', now())";
