//! What an installation asks of its databases while nobody asks anything of it.

use std::time::{Duration, Instant};

use crate::{Installation, database_of};

const COUNT: &str = "select sum(xact_commit + xact_rollback)::bigint \
    from pg_stat_database where datname = any ($1)";

/// How many transactions end in a second in the databases of an installation, which is watched for a
/// while. Before that, what others have begun has as much time to end. Those of `PostgreSQL` itself,
/// where it vacuums, are among them: some 100 each time.
pub async fn transactions_a_second(installation: &Installation, watched: Duration) -> f64 {
    let databases = [installation.log_url(), installation.keyring_url()];
    let databases = databases.map(|url| database_of(&url));
    let log = installation.log().await;
    let count = async || {
        let row = log.query_one(COUNT, &[&databases.as_slice()]).await.unwrap();
        row.get::<_, i64>(0)
    };
    let mut watched = tokio::time::interval(watched);
    watched.tick().await;
    watched.tick().await;

    let (before, since) = (count().await, Instant::now());
    watched.tick().await;
    let made = count().await - before;
    made as f64 / since.elapsed().as_secs_f64()
}
