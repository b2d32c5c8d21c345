//! The folder of a backup, and the programme that writes it.

use std::fs::{Permissions, metadata, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use test_support::databases;

use super::url;
use crate::backup::tools::authorities;
use crate::backup::{BackupError, back_up};

fn mode(path: &Path) -> u32 {
    metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn a_folder_that_was_there_keeps_its_mode_and_what_is_written_is_closed_to_others() {
    let databases = databases().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let new = folder.path().join("new");

    back_up(&url(&databases), None, &new, |_| {}).await.unwrap();
    std::fs::remove_dir_all(&new).unwrap();
    std::fs::create_dir(&new).unwrap();
    set_permissions(&new, Permissions::from_mode(0o755)).unwrap();
    back_up(&url(&databases), None, &new, |_| {}).await.unwrap();

    assert_eq!(mode(&new), 0o755);
    for file in std::fs::read_dir(&new).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn a_folder_that_others_may_write_to_is_refused() {
    let databases = databases().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();

    let refused = back_up(&url(&databases), None, folder.path(), |_| {}).await;

    assert!(matches!(refused, Err(BackupError::Open(_))), "{refused:?}");
    assert_eq!(mode(folder.path()), 0o1777);
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

/// Debian 12 has libpq 15, to which `system` is the name of a file.
#[test]
fn the_webs_authorities_are_named_as_the_programme_knows_them() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (there, missing) = (file.path(), Path::new("/nowhere/authorities.pem"));

    assert_eq!(authorities(&[missing, there], 15).unwrap(), there);
    assert_eq!(authorities(&[there], 18).unwrap(), there);
    assert_eq!(authorities(&[missing], 16).unwrap(), Path::new("system"));
    assert_eq!(authorities(&[missing], 15), None);
}
