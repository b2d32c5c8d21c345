//! A server that recovers is not asked what the log has lost.

use super::*;
use crate::postgres::migrate_log;
use test_support::ServerPair;

#[tokio::test]
async fn a_standby_that_is_behind_says_nothing_of_the_log() {
    let mut servers = ServerPair::new().await;
    servers.create_database("log").await;
    migrate_log(&servers.primary_url("log")).await.unwrap();
    servers.add_standby().await;
    let pool = connect(&servers.standby_url("log"), &ConnectOptions::app()).await.unwrap();
    let client = pool.get().await.unwrap();
    let known = Watermark::default();
    known.raise(NewestEvent { position: 5, event: EventId(Uuid::nil()) });

    let compared = known.compare(&client).await;

    assert!(matches!(compared, Err(CompareError::Standby)), "{compared:?}");
    assert_eq!(known.check(), Ok(()));
    let polled = client.query_one(include_str!("../../poll.sql"), &[&5_i64]).await.unwrap();
    assert!(Seen::of(&polled, 1).unwrap().standby);
}
