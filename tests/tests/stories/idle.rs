//! What a node asks of PostgreSQL that nobody asks anything.

use std::time::{Duration, Instant};

use tests::{Installation, Person, database_of};

const WATCHED: Duration = Duration::from_secs(20);
/// The goal is 5: a timer with a minute to wait may fall into the time.
const TRANSACTIONS_A_SECOND_MAX: f64 = 8.0;
const TRANSACTIONS: &str = "select sum(xact_commit + xact_rollback)::bigint \
    from pg_stat_database where datname = any ($1)";

#[tokio::test]
async fn an_idle_node_makes_few_transactions() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    Person::named("ada").settle(&node.client(), &installation).await;
    let databases = [installation.log_url(), installation.keyring_url()];
    let databases = databases.map(|url| database_of(&url));
    let watching = installation.log().await;
    let count = async || {
        let row = watching.query_one(TRANSACTIONS, &[&databases.as_slice()]).await.unwrap();
        row.get::<_, i64>(0)
    };
    let mut watched = tokio::time::interval(WATCHED);
    watched.tick().await;
    // What the start and the registration have left to do comes first.
    watched.tick().await;

    let (before, since) = (count().await, Instant::now());
    watched.tick().await;
    let made = count().await - before;

    let a_second = made as f64 / since.elapsed().as_secs_f64();
    assert!(made > 0, "what the node does was not counted");
    assert!(a_second <= TRANSACTIONS_A_SECOND_MAX, "{a_second:.1} transactions a second");
    assert!(node.stop().await.success());
}
