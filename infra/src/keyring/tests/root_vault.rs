//! Root keys in Vault: what it answers, what it does not, and a keyring over it.

use std::time::Duration;

use test_support::{ClosedPort, Vault};

use super::super::{
    RootErasure, RootFingerprint, RootHold, RootId, RootStoreError, RootVault, RootVaultOptions,
    VaultTokenSource, restore_keyring,
};
use super::*;

pub const TOKEN: &str = "hvs.a-token-of-the-tests";

pub fn options(url: &str) -> RootVaultOptions {
    RootVaultOptions {
        address: url.parse().unwrap(),
        token: VaultTokenSource::Token(TOKEN.parse().unwrap()),
        mount: "transit".parse().unwrap(),
        prefix: "lethe-root-".parse().unwrap(),
        authority: None,
        within: Duration::from_secs(30),
    }
}

fn roots(vault: &Vault) -> RootVault {
    RootVault::open(options(&vault.url())).unwrap()
}

/// What is said when a root cannot be read: nothing, of the root.
async fn unread(roots: &RootVault) -> String {
    let error = roots.read(RootId(1)).await.err().unwrap();
    assert!(error.says_nothing(), "{error:?}");
    let key = RootFingerprint::of(&Secret::random().unwrap());
    let error = roots.erase(RootId(1), key).await.unwrap_err();
    assert!(error.says_nothing(), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn whatever_vault_says_in_place_of_an_answer_is_shown_and_means_nothing() {
    let vault = Vault::start(TOKEN).await;
    roots(&vault).create(RootId(1)).await.unwrap();

    let elsewhere = RootVaultOptions { mount: "keys".parse().unwrap(), ..options(&vault.url()) };
    let said = unread(&RootVault::open(elsewhere).unwrap()).await;
    assert!(said.contains("status 404: no handler for route"), "{said}");

    vault.replace_token("hvs.another");
    let said = unread(&roots(&vault)).await;
    assert!(said.contains("status 403: 2 errors occurred: * permission denied"), "{said}");
    assert!(said.contains(&vault.url()) && !said.contains(TOKEN), "{said}");

    vault.seal();
    let said = unread(&roots(&vault)).await;
    assert!(said.contains("status 503: Vault is sealed"), "{said}");

    let nobody = ClosedPort::new();
    let url = format!("http://{}", nobody.address());
    let said = unread(&RootVault::open(options(&url)).unwrap()).await;
    assert!(said.contains("not reached: Connection refused"), "{said}");
}

#[tokio::test]
async fn a_network_that_swallows_packets_is_waited_for_so_long_and_no_longer() {
    let vault = Vault::start(TOKEN).await;
    let within = Duration::from_millis(50);
    let hurried = RootVaultOptions { within, ..options(&vault.url()) };
    vault.go_silent();

    let said = unread(&RootVault::open(hurried).unwrap()).await;

    assert!(said.contains("no answer within 0.05 s"), "{said}");
    vault.speak();
    assert!(roots(&vault).read(RootId(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_again_where_that_changes_nothing() {
    let vault = Vault::start(TOKEN).await;
    let roots = roots(&vault);
    let key = roots.create(RootId(1)).await.unwrap();

    vault.lose_answer_to("GET");
    assert_eq!(roots.read(RootId(1)).await.unwrap().unwrap().expose(), key.expose());

    vault.lose_answer_to("POST");
    assert!(roots.create(RootId(2)).await.unwrap_err().says_nothing());
    assert!(roots.read(RootId(2)).await.unwrap().is_some(), "it was made");

    // Whether it is gone is read back, whatever the deletion answered.
    vault.lose_answer_to("DELETE");
    let of = RootFingerprint::of(&key);
    assert_eq!(roots.erase(RootId(1), of).await.unwrap(), RootErasure::Erased);
    assert!(!vault.keys().contains(&"lethe-root-1".to_owned()));
}

#[tokio::test]
async fn a_token_that_an_agent_replaces_in_its_file_is_read_again() {
    let vault = Vault::start(TOKEN).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let token = VaultTokenSource::File(file.clone());
    let roots = RootVault::open(RootVaultOptions { token, ..options(&vault.url()) }).unwrap();
    assert!(unread(&roots).await.contains("the token in"));
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let with_mode = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&file, mode).unwrap();
    };
    for exposed in [0o644, 0o660, 0o602] {
        with_mode(exposed);
        assert!(unread(&roots).await.contains("others can read or replace it"));
    }
    with_mode(0o640);
    roots.create(RootId(1)).await.unwrap();

    vault.replace_token("hvs.renewed");
    assert!(unread(&roots).await.contains("status 403"));
    // Somebody has taken another file for it.
    std::fs::write(&file, "a".repeat(1 << 20)).unwrap();
    assert!(unread(&roots).await.contains("it has more than"));
    std::fs::write(&file, "hvs.renewed").unwrap();

    assert!(roots.read(RootId(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_transit_key_that_is_rotated_is_the_same_root() {
    let vault = Vault::start(TOKEN).await;
    let key = roots(&vault).create(RootId(1)).await.unwrap();

    vault.rotate("lethe-root-1");

    assert_eq!(roots(&vault).read(RootId(1)).await.unwrap().unwrap().expose(), key.expose());
}

#[test]
fn vault_is_reached_in_the_clear_on_this_machine_only() {
    let refused = |url: &str| url.parse::<crate::keyring::VaultAddress>().unwrap_err().to_string();
    assert!(refused("http://vault.example:8200").contains("TLS is required"));
    for url in
        ["vault:8200", "https://u:pass@vault", "https://vault/v1", "https://vault?x", "ftp://v"]
    {
        assert!(refused(url).starts_with("this is not the URL of Vault"), "{url}");
    }
    for url in ["https://vault.example:8200", "http://127.0.0.1:8200", "http://[::1]:8200"] {
        assert_eq!(url.parse::<crate::keyring::VaultAddress>().unwrap().to_string(), url);
    }
    assert_eq!(format!("{:?}", options("http://localhost").token), "Token(<token>)");
}

#[tokio::test]
async fn a_keyring_over_vault_is_rotated_started_again_and_shared_by_two_nodes() {
    let vault = Vault::start(TOKEN).await;
    let harness = Harness::new().await;
    let start = async || harness.try_node_over(Arc::new(roots(&vault))).await.unwrap();
    let (node, second) = (start().await, start().await);
    let people = harness.people(&node, 2).await;
    all_open(&second, &people).await;

    let rotated = node.root_rotation.rotate().await.unwrap();

    assert_eq!((rotated.current, rotated.erased), (RootId(2), 1));
    assert_eq!(vault.keys(), ["lethe-root-2"]);
    all_open(&second, &people).await;
    all_open(&start().await, &people).await;
    assert!(harness.folder().list().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_people_do_costs_vault_no_request() {
    let vault = Vault::start(TOKEN).await;
    let harness = Harness::new().await;
    let node = harness.try_node_over(Arc::new(roots(&vault))).await.unwrap();
    let second = harness.try_node_over(Arc::new(roots(&vault))).await.unwrap();
    let before = vault.requests().len();

    let people = harness.people(&node, 200).await;
    all_open(&second, &people).await;

    // Each node looks every 5 seconds whether it can still read its root.
    let asked = vault.requests().len() - before;
    assert!(asked < people.len() / 2, "{asked} requests for {} people", people.len());
}

#[tokio::test]
async fn while_vault_does_not_answer_a_node_goes_on_with_the_roots_in_its_memory() {
    let vault = Vault::start(TOKEN).await;
    let harness = Harness::new().await;
    let node = harness.try_node_over(Arc::new(roots(&vault))).await.unwrap();
    let people = harness.people(&node, 2).await;
    let stranger = harness.try_node_over(Arc::new(roots(&vault))).await.unwrap();
    vault.seal();
    stranger.roots.evict(None);

    node.roots.look().await;
    stranger.roots.look().await;

    node.roots_usable().unwrap();
    let said = node.roots_reached().unwrap_err().to_string();
    assert!(said.contains("from memory") && said.contains("Vault is sealed"), "{said}");
    all_open(&node, &people).await;
    harness.people(&node, 1).await;
    let refused = node.root_rotation.rotate().await.unwrap_err();
    assert!(matches!(refused, KeyringError::Roots(RootStoreError::Vault { .. })), "{refused}");
    // One that does not have them uses no keys, and a start is refused.
    assert!(stranger.roots_usable().is_err());
    let refused = harness.try_node_over(Arc::new(roots(&vault))).await.err().unwrap();
    assert!(refused.to_string().contains("Vault is sealed"), "{refused}");

    vault.unseal();
    for node in [&node, &stranger] {
        node.roots.look().await;
        node.roots_usable().unwrap();
        node.roots_reached().unwrap();
        all_open(node, &people).await;
    }
}

#[tokio::test]
async fn a_root_that_vault_says_it_does_not_have_is_missing() {
    let vault = Vault::start(TOKEN).await;
    let harness = Harness::new().await;
    let node = harness.try_node_over(Arc::new(roots(&vault))).await.unwrap();

    vault.delete("lethe-root-1");
    node.roots.look().await;

    let said = node.roots_usable().unwrap_err().to_string();
    assert!(said.contains("root key 1, which is not in Vault at http://127.0.0.1:"), "{said}");
    assert!(said.contains("transit/keys/lethe-root-*"), "{said}");
}

#[tokio::test]
async fn an_old_root_that_vault_cannot_be_asked_about_is_kept() {
    let vault = Vault::start(TOKEN).await;
    let mut harness = Harness::new().await;
    harness.options.root_retention = TimeDelta::hours(1);
    let node = harness.try_node_over(Arc::new(roots(&vault))).await.unwrap();
    node.root_rotation.rotate().await.unwrap();
    harness
        .sql("update keyring.roots set rewrapped_at = rewrapped_at - interval '1 day'", &[])
        .await;

    vault.replace_token("hvs.another");
    let held = node.root_rotation.held().await.unwrap();
    assert!(node.root_rotation.rotate_when_due(TimeDelta::days(1)).await.is_err());

    assert!(matches!(&held[0].holds[..], [RootHold::Unreadable(why)] if why.contains("403")));
    let destroyed = "select count(*) from keyring.roots where state = 'destroyed'";
    assert_eq!(harness.count(destroyed).await, 0);
    vault.replace_token(TOKEN);
    node.root_rotation.rotate_when_due(TimeDelta::days(1)).await.unwrap();
    assert_eq!(harness.count(destroyed).await, 1);
    assert_eq!(vault.keys(), ["lethe-root-2"]);
}

/// Vault went back to a snapshot of its storage, which has the key.
#[tokio::test]
async fn an_erased_root_that_a_snapshot_of_vault_brings_back_is_erased_again() {
    let vault = Vault::start(TOKEN).await;
    let harness = Harness::new().await;
    let node = harness.try_node_over(Arc::new(roots(&vault))).await.unwrap();
    let before = vault.snapshot();
    node.root_rotation.rotate().await.unwrap();
    let now = vault.snapshot();

    vault.restore(before.into_iter().chain(now).collect());
    assert_eq!(vault.keys(), ["lethe-root-1", "lethe-root-2"]);
    node.eraser.erase_expired().await.unwrap();

    assert_eq!(vault.keys(), ["lethe-root-2"]);
}

/// The database of the keyring is lost, and nothing in it is needed to read the copy: Vault is.
#[tokio::test]
async fn a_lost_keyring_is_restored_from_its_copy_under_a_root_in_vault() {
    let vault = Vault::start(TOKEN).await;
    let copies = tempfile::tempdir().unwrap();
    let mut harness = Harness::new().await;
    harness.options.copy = Some(copies.path().to_owned());
    let node = harness.try_node_over(Arc::new(roots(&vault))).await.unwrap();
    let people = harness.people(&node, 3).await;
    node.root_rotation.rotate().await.unwrap();
    node.copy.as_ref().unwrap().update_in_turn().await.unwrap();
    drop(node);
    let lost = Harness { databases: databases().await.unwrap(), ..harness };
    let pool = connect(&lost.databases.keyring_url, &ConnectOptions::app()).await.unwrap();

    vault.seal();
    let store: Arc<dyn RootStore> = Arc::new(roots(&vault));
    let refused = restore_keyring(&pool, Arc::clone(&store), copies.path()).await.unwrap_err();
    assert!(refused.to_string().contains("Vault is sealed"), "{refused}");
    vault.unseal();
    restore_keyring(&pool, store, copies.path()).await.unwrap();

    let node = lost.try_node_over(Arc::new(roots(&vault))).await.unwrap();
    all_open(&node, &people).await;
}
