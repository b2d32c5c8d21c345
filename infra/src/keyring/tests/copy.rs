//! The copy of the keyring: what it holds, what waits for it, and what it puts in place again.

use std::path::PathBuf;

use domain::SubjectId;
use test_support::databases;

use super::super::{CopyUpdate, RootHold, RootId, RootStore, restore_keyring};
use super::*;

const TABLES: [&str; 7] =
    ["roots", "keys", "shards", "erasures", "email_generations", "copy", "shard_history"];
/// Of one installation, and of its server.
const OWN: [&str; 2] = ["copy", "shard_history"];

impl Harness {
    pub(super) async fn with_copy() -> Self {
        let mut harness = Self::new().await;
        harness.options.copy = Some(harness.copies());
        harness
    }

    pub(super) fn copies(&self) -> PathBuf {
        self.roots.path().join("copies")
    }

    /// The names of the copy's files.
    pub(super) fn copied(&self) -> Vec<String> {
        let Some(folder) = std::fs::read_dir(self.copies()).unwrap().next() else { return vec![] };
        let files = std::fs::read_dir(folder.unwrap().path()).unwrap();
        let mut names: Vec<String> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// As a base backup of the data directory has the tables.
    pub(super) async fn back_up(&self) {
        for table in TABLES {
            self.sql(&format!("drop table if exists public.{table}"), &[]).await;
            self.sql(&format!("create table public.{table} as table keyring.{table}"), &[]).await;
        }
    }

    /// As if the data directory were that of [`Self::back_up`].
    pub(super) async fn take_back(&self) {
        let owner = ConnectOptions::default();
        let client = connect_one(&self.databases.keyring_url, &owner).await.unwrap();
        client.batch_execute("set session_replication_role = replica").await.unwrap();
        for table in TABLES {
            let back = format!(
                "delete from keyring.{table};
                 insert into keyring.{table} overriding system value table public.{table}"
            );
            client.batch_execute(&back).await.unwrap();
        }
    }

    pub(super) async fn restore(&self) -> Result<u64, KeyringError> {
        let pool = connect(&self.databases.keyring_url, &ConnectOptions::app()).await?;
        let restored = restore_keyring(&pool, Arc::new(self.folder()), &self.copies()).await?;
        Ok(restored.rows)
    }

    /// Every row of the tables, without what is about the transaction that wrote it. No shard key that is merged is
    /// live.
    pub(super) async fn rows(&self) -> Vec<String> {
        let mut all = Vec::new();
        for table in TABLES.iter().filter(|table| !OWN.contains(table)) {
            let state = if *table == "shards" { "state" } else { "" };
            let rows = format!(
                "select '{table} ' || (to_jsonb(t) - 'changed_by' - '{state}')::text
                from keyring.{table} t order by 1"
            );
            all.extend(self.sql(&rows, &[]).await.iter().map(|row| row.get::<_, String>(0)));
        }
        all
    }
}

pub(super) async fn update(node: &Keyring) -> CopyUpdate {
    node.copy.as_ref().unwrap().update().await.unwrap()
}

#[tokio::test]
async fn an_empty_database_gets_every_row_of_the_copy() {
    let mut harness = Harness::with_copy().await;
    let node = harness.node().await;
    let before = harness.people(&node, 3).await;
    assert_eq!(update(&node).await, CopyUpdate::Base);
    assert_eq!(update(&node).await, CopyUpdate::Unchanged);
    let after = harness.people(&node, 2).await;
    node.eraser.erase_subject(before[0].0.into()).await.unwrap();
    let due = noon() + TimeDelta::days(1);
    let subject = SubjectId(before[0].0.0);
    node.ledger.request(super::super::SubjectKind::Account, subject, due, [7; 32]).await.unwrap();
    assert_eq!(update(&node).await, CopyUpdate::Changes);
    assert_eq!(harness.copied(), ["base-1.copy", "changes-2.copy"]);
    let rows = harness.rows().await;

    harness.databases = databases().await.unwrap();
    harness.restore().await.unwrap();

    assert_eq!(harness.rows().await, rows);
    let node = harness.node().await;
    all_open(&node, &before[1..]).await;
    all_open(&node, &after).await;
    let (erased, sealed) = &before[0];
    assert!(matches!(opened(&node, *erased, sealed).await, Err(OpenError::Erased)));
    assert_eq!(update(&node).await, CopyUpdate::Base, "it follows the copy");
}

/// As `lethe migrate` makes one in place of a database that is lost.
#[tokio::test]
async fn a_new_keyring_with_a_root_of_its_own_takes_the_copy() {
    let mut harness = Harness::with_copy().await;
    let node = harness.node().await;
    let people = harness.people(&node, 3).await;
    update(&node).await;
    std::fs::create_dir(harness.copies().join("lost+found")).unwrap();
    std::fs::write(harness.copies().join("lost+found/base-1.copy"), "").unwrap();
    harness.databases = databases().await.unwrap();
    let pool = connect(&harness.databases.keyring_url, &ConnectOptions::app()).await.unwrap();
    let (roots, clock) = (Arc::new(harness.folder()), harness.clock.clone());
    Keyring::create_first_root(pool, roots, clock).await.unwrap();

    harness.restore().await.unwrap();

    let node = harness.node().await;
    all_open(&node, &people).await;
    assert_eq!(node.status().await.unwrap().root, RootId(2));
    // The root of the copy waits until the keys are wrapped again, and copied.
    let rotated = node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap().unwrap();
    assert_eq!(rotated.erased, 1);
    all_open(&harness.node().await, &people).await;
}

/// Numbers that are drawn before the commit would skip the row.
#[tokio::test]
async fn a_row_that_is_committed_late_is_in_the_next_file() {
    let mut harness = Harness::with_copy().await;
    let node = harness.node().await;
    update(&node).await;
    let owner = ConnectOptions::default();
    let mut late = connect_one(&harness.databases.keyring_url, &owner).await.unwrap();
    let late = late.transaction().await.unwrap();
    let request =
        "insert into keyring.erasures (subject, requested_at, due, claim_code_hash, state)
        values ($1, now(), now(), $2, 'requested')";
    let subjects = [harness.person().0, harness.person().0];
    late.execute(request, &[&subjects[0], &b"late".as_slice()]).await.unwrap();
    harness.sql(request, &[&subjects[1], &b"early".as_slice()]).await;
    assert_eq!(update(&node).await, CopyUpdate::Changes);
    assert_eq!(update(&node).await, CopyUpdate::Unchanged, "what was copied is not copied again");

    late.commit().await.unwrap();

    assert_eq!(update(&node).await, CopyUpdate::Changes);
    let rows = harness.rows().await;
    harness.databases = databases().await.unwrap();
    harness.restore().await.unwrap();
    assert_eq!(harness.rows().await, rows);
}

#[tokio::test]
async fn a_root_waits_until_the_copy_has_the_keys_under_the_next() {
    let harness = Harness::with_copy().await;
    let node = harness.node().await;
    let people = harness.people(&node, 2).await;
    update(&node).await;
    let old = harness.copied();
    // As a full disk: nothing can be made in it.
    let folder = std::fs::read_dir(harness.copies()).unwrap().next().unwrap().unwrap().path();
    let away = folder.with_extension("away");
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, "").unwrap();

    let rotated = node.root_rotation.rotate().await.unwrap();

    assert_eq!((rotated.shards, rotated.erased), (2, 0));
    let held = node.root_rotation.held().await.unwrap();
    assert_eq!((held[0].id, &held[0].holds), (RootId(1), &vec![RootHold::NotCopied]));
    assert!(harness.root_file(1).exists());

    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    assert_eq!(harness.copied(), old);
    let erased = node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap().unwrap();
    assert_eq!(erased.erased, 1);
    assert_eq!(harness.folder().list().await.unwrap(), [RootId(2)]);
    assert_eq!(harness.copied().len(), 1, "the files under the old root are gone");
    all_open(&node, &people).await;
}

#[tokio::test]
async fn an_escrow_takes_the_place_of_the_copy() {
    let mut harness = Harness::with_copy().await;
    harness.options.escrow = Some(super::super::EscrowOptions {
        recipient: "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p".to_owned(),
        dir: harness.roots.path().join("escrow"),
        keep: TimeDelta::days(7),
    });
    let node = harness.node().await;
    harness.people(&node, 1).await;
    // No copy can be written.
    std::fs::write(harness.copies(), "").unwrap();

    assert_eq!(node.root_rotation.rotate().await.unwrap().erased, 1);
}

/// A base backup is restored a day later: its root is erased since.
#[tokio::test]
async fn a_keyring_that_went_back_is_refused_and_restored_from_the_copy() {
    let harness = Harness::with_copy().await;
    let node = harness.node().await;
    let people = harness.people(&node, 3).await;
    update(&node).await;
    harness.back_up().await;
    node.eraser.erase_subject(people[0].0.into()).await.unwrap();
    for _ in 0..2 {
        node.root_rotation.rotate().await.unwrap();
    }
    let new = harness.people(&node, 2).await;
    update(&node).await;
    let rows = harness.rows().await;
    drop(node);
    harness.take_back().await;

    let refused = harness.try_node().await.err().unwrap();

    assert!(matches!(refused, KeyringError::WentBack { .. }), "{refused:?}");
    assert!(refused.to_string().contains("run `lethe restore --keyring`"), "{refused}");
    harness.restore().await.unwrap();
    assert_eq!(harness.rows().await, rows);
    let node = harness.node().await;
    all_open(&node, &people[1..]).await;
    all_open(&node, &new).await;
    let (erased, sealed) = &people[0];
    assert!(matches!(opened(&node, *erased, sealed).await, Err(OpenError::Erased)));
    let again = harness.restore().await.err().unwrap();
    assert!(matches!(again, KeyringError::NothingToRestore(_)), "{again:?}");
}

/// A keyring of two people that went back behind its copy, to before the first was erased.
pub async fn forgot_an_erasure() -> (Harness, Vec<(AccountId, Sealed)>) {
    let harness = Harness::with_copy().await;
    let node = harness.node().await;
    let people = harness.people(&node, 2).await;
    update(&node).await;
    harness.back_up().await;
    node.eraser.erase_subject(people[0].0.into()).await.unwrap();
    update(&node).await;
    drop(node);
    harness.take_back().await;
    (harness, people)
}

/// Its roots are still there, so that nothing but the copy says it.
#[tokio::test]
async fn a_keyring_that_went_back_an_hour_is_refused_too() {
    let (harness, people) = forgot_an_erasure().await;

    let refused = harness.try_node().await.err().unwrap();

    assert!(matches!(refused, KeyringError::WentBack { .. }), "{refused:?}");
    harness.restore().await.unwrap();
    let (erased, sealed) = &people[0];
    let node = harness.node().await;
    assert!(matches!(opened(&node, *erased, sealed).await, Err(OpenError::Erased)));
}

/// A server failed over to a standby that lacked the end, and was used since.
#[tokio::test]
async fn what_a_keyring_learned_after_it_went_back_stays() {
    let mut harness = Harness::with_copy().await;
    let node = harness.node().await;
    let people = harness.people(&node, 3).await;
    update(&node).await;
    harness.back_up().await;
    let lost = harness.people(&node, 1).await;
    node.eraser.erase_subject(people[0].0.into()).await.unwrap();
    update(&node).await;
    drop(node);
    harness.take_back().await;
    // Nothing but the copy says that it went back, and the root of its time is kept.
    let (copy, retention) = (harness.options.copy.take(), harness.options.root_retention);
    harness.options.root_retention = TimeDelta::days(1);
    let node = harness.node().await;
    (harness.options.copy, harness.options.root_retention) = (copy, retention);
    let made = harness.people(&node, 1).await;
    node.eraser.erase_subject(people[1].0.into()).await.unwrap();
    node.root_rotation.rotate().await.unwrap();
    drop(node);

    harness.restore().await.unwrap();

    let node = harness.node().await;
    all_open(&node, &people[2..]).await;
    all_open(&node, &lost).await;
    all_open(&node, &made).await;
    for (erased, sealed) in &people[..2] {
        assert!(matches!(opened(&node, *erased, sealed).await, Err(OpenError::Erased)));
    }
    assert_eq!(update(&node).await, CopyUpdate::Base);
}

/// A column that a later migration adds must be copied, too.
#[tokio::test]
async fn every_column_is_merged() {
    let harness = Harness::new().await;
    let columns = "select table_name || '.' || column_name from information_schema.columns
        where table_schema = 'keyring' and column_name <> 'changed_by' order by 1";
    // Those of one installation, or of running nodes only.
    let others = [
        "copy.",
        "function_revisions.",
        "invalidations.",
        "last_invalidation.",
        "shard_history.",
        "watermark.",
    ];
    let columns = harness.sql(columns, &[]).await;
    let columns = columns.iter().map(|row| row.get::<_, String>(0));
    let columns: Vec<String> =
        columns.filter(|column| !others.iter().any(|other| column.starts_with(other))).collect();
    assert!(columns.len() > 30, "{columns:?}");

    let merges = super::super::copy::merges();
    for column in columns {
        let (table, column) = column.split_once('.').unwrap();
        let merge = merges.iter().find(|(name, _)| *name == table);
        let (_, merge) = merge.unwrap_or_else(|| panic!("{table} is not copied"));
        assert!(merge.contains(column), "{table}.{column} is not copied");
    }
}
