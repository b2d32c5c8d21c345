use super::*;
use crate::postgres::{ConnectOptions, connect};
use test_support::databases;

#[tokio::test]
async fn a_lease_is_one_nodes_until_it_ends_or_is_released() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let one = LeaderLease::new(pool.clone(), Uuid::from_u128(1));
    let other = LeaderLease::new(pool, Uuid::from_u128(2));
    let long = Duration::from_mins(1);

    assert!(one.acquire("sweep", long).await.unwrap());
    assert!(one.acquire("sweep", long).await.unwrap());
    assert!(!other.acquire("sweep", long).await.unwrap());
    assert!(other.acquire("another", long).await.unwrap());

    one.release().await.unwrap();
    assert!(other.acquire("sweep", Duration::ZERO).await.unwrap());
    assert!(one.acquire("sweep", long).await.unwrap());
}
