//! What an installation asks of its databases while nobody asks anything of it.

use std::time::{Duration, Instant};

use crate::{Installation, database_of};

const COUNT: &str = "select sum(xact_commit + xact_rollback)::bigint \
    from pg_stat_database where datname = any ($1)";
/// Of the database that is asked.
const VACUUMED: &str =
    "select sum(autovacuum_count + autoanalyze_count)::bigint from pg_stat_all_tables";
const TURNS_MAX: usize = 3;

/// How many transactions end in a second in the databases of an installation, which is watched for a
/// while. Before that, what others have begun has as much time to end. Where `PostgreSQL` itself vacuums
/// meanwhile, which only adds to them, it is watched up to three times, and the least of them counts.
pub async fn transactions_a_second(installation: &Installation, watched: Duration) -> f64 {
    let databases = [installation.log_url(), installation.keyring_url()];
    let databases = databases.map(|url| database_of(&url));
    let watching = [installation.log().await, installation.keyring().await];
    let count = async || {
        let row = watching[0].query_one(COUNT, &[&databases.as_slice()]).await.unwrap();
        row.get::<_, i64>(0)
    };
    let vacuumed = async || {
        let mut tables = 0;
        for client in &watching {
            tables += client.query_one(VACUUMED, &[]).await.unwrap().get::<_, i64>(0);
        }
        tables
    };
    let mut watched = tokio::time::interval(watched);
    watched.tick().await;
    watched.tick().await;

    let mut least = f64::INFINITY;
    for _ in 0..TURNS_MAX {
        let (tables, before, since) = (vacuumed().await, count().await, Instant::now());
        watched.tick().await;
        let made = count().await - before;
        least = least.min(made as f64 / since.elapsed().as_secs_f64());
        if vacuumed().await == tables {
            break;
        }
        println!("{made} transactions while PostgreSQL vacuumed");
    }
    least
}
