//! Read models as they stand, and again after a replay from zero.

use std::collections::BTreeMap;
use std::time::Duration;

use infra::log::{Feed, status};
use infra::postgres::{ConnectOptions, Pool, connect};

use crate::{Installation, until, until_within};

/// Every read model, by a process of its own, and once more if a worker appends meanwhile.
const REPLAYED_WITHIN: Duration = Duration::from_mins(10);

const CHECKSUM: &str = "\
    select count(*), md5(coalesce(string_agg(of::text, e'\\n' order by of::text), '')) \
    from {table} of";

/// Rows and checksum of each table, by the name of its projection.
pub type Tables = BTreeMap<&'static str, (i64, String)>;

/// The tables of the log of this URL, which is the installation's, before every one is replayed and after that. A
/// node serves meanwhile.
pub async fn replay_all(installation: &Installation, log_url: &str) -> [Tables; 2] {
    let pool = connect(log_url, &ConnectOptions::default()).await.unwrap();
    // A worker may append something meanwhile: then the two are not of the same log.
    until_within(REPLAYED_WITHIN, "nothing is appended during the replays", async || {
        let (from, before) = at_head(&pool).await;
        for projection in projections::all() {
            let replayed = installation.run(&["replay", projection.name()]).await;
            assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
        }
        let (to, after) = at_head(&pool).await;
        if from == to { Ok([before, after]) } else { Err(format!("from {from} to {to}")) }
    })
    .await
}

/// The tables, and the position that all of them have reached.
async fn at_head(pool: &Pool) -> (i64, Tables) {
    let client = pool.get().await.unwrap();
    until("the readers are at the head of the log", async || {
        let head = Feed::head(&client).await.unwrap();
        let readers = status(pool).await.unwrap();
        if let Some(behind) = readers.iter().find(|reader| reader.lag_events != 0) {
            return Err(format!("{} is {} events behind", behind.name, behind.lag_events));
        }
        let tables = checksums(pool).await;
        let now = Feed::head(&client).await.unwrap();
        if now == head { Ok((head, tables)) } else { Err(format!("from {head} to {now}")) }
    })
    .await
}

async fn checksums(pool: &Pool) -> Tables {
    let client = pool.get().await.unwrap();
    let mut tables = Tables::new();
    for projection in projections::all() {
        let sql = CHECKSUM.replace("{table}", &projection.view().unwrap());
        let row = client.query_one(&sql, &[]).await.unwrap();
        tables.insert(projection.name(), (row.get(0), row.get(1)));
    }
    tables
}
