//! A stream as it stood at a time.

use chrono::{DateTime, TimeDelta, Utc};
use domain::TenantId;
use domain::account::Account;
use uuid::Uuid;

use super::snapshots::{STREAM, TENANT, change_passwords, register, streams};
use super::{databases, node, owner, pool};
use crate::event_store::Until;
use crate::postgres::Pool;

async fn version(pool: &Pool, at: DateTime<Utc>) -> i64 {
    streams(pool).load_until::<Account>(TENANT, STREAM, Until::Time(at)).await.unwrap().version
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_read_as_it_stood_at_a_time() {
    let databases = databases().await;
    let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
    register(&node).await;
    change_passwords(&node, 2..=5).await;

    let recorded = "select recorded_at from event_log.events where stream_id = $1 order by version";
    let rows = owner(&databases.log_url).await.query(recorded, &[&STREAM]).await.unwrap();
    let times: Vec<DateTime<Utc>> = rows.iter().map(|row| row.get(0)).collect();

    assert_eq!(version(&pool, times[0] - TimeDelta::microseconds(1)).await, 0);
    assert_eq!(version(&pool, times[2]).await, 3);
    assert_eq!(version(&pool, times[4] + TimeDelta::days(1)).await, 5);
    let at =
        streams(&pool).load_until::<Account>(TENANT, STREAM, Until::Time(times[1])).await.unwrap();
    let Account::Live(live) = &*at.state else { panic!("an account") };
    assert_eq!(live.credential.0.as_u128(), 2);
    let other = TenantId(Uuid::from_u128(2));
    let foreign =
        streams(&pool).load_until::<Account>(other, STREAM, Until::Time(times[1])).await.unwrap();
    assert_eq!((foreign.version, &*foreign.state), (0, &Account::Absent));
    let third = Until::Version(3);
    let at = streams(&pool).load_until::<Account>(TENANT, STREAM, third).await.unwrap();
    let Account::Live(live) = &*at.state else { panic!("an account") };
    assert_eq!((at.version, live.credential.0.as_u128()), (3, 3));
}
