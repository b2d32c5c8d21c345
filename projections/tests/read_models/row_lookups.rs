//! What is looked up at the same time is one statement, and each who asks has an answer of its own.

use std::iter::repeat_n;
use std::time::Duration;

use infra::log::{Projection, Row, RowLookups, read_through};
use infra::metrics::Metrics;
use infra::postgres::{ConnectOptions, connect_one};
use projections::accounts::Accounts;
use test_support::{until, until_waits_for_lock};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::harness::{LogHarness, account, lookups};
use crate::mixed::registered;

const LOCK: &str = "begin; lock table read_models.accounts_v4 in access exclusive mode";
/// Whoever reads account 2 waits for a lock that the harness holds. It stands before the table.
const BLOCK: &str = "
    alter table read_models.accounts_v4 rename to stored;
    create function read_models.is_free(id uuid) returns boolean language plpgsql as $$ begin
        if id = '00000000-0000-0000-0000-000000000002' then
            perform pg_advisory_xact_lock_shared(7);
        end if;
        return true;
    end $$;
    create view read_models.accounts_v4 as
        select * from read_models.stored where read_models.is_free(account_id);
    grant select on read_models.accounts_v4 to lethe_app;
    grant execute on function read_models.is_free to lethe_app;
    select pg_advisory_lock(7)";
const FREE: &str = "select pg_advisory_unlock(7)";

/// The numbers of accounts that have rows.
async fn with_accounts(numbers: &[u128]) -> LogHarness {
    let harness = LogHarness::new().await;
    for number in numbers {
        harness.record("account", account(*number).0, registered(*number)).await;
    }
    let readers = harness.read(projections::all()).await;
    harness.caught_up(&["accounts"]).await;
    readers.stop().await;
    harness
}

/// The position of a row, or why there is no answer.
type Answer = JoinHandle<Result<Option<i64>, String>>;

fn begin(rows: &RowLookups<Accounts>, number: u128) -> Answer {
    let (rows, id) = (rows.clone(), account(number));
    tokio::spawn(async move {
        let row = read_through(&rows, id, id.0).await.map_err(|error| error.to_string())?;
        assert!(row.as_ref().is_none_or(|row| row.account_id == id));
        Ok(row.map(|row| row.position()))
    })
}

/// Nobody reads the table before the client commits: one statement waits already, for these accounts.
async fn lock(
    harness: &LogHarness,
    rows: &RowLookups<Accounts>,
    numbers: &[u128],
) -> (Client, Vec<Answer>) {
    let options = ConnectOptions::default();
    let holder = connect_one(&harness.databases.log_url, &options).await.unwrap();
    holder.batch_execute(LOCK).await.unwrap();
    let waiting = numbers.iter().map(|number| begin(rows, *number)).collect();
    until_waits_for_lock(&harness.admin, "read_models.accounts_v4").await;
    (holder, waiting)
}

#[tokio::test]
async fn many_look_ups_take_one_connection_and_each_has_its_own_row() {
    let harness = with_accounts(&[2, 3, 4]).await;
    let rows = lookups::<Accounts>(&harness.pool);
    let (holder, first) = lock(&harness, &rows, &[2]).await;

    // 9 has no row, 3 is asked for twice, and one of them gives up.
    let waiting: Vec<_> = [4, 3, 9, 3, 2].into_iter().map(|number| begin(&rows, number)).collect();
    let many: Vec<_> = repeat_n(4, 300).map(|number| begin(&rows, number)).collect();
    tokio::task::yield_now().await;
    waiting[0].abort();
    holder.batch_execute("commit").await.unwrap();

    let mut found = Vec::new();
    for answer in first.into_iter().chain(waiting.into_iter().skip(1)) {
        found.push(answer.await.unwrap().unwrap());
    }
    assert_eq!(found, [Some(1), Some(2), None, Some(2), Some(1)]);
    for answer in many {
        assert_eq!(answer.await.unwrap(), Ok(Some(3)));
    }
    // Two at most for the rows, and one for the events of whoever has none.
    assert!(harness.pool.status().size <= 3, "{:?}", harness.pool.status());
}

#[tokio::test]
async fn a_statement_that_fails_is_an_error_of_each_who_waits_and_the_next_one_works() {
    let harness = with_accounts(&[2, 3]).await;
    let rows = lookups::<Accounts>(&harness.pool);
    let (holder, waiting) = lock(&harness, &rows, &[2, 3]).await;

    for process in test_support::waiting_for_lock(&harness.admin, "read_models.accounts_v4").await {
        harness.admin.execute("select pg_terminate_backend($1)", &[&process]).await.unwrap();
    }

    for answer in waiting {
        let refused = answer.await.unwrap().unwrap_err();
        assert!(refused.contains("57P01"), "{refused}");
    }
    holder.batch_execute("commit").await.unwrap();
    // A connection that was cut may be handed out once more before that is noticed.
    let found = until("a row is found again", async || begin(&rows, 3).await.unwrap()).await;
    assert_eq!(found, Some(2));
}

#[tokio::test]
async fn a_look_up_that_is_held_up_holds_up_no_other() {
    let harness = with_accounts(&[2, 3, 4]).await;
    let rows = lookups::<Accounts>(&harness.pool);
    harness.admin.batch_execute(BLOCK).await.unwrap();
    let held_up = begin(&rows, 2);
    until_waits_for_lock(&harness.admin, "read_models.accounts_v4").await;

    for _ in 0..3 {
        assert_eq!(begin(&rows, 3).await.unwrap(), Ok(Some(2)));
        assert_eq!(begin(&rows, 4).await.unwrap(), Ok(Some(3)));
    }

    assert!(!held_up.is_finished());
    harness.admin.batch_execute(FREE).await.unwrap();
    assert_eq!(held_up.await.unwrap(), Ok(Some(1)));
}

#[tokio::test]
async fn a_look_up_that_takes_too_long_is_given_up_and_counted() {
    let harness = with_accounts(&[2, 3]).await;
    let metrics = Metrics::new().unwrap();
    let limit = Duration::from_millis(300);
    let rows = RowLookups::<Accounts>::start(harness.pool.clone(), &metrics, limit);
    let version = Accounts::VERSION.to_string();
    let series = [Accounts::NAME, version.as_str()];
    let given_up = || metrics.row_lookups_given_up.with_label_values(&series).get();
    assert!(String::from_utf8(metrics.text().unwrap()).unwrap().contains("given_up_total{"));
    harness.admin.batch_execute(BLOCK).await.unwrap();

    let refused = begin(&rows, 2).await.unwrap().unwrap_err();

    assert!(refused.contains("not looked up within 0.3 s"), "{refused}");
    assert_eq!(given_up(), 1);
    // The server has been asked to cancel it.
    until("nobody waits for the lock", async || {
        test_support::waiting_for_lock(&harness.admin, "read_models.accounts_v4").await.is_empty()
    })
    .await;
    harness.admin.batch_execute(FREE).await.unwrap();
    let rows = lookups::<Accounts>(&harness.pool);
    assert_eq!(begin(&rows, 2).await.unwrap(), Ok(Some(1)));
    assert_eq!(given_up(), 1);
}

#[tokio::test]
async fn a_row_that_is_there_twice_is_an_error_of_its_own_key_alone() {
    let harness = with_accounts(&[2, 3, 4]).await;
    // As with an index that is damaged.
    let doubled = format!(
        "alter table read_models.accounts_v4_g1 drop constraint accounts_v4_g1_pkey;
         insert into read_models.accounts_v4_g1
         select * from read_models.accounts_v4 where account_id = '{}'",
        account(3).0
    );
    harness.admin.batch_execute(&doubled).await.unwrap();
    let rows = lookups::<Accounts>(&harness.pool);
    let (holder, first) = lock(&harness, &rows, &[2]).await;

    let waiting: Vec<_> = [3, 2, 9, 4].into_iter().map(|number| begin(&rows, number)).collect();
    tokio::task::yield_now().await;
    holder.batch_execute("commit").await.unwrap();

    let mut found = Vec::new();
    for answer in first.into_iter().chain(waiting) {
        found.push(answer.await.unwrap());
    }
    let refused = found.remove(1).unwrap_err();
    assert!(refused.contains("accounts has two rows of a key"), "{refused}");
    assert_eq!(found, [Ok(Some(1)), Ok(Some(1)), Ok(None), Ok(Some(3))]);
}
