use super::*;
use crate::postgres::{ConnectOptions, connect};
use test_support::databases;

#[tokio::test]
async fn a_lease_is_one_nodes_until_it_ends_or_is_released() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let one = LeaderLease::new(pool.clone(), Uuid::from_u128(1));
    let other = LeaderLease::new(pool, Uuid::from_u128(2));
    let (long, none) = (Duration::from_mins(1), Duration::ZERO);
    let fence = async |node: &LeaderLease, name, length| {
        node.acquire(name, length).await.unwrap().map(|lease| lease.fence)
    };

    assert_eq!(fence(&one, "sweep", long).await, Some(1));
    assert_eq!(fence(&one, "sweep", long).await, Some(1), "its holder renews it");
    assert_eq!(fence(&other, "sweep", long).await, None);
    assert_eq!(fence(&other, "another", long).await, Some(1));

    one.release().await.unwrap();
    assert_eq!(fence(&other, "sweep", none).await, Some(2), "the fence outlives the release");
    assert_eq!(fence(&one, "sweep", long).await, Some(3), "the other's lease is over");
    assert_eq!(fence(&other, "another", long).await, Some(1), "only a node's own are released");
}

/// The clock of the server that failed ran ahead.
#[tokio::test]
async fn a_lease_that_ends_far_later_than_its_length_is_over() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let one = LeaderLease::new(pool.clone(), Uuid::from_u128(1));
    let other = LeaderLease::new(pool.clone(), Uuid::from_u128(2));
    let length = Duration::from_mins(1);
    one.acquire("sweep", length).await.unwrap();
    assert!(other.acquire("sweep", length).await.unwrap().is_none());
    let ahead = "update working.leader_leases set lease_until = lease_until + interval '1 hour'";
    pool.get().await.unwrap().execute(ahead, &[]).await.unwrap();

    assert_eq!(other.acquire("sweep", length).await.unwrap().map(|lease| lease.fence), Some(2));
}
