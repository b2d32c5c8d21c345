//! Replays whose fold or whose disk is slower than a statement may be.

use std::time::Duration;

use crate::harness::{LogHarness, newest_version};
use crate::replay_takeover::{PausedReplay, runtime};
use crate::tally::Tally;
use infra::log::{Reader, ReplayOptions};
use infra::postgres::ConnectOptions;
use test_support::until;
use uuid::Uuid;

/// So many that the rest of the log fits in no buffer while a replay waits at the half of it.
const FILL: &str = "
    insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id, event_type,
      schema_version, data, subjects, recorded_at)
    select n, stream, 'tally', stream, 1, gen_random_uuid(), 'tally.added', 1,
      json_build_object('add', 'a', 'fill', repeat('x', 200)), array[stream], now()
    from (select n, gen_random_uuid() stream from generate_series(1, 40000) n) events";
const LIMIT_SECONDS: u64 = 2;
/// Whether a lap has been under way for longer than the limit.
const IS_SLOW: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and application_name = 'lethe' and state = 'active'
      and query like '%event_log.events%order by position%' and pid <> pg_backend_pid()
      and clock_timestamp() - query_start > interval '3 s'";
/// Transactions of a replay before which vacuum spares everything.
const SPARED: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and application_name = 'lethe' and backend_xmin is not null
      and pid <> pg_backend_pid()";
const SLOW_WRITES: &str = "
    create function public.slow_write() returns trigger language plpgsql
        as $$ begin
          loop exit when clock_timestamp() > statement_timestamp() + interval '3 s'; end loop;
          return null;
        end $$;
    create trigger slow before insert on read_models.tally_v1_g2
        for each statement execute function public.slow_write()";

fn options() -> ReplayOptions {
    ReplayOptions { newest_version, ..ReplayOptions::of(Uuid::from_u128(9)) }
}

fn limited() -> ConnectOptions {
    let statement_timeout = Duration::from_secs(LIMIT_SECONDS);
    ConnectOptions { statement_timeout, ..ConnectOptions::app() }
}

#[test]
fn a_lap_that_the_fold_holds_up_is_not_cut_off() {
    // A replay that waits holds a thread, and may hold up whatever else its runtime does.
    let (runtime, replaying) = (runtime(), runtime());
    let harness = runtime.block_on(LogHarness::new());
    runtime.block_on(harness.admin.batch_execute(FILL)).unwrap();
    let trail = projections::named("audit_trail").unwrap();
    for reader in [Reader::projection::<Tally>(), trail] {
        let paused = PausedReplay::start_of(reader, &replaying, &harness, limited(), options());

        let slow = async || harness.count(IS_SLOW).await == 1;
        runtime.block_on(until("a lap has lasted for longer than a statement may", slow));

        assert_eq!(paused.end(&replaying).unwrap().events, 40_000);
    }
}

#[test]
fn a_lap_that_the_fold_holds_up_ends_and_is_read_on_from_where_it_came() {
    let (runtime, replaying) = (runtime(), runtime());
    let harness = runtime.block_on(LogHarness::new());
    runtime.block_on(harness.admin.batch_execute(FILL)).unwrap();
    let trail = projections::named("audit_trail").unwrap();
    for reader in [Reader::projection::<Tally>(), trail] {
        let options = ReplayOptions { lap_time_max: Duration::from_millis(500), ..options() };
        let paused =
            PausedReplay::start_of(reader, &replaying, &harness, ConnectOptions::app(), options);

        let none = async || harness.count(SPARED).await == 0;
        runtime.block_on(until("no transaction is open", none));

        assert_eq!(paused.end(&replaying).unwrap().events, 40_000);
    }
}

#[test]
fn rows_that_are_written_slowly_are_not_cut_off() {
    // A replay that waits holds a thread, and may hold up whatever else its runtime does.
    let (runtime, replaying) = (runtime(), runtime());
    let harness = runtime.block_on(LogHarness::new());
    runtime.block_on(harness.admin.batch_execute(FILL)).unwrap();
    let tally = Reader::projection::<Tally>();
    let options = ReplayOptions { changed_max: 100_000, ..options() };
    let paused = PausedReplay::start_of(tally, &replaying, &harness, limited(), options);

    runtime.block_on(harness.admin.batch_execute(SLOW_WRITES)).unwrap();

    assert_eq!(paused.end(&replaying).unwrap().events, 40_000);
}
