//! A view that is gone is made again.

use infra::log::GenerationState::{Building, Dropped, Live};
use infra::postgres::{ConnectOptions, connect_one};
use test_support::until_waits_for_lock;
use uuid::Uuid;

use super::{relations, states, was_read};
use crate::readers::{letters, tally};

const LOSE: &str = "drop table read_models.tally_v1_g1 cascade";

#[tokio::test]
async fn what_a_replay_has_parked_stays_parked_when_its_reader_begins_from_nothing() {
    let harness = was_read(&[0xd5]).await;
    let replaying = "
        insert into readers.generations (name, version, generation, state) values ('tally', 1, 2, 'building');
        insert into readers.parked
          (reader, version, generation, replay, stream_id, from_position, error) values
          ('tally', 1, 1, false, gen_random_uuid(), 1, ''), ('tally', 1, 2, true, gen_random_uuid(), 1, '')";
    harness.admin.batch_execute(replaying).await.unwrap();
    harness.admin.batch_execute(LOSE).await.unwrap();

    let readers = harness.read(tally()).await;

    harness.caught_up(&["tally"]).await;
    assert_eq!(states(&harness).await, [(1, Dropped), (2, Building), (3, Live)]);
    assert_eq!(harness.count("select sum(generation) from readers.parked").await, 2);
    readers.stop().await;
}

/// As a replay does that comes to its end.
const MAKE: &str = "
    begin;
    update readers.checkpoints set position = 0, generation = 2, fence = fence + 1;
    update readers.generations set state = 'dropped' where generation = 1;
    insert into readers.generations (name, version, generation, state) values ('tally', 1, 2, 'live');
    set local role lethe_app;
    create table read_models.tally_v1_g2 (stream uuid primary key, text text not null, position bigint not null);
    create view read_models.tally as select * from read_models.tally_v1_g2";

#[tokio::test]
async fn a_view_that_somebody_makes_meanwhile_is_left() {
    let harness = was_read(&[0xd6]).await;
    harness.admin.batch_execute(LOSE).await.unwrap();
    let url = &harness.databases.log_url;
    let making = connect_one(url, &ConnectOptions::default()).await.unwrap();
    making.batch_execute(MAKE).await.unwrap();
    let end = async {
        until_waits_for_lock(&harness.admin, "from readers.checkpoints").await;
        making.batch_execute("commit").await.unwrap();
    };

    let (readers, ()) = tokio::join!(harness.read(tally()), end);

    harness.caught_up(&["tally"]).await;
    assert_eq!(states(&harness).await, [(1, Dropped), (2, Live)]);
    assert_eq!(relations(&harness).await, ["tally v", "tally_v1_g2 r"]);
    let found = letters(&harness, "tally", Uuid::from_u128(0xd6)).await;
    assert_eq!(found.as_deref(), Some("ab"));
    readers.stop().await;
}

#[tokio::test]
async fn a_view_that_alone_is_gone_shows_its_table_again() {
    let harness = was_read(&[0xd7]).await;
    harness.admin.batch_execute("drop view read_models.tally").await.unwrap();
    // No event says so.
    let mark = "update read_models.tally_v1_g1 set text = 'marked'";
    assert_eq!(harness.admin.execute(mark, &[]).await.unwrap(), 1);

    let readers = harness.read(tally()).await;

    harness.caught_up(&["tally"]).await;
    assert_eq!(states(&harness).await, [(1, Live)]);
    let found = letters(&harness, "tally", Uuid::from_u128(0xd7)).await;
    assert_eq!(found.as_deref(), Some("marked"), "it was not read again from nothing");
    readers.stop().await;
}
