//! What is left of a pool while connections are kept by those who take others.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::postgres::{ConnectOptions, OuterClient, PgError, Pool, connect};

async fn pool(connections_max: usize, wait: Duration) -> Pool {
    let url = test_support::empty_database().await.unwrap();
    let options = ConnectOptions { connections_max, wait, ..ConnectOptions::default() };
    connect(&url, &options).await.unwrap()
}

#[tokio::test]
async fn the_last_connection_of_a_pool_is_left_for_those_who_hold_one() {
    for connections_max in [2, 3, 12] {
        let pool = pool(connections_max, Duration::from_millis(50)).await;
        let mut kept = Vec::new();

        let refused = loop {
            match OuterClient::of(&pool).await {
                Ok(outer) => kept.push(outer),
                Err(refused) => break refused,
            }
        };

        assert!(matches!(refused, PgError::Busy), "{refused}");
        assert!((1..connections_max).contains(&kept.len()), "{} of {connections_max}", kept.len());
        drop(pool.get().await.unwrap());
        kept.pop();
        OuterClient::of(&pool).await.unwrap();
    }
}

#[tokio::test]
async fn whoever_waits_for_an_outer_connection_gets_the_next_one() {
    let pool = pool(2, Duration::from_mins(1)).await;
    let (taken, is_taken) = oneshot::channel();
    let (release, is_released) = oneshot::channel();
    let of = pool.clone();
    let first = tokio::spawn(async move {
        let outer = OuterClient::of(&of).await.unwrap();
        taken.send(()).unwrap();
        is_released.await.unwrap();
        // While another waits for what this one has.
        drop(of.get().await.unwrap());
        drop(outer);
    });
    is_taken.await.unwrap();

    let second = tokio::spawn(async move { OuterClient::of(&pool).await.map(drop) });
    release.send(()).unwrap();

    first.await.unwrap();
    second.await.unwrap().unwrap();
}
