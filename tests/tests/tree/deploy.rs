//! Alerts and dashboards use metrics that exist.

use std::collections::BTreeSet;
use std::path::Path;

use tests::promtool;

const SERIES: [&str; 3] = ["_bucket", "_sum", "_count"];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// Every word that begins as our metrics do.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("lethe_"));
    let bare = |word: &str| SERIES.iter().find_map(|end| word.strip_suffix(end)).map(str::to_owned);
    ours.map(|word| bare(word).unwrap_or_else(|| word.to_owned())).collect()
}

#[test]
fn rules_and_dashboards_name_metrics_that_exist() {
    let exist = metrics(&read("infra/src/metrics/mod.rs"));
    assert!(exist.len() > 20);

    for path in ["infra/deploy/rules.yaml", "infra/deploy/dashboard.json"] {
        let named = metrics(&read(path));
        let unknown: Vec<_> = named.difference(&exist).collect();
        assert!(unknown.is_empty(), "{path}: {unknown:?}");
    }
}

#[test]
fn the_alerts_do_what_they_say() {
    let checked = promtool(&["test", "rules", "infra/deploy/rules.test.yaml"], "");

    assert!(checked.contains("SUCCESS"), "{checked}");
}

/// The majors that follow a word.
fn majors(text: &str, after: &str) -> Vec<u32> {
    let number = |rest: &str| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    text.split(after).skip(1).filter_map(number).collect()
}

/// An older `pg_dump` refuses a newer server.
#[test]
fn the_container_can_back_up_the_servers_of_the_compose_file() {
    let (compose, container) = (read("infra/deploy/compose.yaml"), read("infra/deploy/Dockerfile"));

    let servers = majors(&compose, "image: postgres:");
    let clients = majors(&container, "postgresql-client-");

    assert_eq!((servers.len(), clients.len()), (2, 1));
    assert!(servers.iter().all(|server| clients.contains(server)), "{servers:?} {clients:?}");
    let volume = |line: &&str| line.trim_start().starts_with("VOLUME");
    let volumes = container.lines().find(volume).unwrap().split('"').skip(1).step_by(2);
    for path in volumes {
        assert!(compose.contains(&format!(":{path}\n")), "{path} is no volume of the compose file");
    }
}
