//! The gauges of readers: how far each is, and what there is of its generations.

use std::collections::BTreeSet;

use infra::log::{Reader, status};
use infra::metrics::Metrics;
use infra::postgres::{PgError, Pool};

use crate::workers;

const COUNT_GENERATIONS: &str = include_str!("count_generations.sql");
const LOG_BYTES: &str = include_str!("log_bytes.sql");
const STATES: [&str; 3] = ["building", "joined", "kept"];

/// Name and version, as labels.
type Series = (String, String);

/// What this programme reads: what another one reads is shown by its own nodes, and what none reads any more rings no
/// alarm.
fn own(name: &str, version: i16) -> bool {
    let is_of = |reader: &Reader| (reader.name(), reader.version()) == (name, version);
    let is_worker = version == 1 && workers::NAMES.contains(&name);
    is_worker || projections::all().iter().any(is_of)
}

/// How far each reader is. `shown` are those that the last round has shown.
pub async fn positions(
    metrics: &Metrics,
    pool: &Pool,
    shown: &mut BTreeSet<Series>,
) -> Result<(), PgError> {
    let mut now = BTreeSet::new();
    for reader in status(pool).await? {
        metrics.log_position.set(reader.head);
        if !own(&reader.name, reader.version) {
            continue;
        }
        let version = reader.version.to_string();
        let series = [reader.name.as_str(), version.as_str()];
        metrics.reader_position.with_label_values(&series).set(reader.position);
        metrics.reader_lag_events.with_label_values(&series).set(reader.lag_events);
        metrics.reader_lag_seconds.with_label_values(&series).set(reader.lag_seconds);
        metrics.parked_streams.with_label_values(&series).set(reader.parked);
        metrics.reader_lacks_table.with_label_values(&series).set(reader.lacks_table.into());
        if reader.lacks_table {
            tracing::error!(reader = %reader.name, "the table of a projection is missing: what it shows is read from the log, stream by stream, until `lethe replay` has built it");
        }
        now.insert((reader.name, version));
    }
    for (name, version) in shown.difference(&now) {
        let series = [name.as_str(), version.as_str()];
        for family in [
            &metrics.reader_position,
            &metrics.reader_lag_events,
            &metrics.parked_streams,
            &metrics.reader_lacks_table,
        ] {
            // It is gone already.
            let _ = family.remove_label_values(&series);
        }
        let _ = metrics.reader_lag_seconds.remove_label_values(&series);
    }
    *shown = now;
    Ok(())
}

/// What there is of each projection beside what it shows. `shown` are those that the last round has shown.
pub async fn generations(
    metrics: &Metrics,
    pool: &Pool,
    shown: &mut BTreeSet<Series>,
) -> Result<(), PgError> {
    let client = pool.get().await?;
    let count = client.prepare_cached(COUNT_GENERATIONS).await?;
    let rows = client.query(&count, &[]).await?;
    drop(client);
    let mut now = BTreeSet::new();
    for row in rows {
        let (name, version): (String, i16) = (row.try_get(0)?, row.try_get(1)?);
        if !own(&name, version) {
            continue;
        }
        let version = version.to_string();
        let series = [name.as_str(), version.as_str()];
        for (column, state) in (2..).zip(STATES) {
            let [name, version] = series;
            let family = metrics.reader_generations.with_label_values(&[name, version, state]);
            family.set(row.try_get::<usize, _>(column)?);
        }
        metrics.replay_position.with_label_values(&series).set(row.try_get(5)?);
        metrics.replay_ceiling.with_label_values(&series).set(row.try_get(6)?);
        metrics.replay_failed.with_label_values(&series).set(row.try_get(7)?);
        now.insert((name, version));
    }
    for (name, version) in shown.difference(&now) {
        let series = [name.as_str(), version.as_str()];
        for family in [&metrics.replay_position, &metrics.replay_ceiling, &metrics.replay_failed] {
            let _ = family.remove_label_values(&series);
        }
        for state in STATES {
            let [name, version] = series;
            let _ = metrics.reader_generations.remove_label_values(&[name, version, state]);
        }
    }
    *shown = now;
    Ok(())
}

/// How large each partition of the log is. None is ever dropped.
pub async fn log_bytes(metrics: &Metrics, pool: &Pool) -> Result<(), PgError> {
    let client = pool.get().await?;
    let find = client.prepare_cached(LOG_BYTES).await?;
    for row in client.query(&find, &[]).await? {
        let (partition, bytes): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        metrics.log_bytes.with_label_values(&[partition.as_str()]).set(bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use infra::log::Projection;
    use projections::accounts::Accounts;

    use super::*;
    use crate::workers::tests::Harness;

    /// Two versions of a projection, one that no programme has any more, and a worker like that.
    const READ: &str = "
        insert into readers.checkpoints (name, version, kind, position) values
          ('accounts', {version}, 'projection', 3), ('accounts', {version} - 1, 'projection', 2),
          ('bygone', 1, 'projection', 1), ('undertaker', 1, 'worker', 1), ('mailer', 1, 'worker', 4);
        insert into readers.generations (name, version, generation, state, position, ceiling, built_at, ended_at) values
          ('accounts', {version}, 1, 'failed', 0, 9, null, clock_timestamp()),
          ('accounts', {version}, 2, 'kept', 3, 3, clock_timestamp(), null),
          ('accounts', {version}, 3, 'live', 3, 3, clock_timestamp(), null),
          ('accounts', {version}, 4, 'failed', 3, 3, clock_timestamp(), clock_timestamp()),
          ('accounts', {version}, 5, 'failed', 0, 9, null, clock_timestamp()),
          ('accounts', {version}, 6, 'building', 5, 9, null, null),
          ('accounts', {version} - 1, 1, 'failed', 0, 9, null, clock_timestamp()),
          ('bygone', 1, 1, 'failed', 0, 9, null, clock_timestamp())";

    fn lines(metrics: &Metrics, family: &str) -> Vec<String> {
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        let start = format!("{family}{{");
        let lines = text.lines().filter_map(|line| line.strip_prefix(start.as_str()));
        lines.map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn what_this_programme_does_not_read_is_not_shown_and_what_has_gone_is_shown_no_more() {
        let harness = Harness::new().await;
        let app = harness.node().await;
        let version = Accounts::VERSION.to_string();
        let client = app.pool.get().await.unwrap();
        client.batch_execute(&READ.replace("{version}", &version)).await.unwrap();
        let (mut readers, mut of_generations) = (BTreeSet::new(), BTreeSet::new());

        positions(&app.metrics, &app.pool, &mut readers).await.unwrap();
        generations(&app.metrics, &app.pool, &mut of_generations).await.unwrap();

        let of = |value: i64| format!("reader=\"accounts\",version=\"{version}\"}} {value}");
        let mailer = "reader=\"mailer\",version=\"1\"} 4".to_owned();
        assert_eq!(lines(&app.metrics, "lethe_reader_position"), [of(3), mailer.clone()]);
        assert_eq!(lines(&app.metrics, "lethe_replay_failed"), [of(2)]);
        assert_eq!(lines(&app.metrics, "lethe_replay_position"), [of(5)]);
        assert_eq!(lines(&app.metrics, "lethe_replay_ceiling"), [of(9)]);
        let state = |state: &str, value: i64| {
            format!("reader=\"accounts\",state=\"{state}\",version=\"{version}\"}} {value}")
        };
        let states = [state("building", 1), state("joined", 0), state("kept", 1)];
        assert_eq!(lines(&app.metrics, "lethe_reader_generations"), states);

        let gone = "delete from readers.checkpoints where name = 'accounts';
            delete from readers.generations where name = 'accounts'";
        client.batch_execute(gone).await.unwrap();
        positions(&app.metrics, &app.pool, &mut readers).await.unwrap();
        generations(&app.metrics, &app.pool, &mut of_generations).await.unwrap();

        assert_eq!(lines(&app.metrics, "lethe_reader_position"), [mailer]);
        assert_eq!(lines(&app.metrics, "lethe_reader_generations"), Vec::<String>::new());
        assert_eq!(lines(&app.metrics, "lethe_replay_failed"), Vec::<String>::new());
    }

    #[tokio::test]
    async fn every_partition_of_the_log_has_its_size() {
        let harness = Harness::new().await;
        let app = harness.node().await;

        log_bytes(&app.metrics, &app.pool).await.unwrap();

        let found = lines(&app.metrics, "lethe_log_bytes");
        assert!(!found.is_empty());
        let is_sized = |line: &String| {
            let (partition, bytes) = line.split_once("} ").unwrap();
            partition.starts_with("partition=\"events_") && bytes.parse::<i64>().unwrap() > 0
        };
        assert!(found.iter().all(is_sized), "{found:?}");
    }
}
