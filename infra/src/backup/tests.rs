//! What a restore refuses to replace, and what stays when it cannot take the place.

use test_support::{Databases, databases};
use tokio_postgres::Client;

use super::restore::swap;
use super::target::Names;
use super::{BackupError, Manifest, back_up, refuse_target, restore};
use crate::postgres::{ConnectOptions, DatabaseUrl, connect_one, create_database};

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
        let refused = restore(&shop, None, folder.path(), &manifest, overwrite).await;
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
    restore(&empty, None, folder.path(), &manifest, false).await.unwrap();
    restore(&empty, None, folder.path(), &manifest, true).await.unwrap();
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

        let refused = restore(&empty, None, folder.path(), &manifest, true).await;

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

    let refused = restore(&long, None, folder.path(), &manifest, true).await;

    assert!(matches!(refused, Err(BackupError::LongName { most: 53, .. })), "{refused:?}");
    connected(&long).await;
    let admin = connected(&url(&databases)).await;
    admin.batch_execute(&format!("drop database {}", "l".repeat(63))).await.unwrap();
}

/// Somebody looks into the restored database.
#[tokio::test]
async fn the_earlier_database_keeps_its_name_when_the_restored_one_cannot_take_it() {
    let databases = databases().await.unwrap();
    let live = other(&databases, "_live");
    let names = Names::of(&live).unwrap();
    let restoring = live.with_database(&names.restoring);
    create_database(&live).await.unwrap();
    create_database(&restoring).await.unwrap();
    let looks = connected(&restoring).await;
    let mut admin = connected(&url(&databases)).await;

    let refused = swap(&mut admin, &names).await;

    assert!(matches!(refused, Err(BackupError::Database(_))), "{refused:?}");
    connected(&live).await;
    drop(looks);
    swap(&mut admin, &names).await.unwrap();
    connected(&live).await;
    let left = "select count(*) from pg_database where datname in ($1, $2)";
    let left = admin.query_one(left, &[&names.restoring, &names.before]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);
}
