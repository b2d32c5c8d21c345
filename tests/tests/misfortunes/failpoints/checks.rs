//! What holds after every kill.

use std::time::Duration;

use infra::ids::Ids;
use infra::log::{ReplayOptions, replay, status};
use infra::postgres::{ConnectOptions, Pool, connect};
use tests::{Installation, until_within};
use tokio::sync::watch;
use tokio_postgres::Client;
use uuid::Uuid;

/// Leases of a dead node take 5 and 10 seconds to end.
const SETTLED_WITHIN: Duration = Duration::from_mins(2);

/// Of each there is none once everything that was begun has come to its end.
const FAULTS_OF_LOG: [(&str, &str); 12] = [
    (
        "mails that are not sent",
        "select count(*) from working.outbox where state in ('queued', 'sending')",
    ),
    ("sessions without their closing", "select count(*) from working.closings"),
    ("tasks of runs", "select count(*) from working.run_tasks"),
    ("secrets of runs", "select count(*) from working.run_secrets"),
    ("leases of seats that differ from the log", include_str!("count_differing_leases.sql")),
    ("sessions that differ from the log", include_str!("count_differing_sessions.sql")),
    ("passwords that differ from the log", include_str!("count_differing_credentials.sql")),
    ("server keys that differ from the log", include_str!("count_differing_server_keys.sql")),
    ("API tokens that the log does not have", include_str!("count_unissued_api_tokens.sql")),
    ("secrets of API tokens that differ", include_str!("count_differing_secrets.sql")),
    (
        "positions that are missing",
        // The last ones are missing where a reader is further than the log.
        "select greatest(coalesce(max(position), 0), (select max(position) from readers.checkpoints)) \
         - count(*) from event_log.events",
    ),
    (
        "streams with a gap",
        "select count(*) from (select from event_log.events group by stream_id \
         having count(*) <> max(version)) gaps",
    ),
];
/// The log and the ledger of erasures are two databases.
const ERASING_BY_LOG: &str = include_str!("list_open_erasures.sql");
const ERASING_BY_LEDGER: &str = "select subject from keyring.erasures \
    where state not in ('completed', 'backup_proven', 'cancelled') order by subject";
/// Those whose grace is not over.
const WAITING_BY_LEDGER: &str = "select subject from keyring.erasures \
    where state = 'requested' and due > now() order by subject";

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

async fn subjects(client: &Client, sql: &str) -> Vec<Uuid> {
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// What does not agree in the two databases.
pub async fn faults(log: &Client, keyring: &Client) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, sql) in FAULTS_OF_LOG {
        let count = number(log, sql).await;
        if count != 0 {
            faults.push(format!("{count} {name}"));
        }
    }
    let by_log = subjects(log, ERASING_BY_LOG).await;
    let by_ledger = subjects(keyring, ERASING_BY_LEDGER).await;
    if by_log != by_ledger {
        faults.push(format!("erasures by the log {by_log:?}, by the ledger {by_ledger:?}"));
    }
    let waiting = subjects(keyring, WAITING_BY_LEDGER).await;
    if by_ledger != waiting {
        faults.push(format!("erasures under way {by_ledger:?}, of which wait {waiting:?}"));
    }
    faults
}

/// How many events of each type there are.
pub async fn count(installation: &Installation, events: &[(&str, i64)]) -> Vec<i64> {
    let log = installation.log().await;
    let mut counts = Vec::new();
    for (event_type, _) in events {
        let sql = "select count(*) from event_log.events where event_type = $1";
        counts.push(log.query_one(sql, &[event_type]).await.unwrap().get(0));
    }
    counts
}

/// Everything that was begun comes to its end, and rows, ledger and log agree.
pub async fn settled(installation: &Installation, failpoint: &str) {
    let pool = connect(&installation.log_url(), &ConnectOptions::default()).await.unwrap();
    let (log, keyring) = (installation.log().await, installation.keyring().await);
    let what = format!("{failpoint}: nothing waits, and nothing differs");
    until_within(SETTLED_WITHIN, &what, async || {
        // Queues are filled by readers, and what is taken out of them may append events.
        let before = readers_are_done(&pool).await?;
        let faults = faults(&log, &keyring).await;
        if !faults.is_empty() {
            return Err(faults.join("; "));
        }
        let after = readers_are_done(&pool).await?;
        if before == after { Ok(()) } else { Err(format!("{before} to {after}: more events")) }
    })
    .await;
}

/// Every reader has read the whole log.
pub async fn are_read(installation: &Installation, failpoint: &str) {
    let pool = connect(&installation.log_url(), &ConnectOptions::default()).await.unwrap();
    let what = format!("before {failpoint}: everything is read");
    until_within(SETTLED_WITHIN, &what, async || readers_are_done(&pool).await).await;
}

/// The last position, which every reader has read.
async fn readers_are_done(pool: &Pool) -> Result<i64, String> {
    let readers = status(pool).await.map_err(|error| error.to_string())?;
    match readers.iter().find(|reader| reader.lag_events > 0 || reader.parked > 0) {
        None => Ok(readers.first().map_or(0, |reader| reader.head)),
        Some(reader) => Err(format!("{reader:?}")),
    }
}

/// Every projection is what its replay from zero makes, once it has read all that there is.
pub async fn projections_equal_their_replay(installation: &Installation) {
    settled(installation, "the end").await;
    // As the programme does: who owns the view is to read what is built.
    let pool = connect(&installation.log_url(), &ConnectOptions::app()).await.unwrap();
    let log = installation.log().await;
    for reader in projections::all() {
        let table = reader.view().unwrap();
        let live = checksum(&log, &table).await;
        let (_keep, cancel) = watch::channel(false);
        let options = ReplayOptions::of(Ids::system().uuid());
        replay(&pool, &reader, options, cancel, |_| {}).await.unwrap();
        assert_eq!(checksum(&log, &table).await, live, "{table}");
    }
}

pub async fn checksum(log: &Client, table: &str) -> String {
    let sql = format!(
        "select md5(coalesce(string_agg(of::text, e'\\n' order by of::text), '')) \
         from {table} of"
    );
    log.query_one(&sql, &[]).await.unwrap().get(0)
}
