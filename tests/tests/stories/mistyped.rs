//! A mistyped path or name makes nothing: only `serve` and `migrate` create what is not there.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Command;
use infra::postgres::{ConnectOptions, connect_one};
use test_support::{empty_database, until};
use tests::{Installation, Person};

use crate::command_line::printed;

/// What creates, and what needs no database.
const OTHERS: [&str; 4] = ["serve", "migrate", "config", "help"];
/// One of them fits any argument that a subcommand needs.
const ARGUMENTS: [&str; 4] = [
    "accounts",
    "00000000-0000-0000-0000-000000000000",
    "1",
    "00000000-0000-0000-0000-000000000000 00000000-0000-0000-0000-000000000000",
];

/// Every subcommand that works on what is there, with the arguments that it needs.
pub(crate) fn subcommands() -> Vec<Vec<String>> {
    let root = services::cli::command();
    let mut found = Vec::new();
    for command in root.get_subcommands().filter(|command| !OTHERS.contains(&command.get_name())) {
        collect(command, vec![command.get_name().to_owned()], &mut found);
    }
    for path in &mut found {
        let fits = [""].iter().chain(&ARGUMENTS).find(|argument| {
            let line = ["lethe"].into_iter().chain(path.iter().map(String::as_str));
            let line = line.chain(argument.split_whitespace());
            root.clone().try_get_matches_from(line).is_ok()
        });
        path.extend(fits.expect("an argument that fits").split_whitespace().map(str::to_owned));
    }
    found
}

fn collect(command: &Command, path: Vec<String>, found: &mut Vec<Vec<String>>) {
    if !command.has_subcommands() {
        found.push(path);
        return;
    }
    for below in command.get_subcommands() {
        collect(below, [path.clone(), vec![below.get_name().to_owned()]].concat(), found);
    }
}

/// Everything below a folder.
pub(crate) fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            found.insert(path.display().to_string());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// The databases that a test does not make.
async fn named(url: &str, pattern: &str) -> i64 {
    let client = connect_one(url, &ConnectOptions::default()).await.unwrap();
    let count = "select count(*) from pg_database where datname like $1";
    client.query_one(count, &[&pattern]).await.unwrap().get(0)
}

/// Runs every subcommand on what is not there, and answers what each said.
async fn refused(installation: &Installation, says: &str) {
    let before = files(installation.folder());
    for subcommand in subcommands() {
        let words: Vec<&str> = subcommand.iter().map(String::as_str).collect();

        let (code, out, errors) = printed(&installation.run(&words).await);

        assert_eq!(code, Some(2), "{words:?}: {out}{errors}");
        assert_eq!((out.as_str(), errors.lines().count()), ("", 1), "{words:?}: {errors}");
        assert!(errors.contains(says), "{words:?}: {errors}");
        assert_eq!(files(installation.folder()), before, "{words:?}");
    }
}

#[test]
fn every_subcommand_that_is_tried_is_known() {
    let subcommands = subcommands();
    let is_there = |path: &[&str]| subcommands.iter().any(|found| found == path);

    assert!(subcommands.len() >= 10, "{subcommands:?}");
    assert!(is_there(&["doctor"]) && is_there(&["token", "create"]), "{subcommands:?}");
    assert!(is_there(&["replay", "accounts"]) && is_there(&["work"]), "{subcommands:?}");
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named_and_not_made() {
    let installation = Installation::private(&[]);

    refused(&installation, "there are no databases in").await;
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named_and_not_made() {
    let server = empty_database().await.unwrap();
    let log = format!("{server} dbname=mistyped_log");
    let keyring = format!("{server} dbname=mistyped_keys");
    for (settings, says) in [
        ([("database_url", log.as_str()), ("keyring_url", &keyring)], "/mistyped_log yet"),
        ([("database_url", server.as_str()), ("keyring_url", &keyring)], "/mistyped_keys yet"),
    ] {
        let installation = Installation::with(&settings).await;

        refused(&installation, says).await;

        assert_eq!(named(&server, "mistyped%").await, 0);
    }
}

#[tokio::test]
async fn a_folder_of_root_keys_that_is_not_there_is_not_made() {
    let installation = Installation::new().await;
    assert!(installation.run(&["migrate"]).await.status.success());
    let typo = installation.folder().join("rots").display().to_string();
    let before = files(installation.folder());

    // A backup needs no key, and makes the folder that it is given.
    for subcommand in subcommands().into_iter().filter(|words| words[0] != "backup") {
        let words: Vec<&str> = subcommand.iter().map(String::as_str).collect();
        let (code, out, errors) =
            printed(&installation.run_with(&words, &[("root_dir", &typo)]).await);

        assert_eq!(files(installation.folder()), before, "{words:?}");
        // A replay needs no key.
        if words[0] != "replay" {
            assert!(matches!(code, Some(1 | 2)), "{words:?}: {out}{errors}");
        }
        // A restore is refused before, since its database is in use; what is stated of a copy needs no key.
        let needs_key = !["replay", "restore"].contains(&words[0]) && !words.contains(&"copy-lost");
        if needs_key {
            assert!(format!("{out}{errors}").contains(&typo), "{words:?}: {out}{errors}");
        }
    }
}

#[tokio::test]
async fn only_serve_and_migrate_make_the_first_root_key() {
    let installation = Installation::new().await;
    let before = files(installation.folder());
    for words in [&["keys", "status"][..], &["token", "create"], &["api"], &["work"]] {
        let (code, _, errors) = printed(&installation.run(words).await);

        assert_eq!(code, Some(2), "{words:?}: {errors}");
        assert!(errors.contains("no root key yet: run `lethe migrate`"), "{words:?}: {errors}");
        assert_eq!(files(installation.folder()), before, "{words:?}");
    }

    assert!(installation.run(&["migrate"]).await.status.success());
    let (code, out, errors) = printed(&installation.run(&["keys", "status"]).await);
    assert_eq!(code, Some(0), "{errors}");
    assert!(out.contains("root       1"), "{out}");
}

/// A fresh server without any database of Lethe.
#[tokio::test]
async fn six_nodes_that_start_at_once_on_a_fresh_server_all_serve() {
    let server = empty_database().await.unwrap();
    let log = format!("{server} dbname=six_starts");
    let keyring = format!("{server} dbname=six_starts_keys");
    let settings = [("database_url", log.as_str()), ("keyring_url", keyring.as_str())];
    let installation = Installation::with(&settings).await;

    let starts = (0..6).map(|_| installation.try_node());
    let nodes = futures_util::future::join_all(starts).await;

    let nodes: Vec<_> = nodes.into_iter().map(Result::unwrap).collect();
    for node in &nodes {
        until("the node is ready", async || node.client().get("/readyz").await.status == 200).await;
    }
    let ada = Person::named("ada");
    ada.settle(&nodes[0].client(), &installation).await;
    for node in nodes {
        ada.sign_in(&node.client()).await;
        assert!(node.stop().await.success());
    }
}
