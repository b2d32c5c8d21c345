use super::*;
use crate::postgres::{ConnectOptions, connect};
use test_support::databases;

const ONE: Uuid = Uuid::from_u128(1);
const TWO: Uuid = Uuid::from_u128(2);
const LONG: Duration = Duration::from_mins(1);

async fn strings(pool: &Pool, sql: &str) -> Vec<String> {
    let rows = pool.get().await.unwrap().query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// The parts that live, by the last digit of their node.
async fn live(pool: &Pool) -> Vec<String> {
    let live = "select right(node::text, 1) || ' ' || part || ' ' || array_to_string(serves, ',')
        from working.live_nodes order by 1";
    strings(pool, live).await
}

#[tokio::test]
async fn a_part_lives_until_its_lease_ends_or_it_leaves() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let part = |node, part| Membership::new(pool.clone(), node, part, LONG);
    let (readers, monitors) = (part(ONE, Part::Readers), part(ONE, Part::Monitors));
    let other = part(TWO, Part::Readers);
    let client = pool.get().await.unwrap();

    readers.heartbeat(&client, &["accounts/1".to_owned(), "runs/2".to_owned()]).await.unwrap();
    monitors.heartbeat(&client, &[]).await.unwrap();
    other.heartbeat(&client, &[]).await.unwrap();
    assert_eq!(live(&pool).await, ["1 monitors ", "1 readers accounts/1,runs/2", "2 readers "]);

    monitors.leave().await.unwrap();
    let end = "update working.nodes set lease_until = clock_timestamp() \
        where right(node::text, 1) = '2' returning part";
    assert_eq!(strings(&pool, end).await, ["readers"]);
    assert_eq!(live(&pool).await, ["1 readers accounts/1,runs/2"]);
    readers.heartbeat(&client, &["runs/2".to_owned()]).await.unwrap();
    assert_eq!(live(&pool).await, ["1 readers runs/2"]);
    let rows = strings(&pool, "select part from working.nodes").await;
    assert_eq!(rows, ["readers"], "a heartbeat deletes the rows of the dead");
}

#[tokio::test]
async fn a_heartbeat_makes_the_lease_longer() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let readers = Membership::new(pool.clone(), ONE, Part::Readers, LONG);
    let client = pool.get().await.unwrap();
    readers.heartbeat(&client, &[]).await.unwrap();
    let nearly_over = "update working.nodes \
        set lease_until = clock_timestamp() + interval '20 seconds' returning part";
    assert_eq!(strings(&pool, nearly_over).await, ["readers"]);

    readers.heartbeat(&client, &[]).await.unwrap();

    let renewed = "select part from working.nodes \
        where lease_until > clock_timestamp() + interval '30 seconds'";
    assert_eq!(strings(&pool, renewed).await, ["readers"]);
}

/// Otherwise a migration, or a restore, would wait for it.
#[tokio::test]
async fn a_dead_part_whose_lease_is_of_a_clock_that_ran_ahead_is_deleted() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let part = |node| Membership::new(pool.clone(), node, Part::Readers, LONG);
    let client = pool.get().await.unwrap();
    part(TWO).heartbeat(&client, &[]).await.unwrap();
    let ahead =
        "update working.nodes set lease_until = lease_until + interval '1 hour' returning part";
    assert_eq!(strings(&pool, ahead).await, ["readers"]);

    part(ONE).heartbeat(&client, &[]).await.unwrap();

    assert_eq!(live(&pool).await, ["1 readers "]);
}

#[tokio::test]
async fn a_part_whose_lease_is_much_longer_than_that_of_another_part_lives() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let client = pool.get().await.unwrap();
    Membership::new(pool.clone(), TWO, Part::Readers, LONG).heartbeat(&client, &[]).await.unwrap();

    let short = Membership::new(pool.clone(), ONE, Part::Monitors, LONG / 10);
    short.heartbeat(&client, &[]).await.unwrap();

    assert_eq!(live(&pool).await, ["1 monitors ", "2 readers "]);
}
