use std::time::Duration;

use super::*;
use crate::postgres::{ConnectOptions, connect, connect_one};
use test_support::{databases, until};

const ADA: Uuid = Uuid::from_u128(1);
const BOB: Uuid = Uuid::from_u128(2);

fn index(kind: &str, of: u8) -> Index {
    (kind.to_owned(), vec![of])
}

#[tokio::test]
async fn a_reservation_moves_to_the_next_generation_while_its_owner_holds_it() {
    let databases = databases().await.unwrap();
    let admin = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
    let insert =
        "insert into event_log.reservations (kind, blind_index, owner) values ($1, $2, $3)";
    for (kind, of, owner) in [("1", 1_u8, ADA), ("1", 2, BOB), ("2", 22, BOB)] {
        admin.execute(insert, &[&kind, &vec![of], &owner]).await.unwrap();
    }
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let reservations = Reservations::new(pool);

    assert!(!reservations.reserve_again(&index("2", 22), &index("1", 1), ADA).await.unwrap());
    assert!(!reservations.reserve_again(&index("2", 21), &index("1", 2), ADA).await.unwrap());
    assert!(reservations.reserve_again(&index("2", 21), &index("1", 1), ADA).await.unwrap());
    assert!(reservations.reserve_again(&index("2", 21), &index("1", 1), ADA).await.unwrap());

    assert_eq!(reservations.kinds().await.unwrap(), ["1", "2"]);

    reservations.delete_kind("1").await.unwrap();

    assert_eq!(reservations.kinds().await.unwrap(), ["2"]);

    assert_eq!(reservations.of_owner(ADA).await.unwrap(), [index("2", 21)]);
    assert_eq!(reservations.of_owner(BOB).await.unwrap(), [index("2", 22)]);
}

#[tokio::test]
async fn the_reservations_of_a_kind_are_deleted_in_batches() {
    let databases = databases().await.unwrap();
    let admin = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
    let fill = "insert into event_log.reservations (kind, blind_index, owner)
        select kind, sha256(n::text::bytea), gen_random_uuid()
        from generate_series(1, 2500) n, unnest(array['1', '2']) kind";
    admin.execute(fill, &[]).await.unwrap();
    let count = async |kind: &str| -> i64 {
        let count = "select count(*) from event_log.reservations where kind = $1";
        admin.query_one(count, &[&kind]).await.unwrap().get(0)
    };
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let reservations = Reservations::new(pool);

    let last = reservations.delete_after("1", &[], 10).await.unwrap().unwrap();
    assert_eq!(count("1").await, 2490);
    let next = reservations.delete_after("1", &last, 10).await.unwrap().unwrap();
    assert!(next > last);
    assert_eq!(count("1").await, 2480);

    reservations.delete_kind("1").await.unwrap();
    assert_eq!((count("1").await, count("2").await), (0, 2500));
    assert_eq!(reservations.delete_after("1", &[], 10).await.unwrap(), None);
}

fn row(old: u8, new: u8, owner: Uuid) -> MovedRow {
    MovedRow { old: vec![old], new: index("2", new), owner }
}

fn batch(after: &[u8], through: u8, is_last: bool, rows: Vec<MovedRow>) -> Batch {
    Batch { after: after.to_vec(), through: vec![through], is_last, rows }
}

#[tokio::test]
async fn a_batch_moves_what_its_owners_still_have_and_is_committed_by_one_node() {
    let databases = databases().await.unwrap();
    let admin = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
    let fill = "insert into event_log.reservations (kind, blind_index, owner) values
        ('1', '\\x01', $1), ('1', '\\x02', $2), ('1', '\\x03', $1)";
    admin.execute(fill, &[&ADA, &BOB]).await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let reservations = Reservations::new(pool);
    assert_eq!(reservations.progress("1", "2").await.unwrap(), None);

    // Bob's address is Ada's by the time of the commit.
    let first = batch(&[], 2, false, vec![row(1, 21, ADA), row(2, 22, ADA)]);
    assert!(reservations.move_batch("1", "2", &first).await.unwrap());
    assert!(!reservations.move_batch("1", "2", &first).await.unwrap(), "another node was first");
    let expected = MoveProgress { through: vec![2], is_complete: false };
    assert_eq!(reservations.progress("1", "2").await.unwrap(), Some(expected));
    let last = batch(&[2], 3, true, vec![row(3, 23, ADA)]);
    assert!(reservations.move_batch("1", "2", &last).await.unwrap());
    assert!(!reservations.move_batch("1", "2", &last).await.unwrap(), "it is complete");

    let twos: Vec<_> = reservations.page("2", &[], 10).await.unwrap();
    assert_eq!(twos, [(vec![21], ADA), (vec![23], ADA)]);
    let next = batch(&[], 21, false, vec![]);
    assert!(reservations.move_batch("2", "3", &next).await.unwrap());
    assert_eq!(reservations.progress("1", "2").await.unwrap(), None);
}

/// Each statement that writes reservations takes 0.2 s: appends then have as long.
#[tokio::test]
async fn after_a_batch_appends_have_as_long_as_it_took() {
    const SLOW: &str = "create function public.slow() returns trigger language plpgsql as $$
        begin
          while clock_timestamp() < statement_timestamp() + interval '0.2 s' loop end loop;
          return null;
        end $$;
        create trigger slow after insert or delete on event_log.reservations
        for each statement execute function public.slow()";
    let databases = databases().await.unwrap();
    let admin = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
    let fill = "insert into event_log.reservations (kind, blind_index, owner) values
        ('1', '\\x01', $1)";
    admin.execute(fill, &[&ADA]).await.unwrap();
    admin.batch_execute(SLOW).await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let reservations = Reservations::new(pool);
    let both = Duration::from_millis(400);

    let since = Instant::now();
    let all = batch(&[], 1, true, vec![row(1, 21, ADA)]);
    assert!(reservations.move_batch("1", "2", &all).await.unwrap());
    let moved = since.elapsed();

    let since = Instant::now();
    reservations.delete_kind("1").await.unwrap();
    let deleted = since.elapsed();

    assert!(moved >= both && deleted >= both, "{moved:?}, {deleted:?}");
    assert_eq!(reservations.kinds().await.unwrap(), ["2"]);
}

/// A batch of ten out of so many reservations.
async fn rows_read_by_a_batch(admin: &tokio_postgres::Client) -> i64 {
    let read = "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables \
        where relname = 'reservations'";
    admin.batch_execute("begin").await.unwrap();
    let before: i64 = admin.query_one(read, &[]).await.unwrap().get(0);
    let middle = vec![0x80_u8];
    let page = admin.query(PAGE, &[&"1", &middle, &10_i64]).await.unwrap();
    let olds: Vec<Vec<u8>> = page.iter().map(|row| row.get(0)).collect();
    let owners: Vec<Uuid> = page.iter().map(|row| row.get(1)).collect();
    let moved = "select event_log.move_reservations('1', '2', '', $1, false, $2, \
        array_fill('2'::text, array[10]), $2, $3)";
    assert!(admin.query_one(moved, &[&olds[9], &olds, &owners]).await.unwrap().get::<_, bool>(0));
    let after: i64 = admin.query_one(read, &[]).await.unwrap().get(0);
    admin.batch_execute("rollback").await.unwrap();
    after - before
}

#[tokio::test]
async fn a_batch_reads_no_more_where_there_are_many_reservations() {
    let databases = databases().await.unwrap();
    let admin = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
    let fill = "insert into event_log.reservations (kind, blind_index, owner)
        select '1', sha256((n + $1)::text::bytea), gen_random_uuid() from generate_series(1, $2) n";
    admin.execute(fill, &[&0, &100]).await.unwrap();
    let few = rows_read_by_a_batch(&admin).await;

    admin.execute(fill, &[&1_000, &20_000]).await.unwrap();
    let many = rows_read_by_a_batch(&admin).await;

    assert!(few >= 20, "{few}: the count does not see the batch");
    assert!(many <= few + 10, "{few} rows of few, {many} of many");
}

/// While somebody appends.
async fn waits_for_the_log<T>(log_url: &str, writes: impl Future<Output = T>) -> T {
    const WAITS: &str = "select count(*) from pg_locks l join pg_database d on d.oid = l.database
        where l.locktype = 'advisory' and not l.granted and d.datname = current_database()";
    let holder = connect_one(log_url, &ConnectOptions::unlimited()).await.unwrap();
    holder.batch_execute("begin; select event_log.lock()").await.unwrap();
    let mut writes = std::pin::pin!(writes);
    let waits = async || holder.query_one(WAITS, &[]).await.unwrap().get::<_, i64>(0) == 1;
    tokio::select! {
        _ = &mut writes => panic!("it did not wait"),
        () = until("it waits for the log", waits) => {}
    }
    holder.batch_execute("rollback").await.unwrap();
    writes.await
}

#[tokio::test]
async fn whatever_writes_reservations_waits_for_the_log() {
    let databases = databases().await.unwrap();
    let url = databases.log_url.as_str();
    let admin = connect_one(url, &ConnectOptions::default()).await.unwrap();
    let fill = "insert into event_log.reservations (kind, blind_index, owner) values
        ('1', '\\x01', $1), ($2, '\\x02', $1)";
    admin.execute(fill, &[&ADA, &UNREADABLE]).await.unwrap();
    let app = ConnectOptions { role: ConnectOptions::app().role, ..ConnectOptions::unlimited() };
    let reservations = Reservations::new(connect(url, &app).await.unwrap());
    let (old, new) = (index("1", 1), index("2", 21));

    let again = reservations.reserve_again(&new, &old, ADA);
    assert!(Box::pin(waits_for_the_log(url, again)).await.unwrap());
    let last = batch(&[], 1, true, vec![row(1, 22, ADA)]);
    assert!(
        Box::pin(waits_for_the_log(url, reservations.move_batch("1", "2", &last))).await.unwrap()
    );
    Box::pin(waits_for_the_log(url, reservations.delete_unreadable(&[2], ADA))).await.unwrap();
    let deleted = Box::pin(waits_for_the_log(url, reservations.delete_after("1", &[], 9))).await;

    assert_eq!(deleted.unwrap(), Some(vec![1]));
    assert_eq!(reservations.of_owner(ADA).await.unwrap(), [new, index("2", 22)]);
}
