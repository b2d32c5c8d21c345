//! The folder of root keys: only its owner can read it, and it is outside the data directory.

use std::os::unix::fs::PermissionsExt;

use super::super::{RootErasure, RootFingerprint, RootId, RootStore, RootStoreError, Secret};
use super::*;

#[tokio::test]
async fn a_root_is_a_file_of_its_owner_and_is_overwritten_before_it_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let roots = RootFolder::open(&dir.path().join("roots"), None).unwrap();
    let key = roots.create(RootId(3)).await.unwrap();
    let path = dir.path().join("roots/root-3.key");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let same_blocks = dir.path().join("linked");
    std::fs::hard_link(&path, &same_blocks).unwrap();

    let erased = roots.erase(RootId(3), RootFingerprint::of(&key)).await.unwrap();

    assert_eq!(erased, RootErasure::Erased);
    assert!(!path.exists());
    assert_eq!(std::fs::read(same_blocks).unwrap(), [0; 65]);
}

#[tokio::test]
async fn an_erasure_that_a_crash_has_cut_short_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let roots = RootFolder::open(dir.path(), None).unwrap();
    let key = roots.create(RootId(1)).await.unwrap();
    let of = RootFingerprint::of(&key);
    std::fs::write(dir.path().join("root-1.erased"), hex::encode(of.as_bytes())).unwrap();
    assert_eq!(roots.erase(RootId(1), of).await.unwrap(), RootErasure::Erased);
    assert!(!dir.path().join("root-1.key").exists());

    // It was overwritten already, and not deleted.
    put_root(dir.path(), 1, &key);
    std::fs::write(dir.path().join("root-1.key"), [0; 65]).unwrap();
    assert_eq!(roots.erase(RootId(1), of).await.unwrap(), RootErasure::Erased);
    assert!(!dir.path().join("root-1.key").exists());
}

#[tokio::test]
async fn a_root_that_is_refused_leaves_no_file_behind() {
    let dir = tempfile::tempdir().unwrap();
    let roots = RootFolder::open(dir.path(), None).unwrap();
    roots.create(RootId(1)).await.unwrap();

    let refused = roots.create(RootId(1)).await.err().unwrap();

    assert!(matches!(refused, RootStoreError::Taken { .. }), "{refused}");
    let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["root-1.key"]);
}

#[tokio::test]
async fn a_folder_that_is_missing_is_made_with_the_first_root() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys/roots");

    let roots = RootFolder::open(&path, None).unwrap();
    assert!(roots.read(RootId(1)).await.unwrap().is_none());
    assert!(roots.list().await.unwrap().is_empty());
    assert!(!dir.path().join("keys").exists());

    roots.create(RootId(1)).await.unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(roots.list().await.unwrap(), [RootId(1)]);
}

#[tokio::test]
async fn a_root_that_others_can_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let roots = RootFolder::open(dir.path(), None).unwrap();
    roots.create(RootId(1)).await.unwrap();
    let path = dir.path().join("root-1.key");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = roots.read(RootId(1)).await.unwrap_err();
    assert!(matches!(error, RootStoreError::Exposed { mode: 0o640, .. }));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&path, "not a key").unwrap();
    let error = roots.read(RootId(1)).await.unwrap_err();
    assert!(matches!(error, RootStoreError::NotAKey { .. }));
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let error = RootFolder::open(dir.path(), None).unwrap_err();
    assert!(matches!(error, RootStoreError::Exposed { .. }));
}

#[test]
fn a_folder_in_the_data_directory_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let inside = data.path().join("keys/roots");
    let error = RootFolder::open(&inside, Some(data.path())).unwrap_err();
    assert!(matches!(error, RootStoreError::InsideData { .. }));
    let outside = tempfile::tempdir().unwrap();
    let link = outside.path().join("roots");
    std::os::unix::fs::symlink(&inside, &link).unwrap();
    let error = RootFolder::open(&link, Some(data.path())).unwrap_err();
    assert!(matches!(error, RootStoreError::InsideData { .. }));
    RootFolder::open(&outside.path().join("other"), Some(data.path())).unwrap();
}

#[test]
fn a_secret_shows_nothing() {
    assert_eq!(format!("{:?}", Secret::from_bytes([1; 32])), "<secret>");
}
