//! What Prometheus finds: names as it expects them, and labels that stay few.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tests::{Installation, promtool, until};

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
        let all = text.contains("lethe_pool_connections{") && text.contains("lethe_keyring_keys{");
        all.then_some(text)
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
        "le", "method", "outcome", "pool", "profile", "reader", "route", "state", "status",
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
