//! The files of the copy: what they show, and what is noticed about them.

use std::path::Path;

use test_support::SmallDisk;

use super::super::copy::{OLDEST_SCHEMA, change_schema};
use super::super::{
    CopyUpdate, KeyringError, RootId, RootStore, refuse_unreadable_copies, state_copy_lost,
};
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

/// The programme was upgraded since; a file of a newer one is refused before anything is migrated.
#[tokio::test]
async fn a_file_of_an_older_schema_is_restored_and_one_of_a_newer_is_refused() {
    let (mut harness, node, people, folder) = copied().await;
    drop(node);
    let root = harness.folder().read(RootId(1)).await.unwrap().unwrap();
    let as_of = |schema| {
        for name in harness.copied() {
            change_schema(&folder.join(name), &root, schema);
        }
    };
    let newest = crate::postgres::keyring_version();
    for unreadable in [newest + 1, OLDEST_SCHEMA - 1] {
        as_of(unreadable);
        let refused = refuse_unreadable_copies(&harness.copies()).await.unwrap_err();
        assert!(is_damage(&refused), "{refused:?}");
        assert!(refused.to_string().contains(&format!("it has schema {unreadable}")), "{refused}");
    }
    as_of(OLDEST_SCHEMA);
    refuse_unreadable_copies(&harness.copies()).await.unwrap();

    harness.databases = test_support::databases().await.unwrap();
    harness.restore().await.unwrap();

    all_open(&harness.node().await, &people).await;
}

/// Older files do not have it, so that their rows could not be restored.
#[test]
fn no_column_that_must_have_a_value_was_added_since_the_oldest_schema() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/keyring");
    let mut looked = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let version: i32 = name[1..].split('_').next().unwrap().parse().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut adds = text.split(';').filter(|statement| {
            let table = |(name, _): &(&str, &str)| {
                statement.contains(&format!("table keyring.{name}\n"))
                    || statement.contains(&format!("table keyring.{name} "))
            };
            statement.contains("alter table")
                && statement.contains("not null")
                && super::super::copy::merges().iter().any(table)
        });
        looked += 1;
        if version > OLDEST_SCHEMA {
            assert_eq!(adds.next(), None, "{name}: raise OLDEST_SCHEMA");
        } else if version == OLDEST_SCHEMA {
            assert!(adds.next().is_some(), "a search that finds nothing proves nothing");
        }
    }
    assert!(looked > 9);
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// A disk that is not mounted leaves its folder empty, or none.
#[tokio::test]
async fn a_folder_without_the_copy_is_refused_until_it_is_called_lost() {
    let (harness, node, _, folder) = copied().await;
    let pool = connect(&harness.databases.keyring_url, &ConnectOptions::app()).await.unwrap();
    let there = state_copy_lost(&pool, &harness.copies()).await.unwrap_err();
    assert!(there.to_string().contains("has files of it"), "{there}");
    let away = folder.with_extension("away");
    std::fs::rename(&folder, &away).unwrap();
    for is_empty in [false, true] {
        if is_empty {
            std::fs::create_dir(&folder).unwrap();
        }
        let refused = node.copy.as_ref().unwrap().update().await.unwrap_err();
        assert!(matches!(refused, KeyringError::CopyMissing { written: 3, .. }), "{refused:?}");
        assert!(!node.copy.as_ref().unwrap().is_complete().await.is_ok_and(|complete| complete));
    }
    std::fs::remove_dir(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    assert_eq!(update(&node).await, CopyUpdate::Unchanged);

    std::fs::remove_dir_all(&folder).unwrap();
    state_copy_lost(&pool, &harness.copies()).await.unwrap();

    assert_eq!(update(&node).await, CopyUpdate::Base);
    std::fs::remove_dir_all(&folder).unwrap();
    state_copy_lost(&pool, &harness.copies()).await.unwrap();
    let again = state_copy_lost(&pool, &harness.copies()).await.unwrap_err();
    assert!(again.to_string().contains("none was written"), "{again}");
}

/// As a full disk: nothing can be made in it that is not deleted again.
#[tokio::test]
async fn a_file_that_cannot_be_written_leaves_its_room_to_others() {
    let Some(disk) = SmallDisk::mount(256) else { return };
    let mut harness = Harness::with_copy().await;
    harness.options.copy = Some(disk.path().to_owned());
    let node = harness.node().await;
    harness.people(&node, 2).await;
    assert_eq!(update(&node).await, CopyUpdate::Base);
    let folder = std::fs::read_dir(disk.path()).unwrap().next().unwrap().unwrap().path();
    harness.people(&node, 1).await;
    // A writer that was killed.
    std::fs::write(folder.join("changes-7.copy.part"), "").unwrap();
    disk.fill();

    for _ in 0..2 {
        node.copy.as_ref().unwrap().update().await.unwrap_err();
    }

    let names = || {
        let files = std::fs::read_dir(&folder).unwrap();
        files.map(|file| file.unwrap().file_name()).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["base-1.copy"]);
    disk.free();
    assert_eq!(update(&node).await, CopyUpdate::Changes);
}

/// A server of files that does not answer: whoever opens a pipe waits for its other end.
#[tokio::test]
async fn a_folder_that_does_not_answer_is_given_up() {
    let (mut harness, node, _, folder) = copied().await;
    drop(node);
    let newest = folder.join("changes-3.copy");
    std::fs::remove_file(&newest).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&newest).status().unwrap().success());
    harness.options.copy_timeout = std::time::Duration::from_secs(2);

    let refused = harness.try_node().await.err().unwrap();

    // Before anything can fail: it waits for whoever writes.
    drop(std::fs::OpenOptions::new().write(true).open(&newest).unwrap());
    assert!(refused.to_string().contains("no answer within 2 s"), "{refused}");
}

/// The folder of another machine: what it lacks is in none of its files.
#[tokio::test]
async fn a_folder_that_missed_a_file_gets_a_new_base() {
    let (mut harness, node, _, folder) = copied().await;
    let other = harness.roots.path().join("other");
    copy_files(&folder, &other.join(folder.file_name().unwrap()));
    let first = harness.options.copy.replace(other);
    let other = harness.node().await;
    harness.people(&node, 1).await;
    assert_eq!(update(&other).await, CopyUpdate::Changes);

    assert_eq!(update(&node).await, CopyUpdate::Base);

    assert_eq!(first, Some(harness.copies()));
    assert_eq!(harness.copied(), ["base-5.copy"]);
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

/// More than two pages of keys.
async fn add_keys(harness: &Harness, class: i16) {
    let add =
        "insert into keyring.keys (kind, subject, class, number, wrapped, root_id, created_at)
        select 'bucket', $1::uuid, $2::smallint, number, '\\x07', 1, now()
        from generate_series(1, 2500) number";
    harness.sql(add, &[&Uuid::nil(), &class]).await;
}

#[tokio::test]
async fn a_table_of_several_pages_is_copied_and_restored_whole() {
    let mut harness = Harness::with_copy().await;
    let node = harness.node().await;
    add_keys(&harness, 1).await;
    assert_eq!(update(&node).await, CopyUpdate::Base);
    add_keys(&harness, 2).await;
    assert_eq!(update(&node).await, CopyUpdate::Changes);
    let rows = harness.rows().await;
    assert!(rows.len() > 5000, "{}", rows.len());

    harness.databases = test_support::databases().await.unwrap();
    harness.restore().await.unwrap();

    assert!(harness.rows().await == rows);
}
