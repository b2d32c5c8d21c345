//! What a restore refuses to replace, and what stays when it cannot take the place.

use test_support::{Databases, databases, until_waits_for_lock};
use tokio_postgres::Client;

use super::restore::{MARK, swap};
use super::sessions::refuse_lasting;
use super::target::Names;
use super::{BackupError, Manifest, Noting, back_up, left_databases, refuse_target, restore};
use crate::postgres::{
    ConnectOptions, DatabaseUrl, connect, connect_one, create_database, database_exists,
};

/// A note waits for the lock 7.
const WAIT_AT_NOTE: &str = "
    create function public.wait() returns trigger language plpgsql as $$
    begin
      perform pg_advisory_xact_lock_shared(7);
      return new;
    end $$;
    create trigger waits before insert on keyring.watermark
    for each row execute function public.wait()";

mod fit;
mod hosted;

fn url(databases: &Databases) -> DatabaseUrl {
    databases.log_url.parse().unwrap()
}

fn other(databases: &Databases, name: &str) -> DatabaseUrl {
    let own = url(databases);
    own.with_database(&format!("{}{name}", own.database().unwrap()))
}

async fn connected(url: &DatabaseUrl) -> Client {
    connect_one(url, &ConnectOptions::default()).await.unwrap()
}

/// A backup of a migrated log.
async fn backed_up(databases: &Databases, folder: &std::path::Path) -> Manifest {
    back_up(&url(databases), None, folder, |_| {}).await.unwrap()
}

#[tokio::test]
async fn a_database_with_tables_of_others_is_never_dropped() {
    let databases = databases().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = backed_up(&databases, folder.path()).await;
    let shop = other(&databases, "_shop");
    create_database(&shop).await.unwrap();
    connected(&shop)
        .await
        .batch_execute("create table orders as select 1 as order_id")
        .await
        .unwrap();

    for overwrite in [false, true] {
        let refused = restore(&shop, None, folder.path(), &manifest, overwrite, None).await;
        assert!(matches!(refused, Err(BackupError::NotLethes(_))), "{refused:?}");
    }

    let kept = connected(&shop).await.query_one("select order_id from orders", &[]).await;
    assert_eq!(kept.unwrap().get::<_, i32>(0), 1);
    let made = "select to_regclass('refinery_schema_history') is not null";
    assert!(!connected(&shop).await.query_one(made, &[]).await.unwrap().get::<_, bool>(0));
}

/// It may have tokens of operators.
#[tokio::test]
async fn a_log_without_events_is_replaced_only_when_that_is_asked_for() {
    let databases = databases().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = backed_up(&databases, folder.path()).await;
    let empty = other(&databases, "_empty");
    create_database(&empty).await.unwrap();
    refuse_target(&empty, false).await.unwrap();

    let refused = refuse_target(&url(&databases), false).await;

    assert!(matches!(refused, Err(BackupError::HasLog { .. })), "{refused:?}");
    restore(&empty, None, folder.path(), &manifest, false, None).await.unwrap();
    restore(&empty, None, folder.path(), &manifest, true, None).await.unwrap();
    let events =
        connected(&empty).await.query_one("select count(*) from event_log.events", &[]).await;
    assert_eq!(events.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_database_of_others_beside_it_is_in_the_way_and_stays() {
    let databases = databases().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = backed_up(&databases, folder.path()).await;
    let empty = other(&databases, "_empty");
    for beside in ["_empty_restoring", "_empty_before"] {
        let beside = other(&databases, beside);
        create_database(&beside).await.unwrap();

        let refused = restore(&empty, None, folder.path(), &manifest, true, None).await;

        assert!(matches!(refused, Err(BackupError::InTheWay(_))), "{refused:?}");
        connected(&beside).await;
        let admin = connected(&url(&databases)).await;
        let delete = format!("drop database \"{}\"", beside.database().unwrap());
        admin.batch_execute(&delete).await.unwrap();
    }
}

/// PostgreSQL cuts a name at 63 bytes: what is restored beside would be the database itself.
#[tokio::test]
async fn a_name_that_would_be_cut_is_refused() {
    let databases = databases().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = backed_up(&databases, folder.path()).await;
    let long = url(&databases).with_database(&"l".repeat(63));
    create_database(&long).await.unwrap();

    let refused = restore(&long, None, folder.path(), &manifest, true, None).await;

    assert!(matches!(refused, Err(BackupError::LongName { most: 53, .. })), "{refused:?}");
    connected(&long).await;
    let admin = connected(&url(&databases)).await;
    admin.batch_execute(&format!("drop database {}", "l".repeat(63))).await.unwrap();
}

/// What was restored is gone.
#[tokio::test]
async fn the_earlier_database_keeps_its_name_when_the_restored_one_cannot_take_it() {
    let databases = databases().await.unwrap();
    let live = other(&databases, "_live");
    let names = Names::of(&live).unwrap();
    create_database(&live).await.unwrap();
    let mut admin = connected(&url(&databases)).await;

    let refused = swap(&mut admin, &names).await;

    assert!(matches!(refused, Err(BackupError::Database(_))), "{refused:?}");
    connected(&live).await;
    create_database(&live.with_database(&names.restoring)).await.unwrap();
    swap(&mut admin, &names).await.unwrap();
    connected(&live).await;
    assert_eq!(beside(&admin, &names).await, 0);
}

async fn beside(admin: &Client, names: &Names) -> i64 {
    let left = "select count(*) from pg_database where datname in ($1, $2)";
    admin.query_one(left, &[&names.restoring, &names.before]).await.unwrap().get(0)
}

/// A pooling proxy keeps its connections, and somebody looks into the restored database.
#[tokio::test]
async fn sessions_that_do_nothing_do_not_keep_a_restore() {
    let databases = databases().await.unwrap();
    let live = other(&databases, "_live");
    let names = Names::of(&live).unwrap();
    let restoring = live.with_database(&names.restoring);
    create_database(&live).await.unwrap();
    create_database(&restoring).await.unwrap();
    let (keeps, looks) = (connected(&live).await, connected(&restoring).await);
    let mut admin = connected(&url(&databases)).await;

    swap(&mut admin, &names).await.unwrap();

    connected(&live).await;
    assert_eq!(beside(&admin, &names).await, 0);
    assert!(keeps.query("select", &[]).await.is_err() && looks.query("select", &[]).await.is_err());
}

/// Of a role that does not own the sessions.
#[tokio::test]
async fn sessions_that_cannot_be_ended_are_named_before_anything_is_done() {
    let databases = databases().await.unwrap();
    let keeps = connected(&url(&databases)).await;
    let name: String =
        keeps.query_one("select current_database()::text", &[]).await.unwrap().get(0);
    let admin = connected(&url(&databases).with_database("postgres")).await;
    refuse_lasting(&admin, &name).await.unwrap();
    admin.batch_execute("set role pg_monitor").await.unwrap();

    let refused = refuse_lasting(&admin, &name).await;

    assert!(
        matches!(&refused, Err(BackupError::InUse(who)) if who.contains(" as ")),
        "{refused:?}"
    );
}

/// And what was read of the dump is dropped: no erasure would reach it.
#[tokio::test]
async fn a_dump_that_is_not_what_its_manifest_says_is_refused() {
    let databases = databases().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = backed_up(&databases, folder.path()).await;
    let empty = other(&databases, "_empty");
    let names = Names::of(&empty).unwrap();
    let longer = Manifest { position: 1, ..manifest };

    let refused = restore(&empty, None, folder.path(), &longer, false, None).await;

    assert!(matches!(refused, Err(BackupError::Changed { .. })), "{refused:?}");
    assert!(!database_exists(&empty).await.unwrap());
    assert_eq!(beside(&connected(&url(&databases)).await, &names).await, 0);
}

/// A restore was killed, or the earlier database could not be dropped.
#[tokio::test]
async fn what_a_restore_has_left_is_named() {
    let databases = databases().await.unwrap();
    let log = url(&databases);
    let names = Names::of(&log).unwrap();
    for left in [&names.restoring, &names.before] {
        create_database(&log.with_database(left)).await.unwrap();
    }
    assert!(left_databases(&log).await.unwrap().is_empty(), "others may have made them");
    let admin = connected(&log).await;
    let mark = format!("comment on database \"{}\" is '{MARK}'", names.before);
    admin.batch_execute(&mark).await.unwrap();

    assert_eq!(left_databases(&log).await.unwrap(), std::slice::from_ref(&names.before));

    for left in [&names.restoring, &names.before] {
        admin.batch_execute(&format!("drop database \"{left}\"")).await.unwrap();
    }
}

#[tokio::test]
async fn a_backup_of_a_newer_programme_is_refused_before_anything_is_done() {
    let databases = databases().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = backed_up(&databases, folder.path()).await;
    let known = manifest.schema;
    Manifest { schema: known + 1, ..manifest }.write(folder.path()).unwrap();

    let refused = Manifest::verify(folder.path());

    let is_newer =
        |error| matches!(error, BackupError::NewerSchema { schema, .. } if schema == known + 1);
    assert!(refused.is_err_and(is_newer));
}

/// Many programmes are migrated by refinery.
#[tokio::test]
async fn a_database_of_another_programme_with_migrations_is_never_dropped() {
    let databases = databases().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = backed_up(&databases, folder.path()).await;
    let shop = other(&databases, "_shop");
    create_database(&shop).await.unwrap();
    let history = "create table refinery_schema_history as select 1 as version, 'orders' as name";
    connected(&shop).await.batch_execute(history).await.unwrap();

    for overwrite in [false, true] {
        let refused = restore(&shop, None, folder.path(), &manifest, overwrite, None).await;
        assert!(matches!(refused, Err(BackupError::NotLethes(_))), "{refused:?}");
    }

    let kept = "select name from refinery_schema_history";
    let kept = connected(&shop).await.query_one(kept, &[]).await.unwrap();
    assert_eq!(kept.get::<_, &str>(0), "orders");
}

#[tokio::test]
async fn the_database_of_a_node_that_runs_is_not_replaced() {
    let databases = databases().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = backed_up(&databases, folder.path()).await;
    let live = other(&databases, "_live");
    restore(&live, None, folder.path(), &manifest, false, None).await.unwrap();
    let node = "insert into working.nodes (node, part, serves, lease_until)
        values (gen_random_uuid(), 'readers', '{}', 'infinity')";
    connected(&live).await.batch_execute(node).await.unwrap();

    let refused = restore(&live, None, folder.path(), &manifest, true, None).await;

    assert!(matches!(&refused, Err(BackupError::NodesRun(_))), "{refused:?}");
    let nodes = connected(&live).await.query_one("select count(*) from working.nodes", &[]).await;
    assert_eq!(nodes.unwrap().get::<_, i64>(0), 1);
    connected(&live).await.batch_execute("delete from working.nodes").await.unwrap();
    restore(&live, None, folder.path(), &manifest, true, None).await.unwrap();
}

/// Somebody drops what was restored, at the last moment.
#[tokio::test]
async fn a_restore_that_fails_last_is_not_noted() {
    let databases = databases().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = backed_up(&databases, folder.path()).await;
    let live = other(&databases, "_live");
    let names = Names::of(&live).unwrap();
    let keyring = connect_one(&databases.keyring_url, &ConnectOptions::unlimited()).await.unwrap();
    keyring.batch_execute(WAIT_AT_NOTE).await.unwrap();
    keyring.execute("select pg_advisory_lock(7)", &[]).await.unwrap();
    let pool = connect(&databases.keyring_url, &ConnectOptions::keyring()).await.unwrap();
    let to = live.clone();
    let restoring = tokio::spawn(async move {
        let noting = Some(Noting { keyring: &pool, known: false });
        restore(&to, None, folder.path(), &manifest, false, noting).await
    });
    until_waits_for_lock(&keyring, "keyring.watermark").await;

    let admin = connected(&url(&databases)).await;
    let drop = format!("drop database \"{}\" with (force)", names.restoring);
    admin.batch_execute(&drop).await.unwrap();
    keyring.execute("select pg_advisory_unlock(7)", &[]).await.unwrap();
    let refused = restoring.await.unwrap();

    assert!(matches!(refused, Err(BackupError::Database(_))), "{refused:?}");
    let noted = keyring.query("select from keyring.watermark", &[]).await.unwrap();
    assert!(noted.is_empty(), "the next start would end every session");
}
