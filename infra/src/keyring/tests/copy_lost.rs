//! A copy, or a database, that was lost: what is kept then, and what is put back.

use domain::SubjectId;
use test_support::databases;

use super::super::{CopyUpdate, RootHold, SubjectKind, holds_keys, state_copy_lost};
use super::copy::update;
use super::*;

/// As if the time of every old root were over.
async fn time_passes(harness: &Harness) {
    let back = "update keyring.roots set rewrapped_at = rewrapped_at - interval '9 days'";
    harness.sql(back, &[]).await;
}

async fn old_root(node: &Keyring) -> Vec<RootHold> {
    node.root_rotation.held().await.unwrap().remove(0).holds
}

/// Its disk is taken away within the day that an old root is kept.
#[tokio::test]
async fn an_old_root_is_kept_when_the_copy_is_lost_after_it_was_made() {
    let mut harness = Harness::with_copy().await;
    harness.options.root_retention = TimeDelta::days(1);
    let node = harness.node().await;
    harness.people(&node, 2).await;
    update(&node).await;
    node.root_rotation.rotate().await.unwrap();
    assert!(matches!(old_root(&node).await[..], [RootHold::Retained { .. }]));
    let folder = std::fs::read_dir(harness.copies()).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    time_passes(&harness).await;

    node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap();

    assert!(harness.root_file(1).exists());
    assert_eq!(old_root(&node).await, [RootHold::NotCopied]);
    std::fs::remove_file(&folder).unwrap();
    node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap();
    assert!(harness.root_file(1).exists(), "nobody has said that the copy is lost");
    let pool = connect(&harness.databases.keyring_url, &ConnectOptions::app()).await.unwrap();
    state_copy_lost(&pool, &harness.copies()).await.unwrap();
    let done = node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap().unwrap();
    assert_eq!(done.erased, 1);
    assert_eq!(harness.copied().len(), 1, "a new base");
}

#[tokio::test]
async fn an_old_root_is_kept_when_a_file_of_the_copy_is_missing() {
    let mut harness = Harness::with_copy().await;
    harness.options.root_retention = TimeDelta::days(1);
    let node = harness.node().await;
    update(&node).await;
    node.root_rotation.rotate().await.unwrap();
    for _ in 0..2 {
        harness.people(&node, 1).await;
        assert_eq!(update(&node).await, CopyUpdate::Changes);
    }
    let folder = std::fs::read_dir(harness.copies()).unwrap().next().unwrap().unwrap().path();
    let middle = &harness.copied()[1];
    std::fs::remove_file(folder.join(middle)).unwrap();
    assert!(!node.copy.as_ref().unwrap().is_complete().await.unwrap());
    time_passes(&harness).await;

    let done = node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap().unwrap();

    assert_eq!((done.erased, harness.copied().len()), (1, 1), "after a new base");
}

/// Behind its header, or in its last frame: as by a disk that has lost its end.
#[tokio::test]
async fn an_old_root_is_kept_when_the_base_of_the_copy_was_cut() {
    for cuts_header in [true, false] {
        let mut harness = Harness::with_copy().await;
        harness.options.root_retention = TimeDelta::days(1);
        let node = harness.node().await;
        let people = harness.people(&node, 2).await;
        node.root_rotation.rotate().await.unwrap();
        let folder = std::fs::read_dir(harness.copies()).unwrap().next().unwrap().unwrap().path();
        let base = folder.join(&harness.copied()[0]);
        let bytes = std::fs::read(&base).unwrap();
        let header = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let kept = if cuts_header { header } else { bytes.len() - 1 };
        std::fs::write(&base, &bytes[..kept]).unwrap();
        time_passes(&harness).await;

        let done = node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap().unwrap();

        assert_eq!(done.erased, 1, "after a new base");
        let rows = harness.rows().await;
        harness.databases = databases().await.unwrap();
        harness.restore().await.unwrap();
        assert_eq!(harness.rows().await.len(), rows.len());
        all_open(&harness.node().await, &people).await;
    }
}

/// The copy and the standbys of the time that is lost say nothing of the keyring that went back.
#[tokio::test]
async fn what_is_said_of_old_roots_does_not_survive_a_restore() {
    let mut harness = Harness::with_copy().await;
    harness.options.root_retention = TimeDelta::days(1);
    let node = harness.node().await;
    harness.people(&node, 2).await;
    node.root_rotation.rotate().await.unwrap();
    update(&node).await;
    let said = "select count(*) from keyring.roots where copied and rewrapped_at is not null";
    assert_eq!(harness.count(said).await, 1);
    drop(node);

    harness.databases = databases().await.unwrap();
    harness.restore().await.unwrap();

    let said = "select count(*) from keyring.roots
        where copied or rewrapped_at is not null or rewrapped_lsn is not null";
    assert_eq!(harness.count(said).await, 0);
}

/// `lethe migrate` has made a root key, and the folder of copies is a disk of its own.
#[tokio::test]
async fn a_new_database_with_its_first_root_gets_the_copy() {
    let mut harness = Harness::with_copy().await;
    let node = harness.node().await;
    let people = harness.people(&node, 2).await;
    update(&node).await;
    drop(node);
    std::fs::create_dir(harness.copies().join("lost+found")).unwrap();
    std::fs::write(harness.copies().join("note.txt"), "mine").unwrap();
    harness.databases = databases().await.unwrap();
    let pool = connect(&harness.databases.keyring_url, &ConnectOptions::app()).await.unwrap();
    let roots = Arc::new(harness.folder());
    Keyring::create_first_root(pool.clone(), roots, harness.clock.clone()).await.unwrap();
    assert!(!holds_keys(&pool).await.unwrap());

    harness.restore().await.unwrap();

    assert!(holds_keys(&pool).await.unwrap());
    // It knows no event: whether the log went back, too, is not known.
    let noticed = "select count(*) from keyring.watermark where noticed_at is not null";
    assert_eq!(harness.count(noticed).await, 1);
    let node = harness.node().await;
    all_open(&node, &people).await;
    node.root_rotation.rotate().await.unwrap();
    all_open(&node, &people).await;
}

/// A keyring that was used is not the one of the only copy that is there.
#[tokio::test]
async fn the_copy_of_another_keyring_is_named_and_not_merged() {
    let mut harness = Harness::with_copy().await;
    let node = harness.node().await;
    update(&node).await;
    drop(node);
    harness.databases = databases().await.unwrap();
    // The databases of tests are copies of one template.
    harness.sql("update keyring.copy set keyring = gen_random_uuid()", &[]).await;
    let other = harness.node().await;
    harness.people(&other, 1).await;

    let refused = harness.restore().await.unwrap_err().to_string();

    assert!(refused.contains("no copy of this keyring"), "{refused}");
    assert!(refused.contains("but of others ("), "{refused}");
}

/// What the writer of another disk has left, or a disk that loses bytes: it is no later time.
#[tokio::test]
async fn a_newest_file_that_is_damaged_is_followed_by_a_base() {
    let harness = Harness::with_copy().await;
    let node = harness.node().await;
    update(&node).await;
    drop(node);
    let folder = std::fs::read_dir(harness.copies()).unwrap().next().unwrap().unwrap().path();
    std::fs::write(folder.join(&harness.copied()[0]), "damaged").unwrap();

    let node = harness.node().await;

    assert_eq!(update(&node).await, CopyUpdate::Base);
    assert_eq!(harness.copied().len(), 1);
}

/// The copy has one request, the standby that was promoted another.
#[tokio::test]
async fn of_two_open_erasures_of_a_subject_the_further_one_stays() {
    for copied_is_fenced in [true, false] {
        let harness = Harness::with_copy().await;
        let node = harness.node().await;
        let subject = SubjectId(harness.people(&node, 1).await[0].0.0);
        update(&node).await;
        harness.back_up().await;
        let request = async |hash| {
            let due = noon() + TimeDelta::days(1);
            node.ledger.request(SubjectKind::Account, subject, due, hash).await.unwrap();
        };
        request([1; 32]).await;
        if copied_is_fenced {
            let fence = "update keyring.erasures set state = 'fenced', fenced_at = now()";
            harness.sql(fence, &[]).await;
        }
        update(&node).await;
        harness.take_back().await;
        harness.days_pass(1);
        request([2; 32]).await;
        drop(node);

        harness.restore().await.unwrap();

        let open = "select claim_code_hash from keyring.erasures where state <> 'cancelled'";
        let open = harness.sql(open, &[]).await;
        let expected = if copied_is_fenced { [1; 32] } else { [2; 32] };
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].get::<_, Vec<u8>>(0), expected);
        let all = harness.count("select count(*) from keyring.erasures").await;
        assert_eq!(all, 2, "the other one is cancelled");
    }
}

/// `pg_dump` and `pg_restore` on a server whose transactions have smaller numbers.
#[tokio::test]
async fn a_keyring_that_was_moved_to_another_server_gets_a_new_base() {
    let harness = Harness::with_copy().await;
    let node = harness.node().await;
    harness.people(&node, 2).await;
    update(&node).await;
    drop(node);
    let folder = std::fs::read_dir(harness.copies()).unwrap().next().unwrap().unwrap().path();
    let path = folder.join(&harness.copied()[0]);
    let file = std::fs::read(&path).unwrap();
    let end = file.iter().position(|byte| *byte == b'\n').unwrap();
    let mut header: serde_json::Value = serde_json::from_slice(&file[..end]).unwrap();
    header["snapshot"] = "900000000000:900000000000:".into();
    std::fs::write(&path, [header.to_string().as_bytes(), &file[end..]].concat()).unwrap();
    harness.sql("update keyring.keys set changed_by = '900000000001'", &[]).await;
    let node = harness.node().await;
    harness.people(&node, 1).await;

    assert_eq!(update(&node).await, CopyUpdate::Base);
    assert_eq!(update(&node).await, CopyUpdate::Unchanged);
    harness.people(&node, 1).await;
    assert_eq!(update(&node).await, CopyUpdate::Changes);
    assert_eq!(update(&node).await, CopyUpdate::Unchanged);
}
