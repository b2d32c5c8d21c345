//! The copy of the keyring, written by two nodes at once, and files of it that are of another kind.

use std::path::Path;

use serde_json::Value;
use test_support::until_waits_for_lock;

use super::super::{CopyUpdate, KeyringError};
use super::copy::update;
use super::copy_files::copied;
use super::*;

/// A connection that holds locks for as long as the test needs.
async fn holder(harness: &Harness) -> tokio_postgres::Client {
    connect_one(&harness.databases.keyring_url, &ConnectOptions::unlimited()).await.unwrap()
}

/// A statement with this text waits for a lock.
async fn waits_for_lock(harness: &Harness, text: &str) {
    until_waits_for_lock(&holder(harness).await, text).await;
}

fn header(file: &[u8]) -> Value {
    serde_json::from_slice(file.split(|byte| *byte == b'\n').next().unwrap()).unwrap()
}

/// Gives the header of a file another value.
fn edit(path: &Path, name: &str, value: Value) {
    let file = std::fs::read(path).unwrap();
    let end = file.iter().position(|byte| *byte == b'\n').unwrap();
    let mut header = header(&file);
    header[name] = value;
    std::fs::write(path, [header.to_string().as_bytes(), &file[end..]].concat()).unwrap();
}

#[tokio::test]
async fn a_writer_whose_look_is_out_of_date_begins_no_file() {
    let (harness, node, ..) = copied().await;
    harness.people(&node, 1).await;
    let holds = holder(&harness).await;
    holds.batch_execute("begin; lock table keyring.roots in access exclusive mode").await.unwrap();
    let late = node.clone();
    let updating = tokio::spawn(async move { late.copy.as_ref().unwrap().update().await });
    waits_for_lock(&harness, "pg_visible_in_snapshot").await;
    let wrote = "update keyring.copy set number = number + 1, token = gen_random_uuid(); commit";
    holds.batch_execute(wrote).await.unwrap();

    assert_eq!(updating.await.unwrap().unwrap(), CopyUpdate::Busy);
}

#[tokio::test]
async fn a_writer_that_was_overtaken_does_not_complete_the_file_of_another() {
    let (harness, node, ..) = copied().await;
    harness.people(&node, 1).await;
    let (turn, table) = (holder(&harness).await, holder(&harness).await);
    turn.batch_execute("begin; select from keyring.copy for update").await.unwrap();
    let paused = node.clone();
    let updating = tokio::spawn(async move { paused.copy.as_ref().unwrap().update().await });
    waits_for_lock(&harness, "writing_until").await;
    let lock = "begin; lock table keyring.email_generations in access exclusive mode";
    table.batch_execute(lock).await.unwrap();
    turn.batch_execute("commit").await.unwrap();
    waits_for_lock(&harness, "json_populate_record").await;
    let overtake = "update keyring.copy set number = number + 1, token = gen_random_uuid(),
        writing_until = clock_timestamp() + interval '1 hour'";
    harness.sql(overtake, &[]).await;
    table.batch_execute("commit").await.unwrap();

    let overtaken = updating.await.unwrap();

    assert!(matches!(overtaken, Err(KeyringError::CopyOvertaken)), "{overtaken:?}");
    let open = "select count(*) from keyring.copy where written = 3 and writing_until is not null";
    assert_eq!(harness.count(open).await, 1);
}

#[tokio::test]
async fn a_copy_of_another_schema_or_with_more_changes_than_its_base_gets_a_new_base() {
    for (name, value, expected) in [
        ("format", None, CopyUpdate::Changes),
        ("schema", Some(Value::from(1)), CopyUpdate::Base),
        ("bytes_before", Some(Value::from(33_u64 << 20)), CopyUpdate::Base),
    ] {
        let (harness, node, _, folder) = copied().await;
        let last = folder.join("changes-3.copy");
        let value = value.unwrap_or_else(|| header(&std::fs::read(&last).unwrap())[name].clone());
        edit(&last, name, value);
        drop(node);
        let node = harness.node().await;
        harness.people(&node, 1).await;

        assert_eq!(update(&node).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_copy_under_the_old_root_does_not_replace_it_whatever_its_row_says() {
    let mut harness = Harness::with_copy().await;
    harness.options.root_retention = TimeDelta::days(1);
    let node = harness.node().await;
    let people = harness.people(&node, 2).await;
    update(&node).await;
    let old = harness.copied();
    let folder = std::fs::read_dir(harness.copies()).unwrap().next().unwrap().unwrap().path();
    let away = folder.with_extension("away");
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, "").unwrap(); // nothing is copied while the root is replaced
    node.root_rotation.rotate().await.unwrap();
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    let said = "update keyring.roots set copied = true,
        rewrapped_at = rewrapped_at - interval '9 days' where state = 'retiring'";
    harness.sql(said, &[]).await;

    let done = node.root_rotation.rotate_when_due(TimeDelta::days(9)).await.unwrap().unwrap();

    assert_eq!(done.erased, 1);
    assert_ne!(harness.copied(), old, "a base under the new root came first");
    harness.databases = databases().await.unwrap();
    harness.restore().await.unwrap();
    all_open(&harness.node().await, &people).await;
}

#[tokio::test]
async fn a_copy_that_has_everything_is_said_to_be_complete_as_time_passes() {
    let harness = Harness::with_copy().await;
    let node = harness.node().await;
    update(&node).await;
    let earlier = "update keyring.copy set complete_at = complete_at - interval '2 minutes'";
    harness.sql(earlier, &[]).await;
    let before: DateTime<Utc> = harness.sql("select clock_timestamp()", &[]).await[0].get(0);

    assert_eq!(update(&node).await, CopyUpdate::Unchanged);

    let said = harness.sql("select complete_at from keyring.copy", &[]).await;
    assert!(said[0].get::<_, DateTime<Utc>>(0) >= before);
}
