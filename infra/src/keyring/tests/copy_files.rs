//! The files of the copy: what they show, and what is noticed about them.

use std::path::Path;

use super::super::{CopyUpdate, KeyringError};
use super::copy::update;
use super::*;

/// A keyring with people and its copy: a base and two files of changes.
pub(super) async fn copied() -> (Harness, Keyring, Vec<(AccountId, Sealed)>, std::path::PathBuf) {
    let harness = Harness::with_copy().await;
    let node = harness.node().await;
    let mut people = harness.people(&node, 2).await;
    assert_eq!(update(&node).await, CopyUpdate::Base);
    for _ in 0..2 {
        people.extend(harness.people(&node, 1).await);
        assert_eq!(update(&node).await, CopyUpdate::Changes);
    }
    assert_eq!(harness.copied(), ["base-1.copy", "changes-2.copy", "changes-3.copy"]);
    let folder = std::fs::read_dir(harness.copies()).unwrap().next().unwrap().unwrap().path();
    (harness, node, people, folder)
}

async fn refused(harness: &mut Harness) -> KeyringError {
    harness.databases = test_support::databases().await.unwrap();
    let refused = harness.restore().await.expect_err("it is restored");
    let rows = harness.count("select count(*) from keyring.keys").await
        + harness.count("select count(*) from keyring.roots").await;
    assert_eq!(rows, 0, "something was changed");
    refused
}

fn is_damage(error: &KeyringError) -> bool {
    matches!(error, KeyringError::CopyDamaged { .. })
}

#[tokio::test]
async fn the_files_show_no_subject_and_no_key() {
    let (harness, _node, people, folder) = copied().await;
    let wrapped =
        harness.sql("select wrapped from keyring.keys where wrapped is not null", &[]).await;
    for name in harness.copied() {
        let bytes = std::fs::read(folder.join(&name)).unwrap();
        let shows = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
        assert!(shows(b"snapshot"), "a search that finds nothing proves nothing");
        for (person, _) in &people {
            assert!(!shows(person.0.as_bytes()), "{name}");
            assert!(!shows(person.0.to_string().as_bytes()), "{name}");
        }
        for row in &wrapped {
            let wrapped: Vec<u8> = row.get(0);
            assert!(!shows(&wrapped) && !shows(hex::encode(&wrapped).as_bytes()), "{name}");
        }
    }
}

#[tokio::test]
async fn a_file_that_was_changed_anywhere_is_refused_and_nothing_is_restored() {
    let (mut harness, _node, ..) = copied().await;
    let folder = std::fs::read_dir(harness.copies()).unwrap().next().unwrap().unwrap().path();
    let path = folder.join("changes-2.copy");
    let whole = std::fs::read(&path).unwrap();
    let header = whole.iter().position(|byte| *byte == b'\n').unwrap();
    let places = [header - 3, header + 3, header + 40, whole.len() - 25, whole.len() - 1];
    for place in places {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        std::fs::write(&path, changed).unwrap();
        let error = refused(&mut harness).await;
        assert!(is_damage(&error), "{place}: {error:?}");
    }
    // Without its last frame; cut within one; with something after the end.
    for end in [whole.len() - 20, whole.len() - 5, header + 1] {
        std::fs::write(&path, &whole[..end]).unwrap();
        assert!(is_damage(&refused(&mut harness).await), "{end}");
    }
    std::fs::write(&path, [whole.as_slice(), b"x"].concat()).unwrap();
    assert!(is_damage(&refused(&mut harness).await));

    std::fs::write(&path, whole).unwrap();
    harness.restore().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_missing_or_another_is_noticed() {
    let (mut harness, _node, _, folder) = copied().await;
    let (middle, last) = (folder.join("changes-2.copy"), folder.join("changes-3.copy"));
    let away = folder.join("away");
    std::fs::rename(&middle, &away).unwrap();
    assert!(is_damage(&refused(&mut harness).await));

    std::fs::copy(&last, &middle).unwrap();
    assert!(is_damage(&refused(&mut harness).await), "its number is another");
    std::fs::rename(&away, &middle).unwrap();
    harness.restore().await.unwrap();
}

/// The files of before a rotation die with their root, whoever has kept them.
#[tokio::test]
async fn old_files_do_not_open_once_their_root_is_erased() {
    let (mut harness, node, people, folder) = copied().await;
    let kept = tempfile::tempdir().unwrap();
    for name in harness.copied() {
        std::fs::copy(folder.join(&name), kept.path().join(&name)).unwrap();
    }
    node.eraser.erase_subject(people[0].0.into()).await.unwrap();
    update(&node).await;

    assert_eq!(node.root_rotation.rotate().await.unwrap().erased, 1);

    assert_eq!(harness.copied().len(), 1, "one base");
    std::fs::remove_dir_all(&folder).unwrap();
    copy_files(kept.path(), &folder);
    let error = refused(&mut harness).await;
    assert!(error.to_string().contains("root key 1, which is not in"), "{error}");
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[tokio::test]
async fn a_folder_that_was_emptied_gets_a_new_base() {
    let (harness, node, _, folder) = copied().await;
    for name in harness.copied() {
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    assert_eq!(update(&node).await, CopyUpdate::Base);
}

/// The folder of another machine: what it lacks is in none of its files.
#[tokio::test]
async fn a_folder_that_missed_a_file_gets_a_new_base() {
    let (mut harness, node, ..) = copied().await;
    let first = harness.options.copy.replace(harness.roots.path().join("other"));
    let other = harness.node().await;
    assert_eq!(update(&other).await, CopyUpdate::Base);
    harness.people(&node, 1).await;
    assert_eq!(update(&other).await, CopyUpdate::Changes);

    assert_eq!(update(&node).await, CopyUpdate::Base);

    assert_eq!(first, Some(harness.copies()));
    assert_eq!(harness.copied(), ["base-6.copy"]);
}

/// Killed between the file and its row.
#[tokio::test]
async fn a_file_that_was_not_noted_is_followed_by_a_base() {
    let (harness, node, ..) = copied().await;
    let forget = "update keyring.copy set written = 2, written_token = gen_random_uuid()";
    harness.sql(forget, &[]).await;

    assert_eq!(update(&node).await, CopyUpdate::Base);
    assert_eq!(harness.copied(), ["base-4.copy"]);
}

#[tokio::test]
async fn two_writers_take_turns() {
    let (harness, node, ..) = copied().await;
    let other = harness.node().await;
    harness.people(&node, 1).await;
    let writes = "update keyring.copy set writing_until = clock_timestamp() + interval '1 minute'";
    harness.sql(writes, &[]).await;
    assert_eq!(update(&node).await, CopyUpdate::Busy);
    assert_eq!(update(&other).await, CopyUpdate::Busy);

    // It died.
    let died = "update keyring.copy set writing_until = clock_timestamp() - interval '1 second'";
    harness.sql(died, &[]).await;
    assert_eq!(update(&other).await, CopyUpdate::Changes);
}
