//! What generations have left is deleted.

use infra::log::GenerationState::{Dropped, Failed, Joined, Kept, Live};
use infra::log::{Keep, discard, generations, sweep_generations};
use infra::postgres::{ConnectOptions, connect_one};

use super::{join, promoted, reader, relations, states, was_read};

/// What replays and promotions have left, and what is none of theirs.
const LEFT: &str = "
    insert into readers.generations (name, version, generation, state, lease_until) values
      ('tally', 1, 2, 'building', clock_timestamp() - interval '61 seconds'),
      ('other', 1, 1, 'building', clock_timestamp() - interval '1 second'),
      ('running', 1, 1, 'building', clock_timestamp() + interval '10 seconds'),
      ('ahead', 1, 1, 'building', clock_timestamp() + interval '10 minutes');
    insert into readers.generations (name, version, generation, state, keep_until) values
      ('tally', 1, 3, 'kept', clock_timestamp() - interval '1 second'),
      ('tally', 1, 4, 'kept', clock_timestamp() + interval '1 hour');
    insert into readers.generations (name, version, generation, state, ended_at) values
      ('tally', 1, 5, 'failed', clock_timestamp()),
      ('tally', 1, 6, 'dropped', clock_timestamp() - interval '31 days');
    insert into readers.parked (reader, version, generation, replay, stream_id, from_position, error)
    select 'tally', 1, n, true, gen_random_uuid(), 1, '' from generate_series(2, 4) n;
    set role lethe_app;
    create table read_models.tally_v1_g2 ();
    create table read_models.tally_v1_g3 ();
    create table read_models.tally_v1_g4 ();
    create table read_models.tally_v1_g5 ();
    create table read_models.tally_v1_g7 ();
    create table read_models.other_v1_g1 ();
    create table read_models.running_v1_g1 ();
    create table read_models.ahead_v1_g1 ();
    create table read_models.unrelated ();
    reset role";

#[tokio::test]
async fn what_a_killed_replay_leaves_is_gone_when_its_lease_is_over_for_a_minute() {
    let harness = was_read(&[0xcf]).await;
    harness.admin.batch_execute(LEFT).await.unwrap();
    let url = &harness.databases.log_url;
    let holder = connect_one(url, &ConnectOptions::default()).await.unwrap();
    holder.batch_execute("begin; select from read_models.tally_v1_g5").await.unwrap();

    let dropped = sweep_generations(&harness.pool).await.unwrap();

    let expected = ["ahead_v1_g1", "tally_v1_g2", "tally_v1_g3", "tally_v1_g7"];
    assert_eq!(dropped, expected);
    let expected = [(1, Live), (2, Failed), (3, Dropped), (4, Kept), (5, Failed)];
    assert_eq!(states(&harness).await, expected);
    let all = generations(&harness.pool, "tally").await.unwrap();
    let killed = all.iter().find(|it| it.generation == 2).unwrap();
    assert!(killed.error.as_ref().is_some_and(|error| error.contains("its replay ended")));
    assert_eq!(harness.count("select sum(generation) from readers.parked").await, 4);
    holder.batch_execute("commit").await.unwrap();
    assert_eq!(sweep_generations(&harness.pool).await.unwrap(), ["tally_v1_g5"]);
    let left = [
        "other_v1_g1 r",
        "running_v1_g1 r",
        "tally v",
        "tally_v1_g1 r",
        "tally_v1_g4 r",
        "unrelated r",
    ];
    assert_eq!(relations(&harness).await, left);
    assert_eq!(sweep_generations(&harness.pool).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_dump_holds_is_dropped_after_it_and_nothing_waits_for_that() {
    let harness = was_read(&[0xd1]).await;
    assert_eq!(join(&harness).await, 2);
    let url = &harness.databases.log_url;
    let dump = connect_one(url, &ConnectOptions::default()).await.unwrap();
    let hold =
        "begin; lock table read_models.tally_v1_g1, read_models.tally_v1_g2 in access share mode";
    dump.batch_execute(hold).await.unwrap();

    assert_eq!(join(&harness).await, 3);
    assert_eq!(states(&harness).await, [(1, Live), (2, Dropped), (3, Joined)]);
    promoted(&harness, 3, Keep(None)).await.unwrap();
    assert_eq!(states(&harness).await, [(1, Dropped), (2, Dropped), (3, Live)]);
    assert_eq!(join(&harness).await, 4);
    dump.batch_execute("lock table read_models.tally_v1_g4 in access share mode").await.unwrap();
    discard(&harness.pool, &reader(), 4).await.unwrap();

    let kept = ["tally_v1_g1 r", "tally_v1_g2 r", "tally_v1_g3 r", "tally_v1_g4 r"];
    let kept: Vec<_> = ["tally v"].into_iter().chain(kept).collect();
    assert_eq!(relations(&harness).await, kept);
    assert_eq!(sweep_generations(&harness.pool).await.unwrap(), Vec::<String>::new());
    dump.batch_execute("commit").await.unwrap();
    let left = ["tally_v1_g1", "tally_v1_g2", "tally_v1_g4"];
    assert_eq!(sweep_generations(&harness.pool).await.unwrap(), left);
    assert_eq!(relations(&harness).await, ["tally v", "tally_v1_g3 r"]);
}

#[tokio::test]
async fn a_table_that_somebodys_own_view_reads_holds_up_no_other() {
    let harness = was_read(&[0xd2]).await;
    let left = "set role lethe_app;
        create table read_models.a_v1_g1 (id int);
        create table read_models.b_v1_g1 (id int);
        create view read_models.own as select * from read_models.a_v1_g1;
        reset role";
    harness.admin.batch_execute(left).await.unwrap();

    assert_eq!(sweep_generations(&harness.pool).await.unwrap(), ["b_v1_g1"]);

    harness.admin.batch_execute("drop view read_models.own").await.unwrap();
    assert_eq!(sweep_generations(&harness.pool).await.unwrap(), ["a_v1_g1"]);
}
