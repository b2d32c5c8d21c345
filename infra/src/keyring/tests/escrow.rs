//! An old root key is erased once its escrow has it, and never because something could not be looked at.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use async_trait::async_trait;

use super::super::{
    EscrowOptions, RootErasure, RootFingerprint, RootHold, RootId, RootStore, RootStoreError,
};
use super::*;

/// The folder of the harness, which fails where a test wants it.
struct Faulty {
    folder: RootFolder,
    /// So many reads of root 1 go well before one fails.
    reads_until_failure: Mutex<Option<u32>>,
    /// It erases none of these.
    kept: Vec<RootId>,
}

fn unreachable() -> RootStoreError {
    let reason = std::io::Error::other("a test's fault");
    RootStoreError::File { path: "a test's folder".to_owned(), reason }
}

#[async_trait]
impl RootStore for Faulty {
    async fn read(&self, id: RootId) -> Result<Option<Secret>, RootStoreError> {
        if id == RootId(1) {
            let mut left = self.reads_until_failure.lock().unwrap();
            match *left {
                Some(0) => {
                    *left = None;
                    return Err(unreachable());
                }
                Some(reads) => *left = Some(reads - 1),
                None => {}
            }
        }
        self.folder.read(id).await
    }

    async fn create(&self, id: RootId) -> Result<Secret, RootStoreError> {
        self.folder.create(id).await
    }

    async fn erase(&self, id: RootId, key: RootFingerprint) -> Result<RootErasure, RootStoreError> {
        if self.kept.contains(&id) { Err(unreachable()) } else { self.folder.erase(id, key).await }
    }

    async fn delete_mark(&self, id: RootId) -> Result<(), RootStoreError> {
        self.folder.delete_mark(id).await
    }

    async fn list(&self) -> Result<Vec<RootId>, RootStoreError> {
        self.folder.list().await
    }

    fn place(&self) -> String {
        self.folder.place()
    }
}

impl Harness {
    /// With an escrow in this folder, which only its recipient reads.
    fn escrowed_in(&mut self, name: &str) -> PathBuf {
        let dir = self.roots.path().join(name);
        self.options.escrow = Some(EscrowOptions {
            recipient: age::x25519::Identity::generate().to_public().to_string(),
            dir: dir.clone(),
            keep: TimeDelta::days(7),
        });
        dir
    }

    fn faulty(&self, reads_until_failure: Option<u32>, kept: Vec<RootId>) -> Arc<Faulty> {
        let reads_until_failure = Mutex::new(reads_until_failure);
        Arc::new(Faulty { folder: self.folder(), reads_until_failure, kept })
    }

    async fn root(&self, id: i64) -> (String, String) {
        let row = "select state, escrow from keyring.roots where root_id = $1";
        let row = self.sql(row, &[&id]).await.remove(0);
        (row.get(0), row.get(1))
    }

    async fn why_kept(&self, node: &Keyring, id: i64) -> Vec<&'static str> {
        let held = node.root_rotation.held().await.unwrap();
        let of = held.into_iter().find(|held| held.id == RootId(id));
        of.map_or_else(Vec::new, |held| held.holds.iter().map(RootHold::as_str).collect())
    }

    async fn hours_pass_since_the_last_wrap(&self) {
        let age = "update keyring.roots set rewrapped_at = rewrapped_at - interval '2 hours'
            where rewrapped_at is not null";
        self.sql(age, &[]).await;
    }
}

fn swap(place: &Path, away: &Path) {
    std::fs::rename(place, away).unwrap();
    std::fs::create_dir(place).unwrap();
}

/// Which read it is that asks for the escrow depends on who looks before: each of them fails once.
#[tokio::test]
async fn no_root_is_erased_without_its_escrow_because_a_read_failed() {
    let mut escrowed = 0;
    for reads in 0..8 {
        let mut harness = Harness::new().await;
        let escrow = harness.escrowed_in("escrow");
        harness.people(&harness.node().await, 1).await;
        let store = harness.faulty(None, Vec::new());
        let node = harness.try_node_over(Arc::<Faulty>::clone(&store)).await.unwrap();
        *store.reads_until_failure.lock().unwrap() = Some(reads);

        for _ in 0..2 {
            // It may be the read of this turn that fails.
            let _ = node.root_rotation.rotate_when_due(TimeDelta::zero()).await;
        }

        let is_escrowed = escrow.join("root-1.age").exists();
        escrowed += u32::from(is_escrowed);
        let erased = harness.root(1).await.0 == "destroyed";
        assert!(!erased || is_escrowed, "after {reads} reads");
    }
    assert!(escrowed > 0, "the control");
}

#[tokio::test]
async fn an_escrow_whose_disk_is_not_mounted_takes_no_root() {
    let mut harness = Harness::new().await;
    let escrow = harness.escrowed_in("escrow");
    let away = harness.roots.path().join("away");
    let node = harness.node().await;
    harness.people(&node, 1).await;
    node.root_rotation.rotate().await.unwrap();
    assert_eq!(harness.root(1).await, ("destroyed".to_owned(), "held".to_owned()));
    swap(&escrow, &away);

    let refused = node.root_rotation.rotate().await;

    assert!(refused.unwrap_err().to_string().contains("mount its disk"));
    assert_eq!(harness.root(2).await, ("retiring".to_owned(), "none".to_owned()));
    assert!(std::fs::read_dir(&escrow).unwrap().next().is_none(), "it is not marked");
    std::fs::remove_dir(&escrow).unwrap();
    std::fs::rename(&away, &escrow).unwrap();
    node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap();
    assert_eq!(harness.root(2).await, ("destroyed".to_owned(), "held".to_owned()));
}

/// Of another escrow, which has no such file.
#[tokio::test]
async fn a_file_that_is_not_found_in_the_escrow_is_not_destroyed() {
    let mut harness = Harness::new().await;
    let escrow = harness.escrowed_in("escrow");
    let away = harness.roots.path().join("away");
    let node = harness.node().await;
    node.root_rotation.rotate().await.unwrap();
    swap(&escrow, &away);
    std::fs::copy(away.join("lethe-escrow"), escrow.join("lethe-escrow")).unwrap();
    harness.days_pass(8);

    let expired = node.eraser.erase_expired().await.unwrap();

    assert_eq!(expired.escrows, 0);
    assert_eq!(harness.root(1).await, ("destroyed".to_owned(), "held".to_owned()));
    std::fs::remove_dir_all(&escrow).unwrap();
    std::fs::rename(&away, &escrow).unwrap();
    assert_eq!(node.eraser.erase_expired().await.unwrap().escrows, 1);
    assert_eq!(harness.root(1).await, ("destroyed".to_owned(), "destroyed".to_owned()));
    let left: Vec<_> =
        std::fs::read_dir(&escrow).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["lethe-escrow"]);
}

#[tokio::test]
async fn an_escrow_that_cannot_be_written_is_refused_by_the_first_start() {
    let mut harness = Harness::new().await;
    harness.escrowed_in("roots-file/escrow");
    std::fs::write(harness.roots.path().join("roots-file"), "").unwrap();

    let refused = harness.try_node().await.err().unwrap().to_string();

    assert!(refused.contains("escrow_dir"), "{refused}");
}

#[tokio::test]
async fn a_root_that_nothing_holds_and_that_is_not_erased_is_counted_and_holds_back_no_other() {
    let harness = Harness::new().await;
    harness.people(&harness.node().await, 1).await;
    let node = harness.try_node_over(harness.faulty(None, vec![RootId(1)])).await.unwrap();

    node.root_rotation.rotate().await.unwrap_err();
    node.root_rotation.rotate().await.unwrap_err();

    assert_eq!(harness.root(1).await.0, "retiring");
    assert_eq!(harness.root(2).await.0, "destroyed");
    assert_eq!(harness.why_kept(&node, 1).await, [""; 0], "it is tried again within a minute");
    harness.hours_pass_since_the_last_wrap().await;
    assert_eq!(harness.why_kept(&node, 1).await, ["due"]);
}
