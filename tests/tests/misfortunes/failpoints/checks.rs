//! What holds after every kill.

use std::time::Duration;

use infra::ids::Ids;
use infra::log::{ReplayOptions, replay, status};
use infra::postgres::{ConnectOptions, Pool, connect};
use tests::{Installation, until_within};
use tokio::sync::watch;
use tokio_postgres::Client;

/// Leases of a dead node take 5 and 10 seconds to end.
const SETTLED_WITHIN: Duration = Duration::from_mins(2);

/// Of each nothing is left in time.
const WAITING_IN_LOG: [(&str, &str); 6] = [
    (
        "mails that are not sent",
        "select count(*) from working.outbox where state in ('queued', 'sending')",
    ),
    ("sessions without their closing", "select count(*) from working.closings"),
    ("tasks of runs", "select count(*) from working.run_tasks"),
    ("secrets of runs", "select count(*) from working.run_secrets"),
    ("leases of seats that differ from the log", include_str!("count_differing_leases.sql")),
    ("accounts with an erasure under way", include_str!("count_open_erasures.sql")),
];
const WAITING_IN_KEYRING: (&str, &str) = (
    "erasures that are not completed",
    "select count(*) from keyring.erasures \
     where state not in ('completed', 'backup_proven', 'cancelled')",
);

/// None of it is ever there.
const WRONG: [(&str, &str); 4] = [
    (
        "positions that are missing",
        "select coalesce(max(position), 0) - count(*) from event_log.events",
    ),
    (
        "streams with a gap",
        "select count(*) from (select from event_log.events group by stream_id \
         having count(*) <> max(version)) gaps",
    ),
    (
        "commands that are done twice",
        "select count(*) from (select from event_log.events where command_id is not null \
         group by tenant_id, command_id having count(*) > 1) twice",
    ),
    (
        "causes that are mailed twice",
        "select count(*) from (select from working.outbox group by cause, kind, subject_id \
         having count(*) > 1) twice",
    ),
];

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
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

/// Everything that was begun comes to its end, and the log is whole.
pub async fn settled(installation: &Installation, failpoint: &str) {
    let pool = connect(&installation.log_url(), &ConnectOptions::default()).await.unwrap();
    let (log, keyring) = (installation.log().await, installation.keyring().await);
    let what = format!("{failpoint}: nothing waits");
    until_within(SETTLED_WITHIN, &what, async || {
        // Queues are filled by readers, and what is taken out of them may append events.
        let before = readers_are_done(&pool).await?;
        for (name, sql) in WAITING_IN_LOG {
            none(number(&log, sql).await, name)?;
        }
        let (name, sql) = WAITING_IN_KEYRING;
        none(number(&keyring, sql).await, name)?;
        let after = readers_are_done(&pool).await?;
        if before == after { Ok(()) } else { Err(format!("{before} to {after}: more events")) }
    })
    .await;
    for (name, sql) in WRONG {
        assert_eq!(number(&log, sql).await, 0, "{failpoint}: {name}");
    }
}

fn none(count: i64, name: &str) -> Result<(), String> {
    if count == 0 { Ok(()) } else { Err(format!("{count} {name}")) }
}

/// The last position, which every reader has read.
async fn readers_are_done(pool: &Pool) -> Result<i64, String> {
    let readers = status(pool).await.map_err(|error| error.to_string())?;
    match readers.iter().find(|reader| reader.lag_events > 0 || reader.parked > 0) {
        None => Ok(readers.first().map_or(0, |reader| reader.head)),
        Some(reader) => Err(format!("{reader:?}")),
    }
}

/// Every projection is what its replay from zero makes.
pub async fn projections_equal_their_replay(installation: &Installation) {
    let pool = connect(&installation.log_url(), &ConnectOptions::default()).await.unwrap();
    let log = installation.log().await;
    for reader in projections::all() {
        let live = checksum(&log, reader.name()).await;
        let (_keep, cancel) = watch::channel(false);
        let options = ReplayOptions::of(Ids::system().uuid());
        replay(&pool, &reader, options, cancel, |_| {}).await.unwrap();
        assert_eq!(checksum(&log, reader.name()).await, live, "{}", reader.name());
    }
}

pub async fn checksum(log: &Client, table: &str) -> String {
    let sql = format!(
        "select md5(coalesce(string_agg(of::text, e'\\n' order by of::text), '')) \
         from read_models.{table} of"
    );
    log.query_one(&sql, &[]).await.unwrap().get(0)
}
