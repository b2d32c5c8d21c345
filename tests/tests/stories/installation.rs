//! A log and a keyring belong together: neither is served with another one, and an empty database is not
//! taken for one that is lost.

use std::path::Path;

use infra::postgres::{ConnectOptions, DatabaseUrl, connect_one, database_exists};
use serde_json::Value;
use test_support::empty_database;
use tests::{Installation, Person, TestServer, until};

use crate::command_line::{is_copied, printed};

/// What the start of this installation says when it refuses to serve.
async fn refused(installation: &Installation) -> String {
    match installation.try_node().await {
        Ok(_) => panic!("it serves"),
        Err(said) => said,
    }
}

/// The databases of a test are copies of one: this one becomes another installation's.
async fn another() -> Installation {
    let installation = Installation::new().await;
    let renamed = "update keyring.copy set keyring = gen_random_uuid()";
    installation.keyring().await.batch_execute(renamed).await.unwrap();
    installation
}

/// With a person in it, and a node that serves.
async fn lived_in(installation: &Installation, word: &str) -> (TestServer, Person) {
    let lethe = installation.node().await;
    let person = Person::named(word);
    person.settle(&lethe.client(), installation).await;
    (lethe, person)
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn drop_database(url: &str) {
    let url: DatabaseUrl = url.parse().unwrap();
    let admin = url.with_database("postgres");
    let admin = connect_one(&admin, &ConnectOptions::default()).await.unwrap();
    let name = url.database().unwrap();
    until("nobody uses it", async || {
        admin.batch_execute(&format!("drop database \"{name}\" with (force)")).await
    })
    .await;
}

/// Restores. A process that has just ended counts as running until PostgreSQL has noticed it.
async fn restored(installation: &Installation, arguments: &[&str]) -> (Option<i32>, String) {
    until("no node counts as running", async || {
        let (code, out, errors) = printed(&installation.run(arguments).await);
        let said = format!("{out}{errors}");
        if said.contains("stop every node first") { Err(said) } else { Ok((code, said)) }
    })
    .await
}

#[tokio::test]
async fn doctor_says_whether_an_erasure_reaches_a_copy_of_the_keyring() {
    let installation = Installation::new().await;
    assert!(installation.run(&["migrate"]).await.status.success());
    let said = async |settings: &[(&str, &str)]| {
        let (_, out, _) = printed(&installation.run_with(&["doctor"], settings).await);
        out
    };

    let (with, without) = (said(&[]).await, said(&[("copy_dir", "")]).await);
    let never = "when the copy of the keyring was complete is not known: start `lethe serve`";
    assert!(with.contains(never) && !without.contains(never), "{with}{without}");

    let copy = installation.copy_dir();
    let sentence = format!("that holds for the copy of the keyring in {}, too", copy.display());
    assert!(with.contains(&sentence), "{with}");
    assert!(without.contains("NOT reached") && !without.contains("that holds"), "{without}");
}

#[tokio::test]
async fn a_lost_keyring_is_not_replaced_by_a_new_one_and_comes_back_from_its_copy() {
    let installation = Installation::new().await;
    let (lethe, bob) = lived_in(&installation, "bob").await;
    is_copied(&installation).await;
    assert!(lethe.stop().await.success());
    drop_database(&installation.keyring_url()).await;
    let roots = files(&installation.root_dir());

    let said = refused(&installation).await;
    assert!(said.contains("`lethe restore --keyring`"), "{said}");
    let (code, _, errors) = printed(&installation.run(&["migrate"]).await);
    assert_eq!(code, Some(2), "{errors}");

    let keyring = installation.keyring_url().parse().unwrap();
    assert!(!database_exists(&keyring).await.unwrap(), "it was made");
    assert_eq!(files(&installation.root_dir()), roots);
    let (code, said) = restored(&installation, &["restore", "--keyring"]).await;
    assert_eq!(code, Some(0), "{said}");
    let lethe = installation.node().await;
    bob.sign_in(&lethe.client()).await;
    bob.try_register(&lethe.client()).await.expect(409);
}

#[tokio::test]
async fn a_new_keyring_in_place_of_the_lost_one_is_refused() {
    let installation = Installation::new().await;
    let (lethe, _) = lived_in(&installation, "bob").await;
    assert!(lethe.stop().await.success());
    let other = another().await;
    let empty = other.keyring_url();
    let installation = installation.and(&[("keyring_url", &empty), ("copy_dir", "")]);
    let roots = files(&installation.root_dir());

    let said = refused(&installation).await;

    assert!(said.contains("`lethe restore --keyring`"), "{said}");
    assert_eq!(files(&installation.root_dir()), roots);
    for words in [&["migrate"][..], &["keys", "status"], &["replay", "accounts"], &["doctor"]] {
        let (code, out, errors) = printed(&installation.run(words).await);
        assert!(matches!(code, Some(1 | 2)), "{words:?}: {out}{errors}");
        assert!(format!("{out}{errors}").contains("keyring_url"), "{words:?}: {out}{errors}");
    }
}

#[tokio::test]
async fn an_empty_events_database_under_a_mistyped_name_stops_nobody_and_is_not_made() {
    let installation = Installation::new().await;
    let (lethe, bob) = lived_in(&installation, "bob").await;
    let mails = files(&installation.mail_dir());
    let missing = format!("{} dbname=mistyped_events", installation.log_url());
    let empty = empty_database().await.unwrap();

    for url in [&missing, &empty] {
        let mistyped = [("database_url", url.as_str()), ("direct_url", url)];
        let (code, _, errors) = printed(&installation.run_with(&["serve"], &mistyped).await);

        assert_eq!(code, Some(2), "{errors}");
        assert!(errors.contains("database_url is mistyped"), "{errors}");
    }

    assert!(!database_exists(&missing.parse().unwrap()).await.unwrap(), "it was made");
    let untouched = connect_one(&empty, &ConnectOptions::default()).await.unwrap();
    let tables = "select count(*) from pg_tables where schemaname = 'event_log'";
    assert_eq!(untouched.query_one(tables, &[]).await.unwrap().get::<_, i64>(0), 0);
    assert_eq!(files(&installation.mail_dir()), mails);
    let noticed = "select count(*) from keyring.watermark where noticed_at is not null";
    let keyring = installation.keyring().await;
    assert_eq!(keyring.query_one(noticed, &[]).await.unwrap().get::<_, i64>(0), 0);
    bob.sign_in(&lethe.client()).await;
    assert!(installation.events("log.restored").await.is_empty());
    assert!(lethe.stop().await.success());
}

#[tokio::test]
async fn a_log_is_not_served_with_the_keyring_of_another_installation() {
    let (one, other) = (Installation::new().await, another().await);
    for (installation, word) in [(&one, "bob"), (&other, "eve")] {
        let (lethe, _) = lived_in(installation, word).await;
        assert!(lethe.stop().await.success());
    }
    let keyring = other.keyring_url();
    let roots = other.root_dir().display().to_string();
    let mixed = [("keyring_url", keyring.as_str()), ("root_dir", &roots), ("copy_dir", "")];

    for words in
        [&["serve"][..], &["migrate"], &["keys", "status"], &["replay", "accounts"], &["doctor"]]
    {
        let (code, out, errors) = printed(&one.run_with(words, &mixed).await);

        assert!(matches!(code, Some(1 | 2)), "{words:?}: {out}{errors}");
        assert!(format!("{out}{errors}").contains("keyring_url"), "{words:?}: {out}{errors}");
    }
}

/// `forget`: the manifest is of a version that did not say of which installation a backup is.
async fn staging_does_not_replace_production(forget: bool) {
    let (production, staging) = (Installation::new().await, another().await);
    let (lethe, bob) = lived_in(&production, "bob").await;
    assert!(lethe.stop().await.success());
    let (lethe, _) = lived_in(&staging, "eve").await;
    let backup = staging.folder().join("events");
    let folder = backup.display().to_string();
    let (code, _, errors) = printed(&staging.run(&["backup", &folder]).await);
    assert_eq!(code, Some(0), "{errors}");
    assert!(lethe.stop().await.success());
    if forget {
        forget_installation(&backup);
    }

    let (code, said) = restored(&production, &["restore", &folder, "--overwrite"]).await;

    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("installation"), "{said}");
    let lethe = production.node().await;
    bob.sign_in(&lethe.client()).await;
    assert!(production.events("log.restored").await.is_empty());
    assert!(lethe.stop().await.success());
    // And the other way round: its own backup, in place of the log of somebody else.
    let own = production.folder().join("events");
    let own = own.display().to_string();
    let (code, _, errors) = printed(&production.run(&["backup", &own]).await);
    assert_eq!(code, Some(0), "{errors}");
    let log = staging.log_url();
    let mistyped = production.and(&[("database_url", &log)]);
    let (code, said) = restored(&mistyped, &["restore", &own, "--overwrite"]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("correct database_url"), "{said}");
}

fn forget_installation(backup: &Path) {
    let path = backup.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    manifest.as_object_mut().unwrap().remove("installation");
    std::fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
}

#[tokio::test]
async fn a_backup_of_another_installation_is_not_restored_over_this_one() {
    staging_does_not_replace_production(false).await;
}

#[tokio::test]
async fn nor_is_one_that_does_not_say_of_which_it_is() {
    staging_does_not_replace_production(true).await;
}

#[tokio::test]
async fn an_own_backup_that_does_not_say_of_which_installation_it_is_is_restored() {
    let installation = Installation::new().await;
    let (lethe, bob) = lived_in(&installation, "bob").await;
    let backup = installation.folder().join("events");
    let folder = backup.display().to_string();
    let (code, _, errors) = printed(&installation.run(&["backup", &folder]).await);
    assert_eq!(code, Some(0), "{errors}");
    assert!(lethe.stop().await.success());
    forget_installation(&backup);

    let (code, said) = restored(&installation, &["restore", &folder, "--overwrite"]).await;

    assert_eq!(code, Some(0), "{said}");
    let lethe = installation.node().await;
    bob.sign_in(&lethe.client()).await;
    assert!(lethe.stop().await.success());
}

/// The databases as the migrations leave those of a version that paired none.
#[tokio::test]
async fn an_upgrade_pairs_the_log_with_its_keyring() {
    let installation = Installation::new().await;
    let (lethe, bob) = lived_in(&installation, "bob").await;
    assert!(lethe.stop().await.success());
    installation.log().await.batch_execute("delete from event_log.installation").await.unwrap();
    let unpaired = "update keyring.copy set has_log = false";
    installation.keyring().await.batch_execute(unpaired).await.unwrap();

    let lethe = installation.node().await;

    bob.sign_in(&lethe.client()).await;
    let ids = "select (select id from event_log.installation)::text";
    let id: Option<String> = installation.log().await.query_one(ids, &[]).await.unwrap().get(0);
    let paired = "select keyring::text from keyring.copy where has_log";
    let keyring: String = installation.keyring().await.query_one(paired, &[]).await.unwrap().get(0);
    assert_eq!(id, Some(keyring));
    assert!(lethe.stop().await.success());
}
