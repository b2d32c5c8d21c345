//! Given, when, then.
#![allow(clippy::unwrap_used, reason = "a test may")]

use super::*;
use crate::postgres::testing::databases;
use crate::postgres::{ConnectOptions, connect};

#[tokio::test]
async fn a_turn_is_one_nodes_until_it_is_over_or_given_up() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let one = Turns::new(pool.clone(), Uuid::from_u128(1));
    let other = Turns::new(pool, Uuid::from_u128(2));
    let long = Duration::from_mins(1);

    assert!(one.take("sweep", long).await.unwrap());
    assert!(one.take("sweep", long).await.unwrap());
    assert!(!other.take("sweep", long).await.unwrap());
    assert!(other.take("another", long).await.unwrap());

    one.give_up().await.unwrap();
    assert!(other.take("sweep", Duration::ZERO).await.unwrap());
    assert!(one.take("sweep", long).await.unwrap());
}
