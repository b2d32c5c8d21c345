//! What a node needs of the descriptors that it may have open, and what it leaves to clients.

use super::layers;
use crate::config::Config;

fn config(settings: &[(&str, &str)]) -> Config {
    Config::of(&layers(settings, &[])).unwrap()
}

#[test]
fn a_node_needs_descriptors_for_what_its_settings_allow() {
    let few = [("runs_per_node", "10"), ("servers_max", "100"), ("pool_size", "2")];
    let needs = |more: (&str, &str), watched| {
        config(&[&few[..], &[more]].concat()).descriptors_needed(watched)
    };
    let same = ("drain_seconds", "20");

    assert_eq!(needs(same, 0), 4 * 10 + 100 + 2 * 2 + 1024 + 512);
    assert_eq!(needs(same, 100), needs(same, 0), "as many as a workspace may have");
    assert_eq!(needs(same, 5000), needs(same, 0) + 4900, "servers of many workspaces");
    assert_eq!(needs(("runs_per_node", "11"), 0), needs(same, 0) + 4);
    assert_eq!(needs(("pool_size", "3"), 0), needs(same, 0) + 2);
    assert_eq!(needs(("monitor_seconds", "0"), 5000), needs(same, 0) - 100);
}

#[test]
fn clients_get_what_is_left_beside_runs_servers_and_databases() {
    let config = config(&[]);
    let needed = config.descriptors_needed(0);

    assert_eq!(config.clients_max(needed), 1024);
    assert_eq!(config.clients_max(needed + 1), 1025);
    // Nothing is left, and a node that nobody can connect to is none.
    assert_eq!(config.clients_max(256), 64);
    // Servers of other workspaces are watched, too.
    assert_eq!(config.clients_max(65_536), 32_768);
}

#[test]
fn a_limit_under_the_need_is_warned_of() {
    let config = config(&[]);
    let needed = config.descriptors_needed(0);

    assert_eq!(config.descriptors_warning(needed, 0), None);
    let warned = config.descriptors_warning(needed - 1, 0).unwrap();
    assert!(warned.starts_with(&format!("only {} descriptors may be", needed - 1)), "{warned}");
    assert!(warned.contains(&format!("what takes {needed}:")), "{warned}");
    assert!(config.descriptors_warning(needed, 50_000).is_some(), "so many servers are watched");
}
