//! A server that recovers is not asked what the log has lost.

use super::*;
use crate::postgres::{Cluster, ClusterOptions, binaries, migrate_log};

#[tokio::test]
async fn a_standby_that_is_behind_says_nothing_of_the_log() {
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    let folder = tempfile::Builder::new().permissions(open).tempdir().unwrap();
    let (bin, dir) = (binaries::find(None).unwrap(), folder.path().join("server"));
    let scratch = || ClusterOptions { fsync: false, ..ClusterOptions::default() };
    let primary = Cluster::start(&bin, &dir, scratch()).await.unwrap();
    primary.create_database("log").await.unwrap();
    migrate_log(&primary.url("log")).await.unwrap();
    primary.stop(test_support::LIMIT).await.unwrap();
    let signal = dir.join("data/standby.signal");
    std::fs::write(&signal, "").unwrap();
    let mut own = std::process::Command::new("chown");
    own.arg("--reference").arg(dir.join("data")).arg(&signal);
    assert!(own.status().unwrap().success());
    let standby = Cluster::start(&bin, &dir, scratch()).await.unwrap();
    let pool = connect(&standby.url("log"), &ConnectOptions::app()).await.unwrap();
    let client = pool.get().await.unwrap();
    let known = Watermark::default();
    known.raise(NewestEvent { position: 5, event: EventId(Uuid::nil()) });

    let compared = known.compare(&client).await;

    assert!(matches!(compared, Err(CompareError::Standby)), "{compared:?}");
    assert_eq!(known.check(), Ok(()));
    let polled = client.query_one(include_str!("../../poll.sql"), &[&5_i64]).await.unwrap();
    assert!(Seen::of(&polled, 1).unwrap().standby);
}
