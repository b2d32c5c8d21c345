//! A log that lacks an event that was known, against real databases.

mod keeping;
mod races;
mod standby;

use test_support::{Databases, LIMIT, NodeHarness, export};

use super::*;
use crate::postgres::{ConnectOptions, Pool, connect, connect_one};
use crate::statement::query;

/// A log of a few events, and what a node of it keeps.
struct Harness {
    log: NodeHarness,
    token: Uuid,
    pool: Pool,
    keyring: Pool,
}

impl Harness {
    /// Five events.
    async fn new() -> Self {
        let log = NodeHarness::new().await;
        let writer = log.node().await;
        let token = log.token(&writer).await;
        let Databases { log_url, keyring_url, .. } = &log.databases;
        let pool = connect(log_url, &ConnectOptions::app()).await.unwrap();
        let keyring = connect(keyring_url, &ConnectOptions::keyring()).await.unwrap();
        let harness = Self { log, token, pool, keyring };
        harness.append(4).await;
        harness
    }

    /// By a node of its own: it knows nothing of the log before.
    async fn append(&self, events: i64) {
        let writer = self.log.node().await;
        for number in 0..events {
            let command = [export(self.token, number)];
            writer.executor.execute(&self.log.request(), &command).await.unwrap();
        }
    }

    fn node(&self) -> Durable {
        Durable::new(Watermark::default(), self.pool.clone(), self.keyring.clone())
    }

    /// A node that knows every event.
    async fn knowing(&self) -> Durable {
        let node = self.node();
        node.load().await.unwrap();
        node.begin_keeping().await.unwrap();
        node
    }

    async fn damage(&self, sql: &str) {
        let owner = self.log.owner().await;
        owner.batch_execute("set session_replication_role = replica").await.unwrap();
        owner.batch_execute(sql).await.unwrap();
    }

    async fn end_after(&self, position: i64) {
        self.damage(&format!("delete from event_log.events where position > {position}")).await;
    }

    /// The log ends there, and this node deals with it and goes on.
    async fn restore_to(&self, position: i64, node: &Durable) {
        self.end_after(position).await;
        assert_eq!(node.load().await.unwrap(), Known::WentBack);
        node.begin_restore().await.unwrap();
        node.finish_restore().await.unwrap();
        node.begin_keeping().await.unwrap();
        self.append(1).await;
        node.secure().await.unwrap();
    }

    /// Who changed the row last.
    async fn row(&self) -> Option<String> {
        let rows = query(&self.keyring, "select xmin::text from keyring.watermark", &[]).await;
        rows.unwrap().first().map(|row| row.get(0))
    }
}

#[tokio::test]
async fn a_log_that_ends_before_a_known_event_went_back() {
    let harness = Harness::new().await;
    let node = harness.knowing().await;

    harness.end_after(3).await;
    let compared = node.compare().await;

    let why = WentBack::Behind { known: 5, head: 3 };
    assert!(matches!(compared, Err(CompareError::WentBack(found)) if found == why));
    assert_eq!(node.watermark().check(), Err(why));
    assert_eq!(*node.watermark().went_back().borrow(), Some(why));
}

#[tokio::test]
async fn a_log_with_another_event_at_a_known_position_is_another_one() {
    let harness = Harness::new().await;
    let node = harness.knowing().await;

    harness.append(3).await;
    harness
        .damage("update event_log.events set event_id = gen_random_uuid() where position > 4")
        .await;
    let compared = node.compare().await;

    let why = WentBack::Other { known: 5, head: 8 };
    assert!(matches!(compared, Err(CompareError::WentBack(found)) if found == why));
}

#[tokio::test]
async fn what_cannot_be_looked_at_stops_nobody() {
    let harness = Harness::new().await;
    let node = harness.knowing().await;
    let known = node.watermark().newest();
    let standby = Seen { known: None, head: None, standby: true };
    assert!(matches!(node.watermark().judge(known, standby), Err(CompareError::Standby)));

    harness.append(1).await;
    harness.damage("delete from event_log.events where position = 5").await;
    assert!(matches!(node.compare().await, Err(CompareError::Hole { at: 5 })));
    harness.damage("alter table event_log.events rename to away").await;
    assert!(matches!(node.compare().await, Err(CompareError::Postgres(_))));

    assert_eq!(node.watermark().check(), Ok(()));
    harness.damage("alter table event_log.away rename to events").await;
}

#[tokio::test]
async fn a_connection_to_a_log_that_went_back_is_handed_to_nobody() {
    let harness = Harness::new().await;
    let known = Watermark::default();
    let url = &harness.log.databases.log_url;
    let options = ConnectOptions { connections_max: 2, ..ConnectOptions::app() };
    let pool = crate::postgres::connect_with(url, &options, Some(known.hook())).await.unwrap();
    let first = pool.get().await.unwrap();
    known.compare(&first).await.unwrap();

    harness.end_after(2).await;
    let second = pool.get().await.err().map(|error| error.to_string());

    assert!(second.is_some_and(|error| error.contains("the log went back")));
    assert_eq!(known.check(), Err(WentBack::Behind { known: 5, head: 2 }));
}

#[tokio::test]
async fn the_next_start_finds_that_the_log_went_back() {
    let harness = Harness::new().await;
    assert_eq!(harness.node().load().await.unwrap(), Known::Nothing);
    harness.knowing().await;
    assert_eq!(harness.node().load().await.unwrap(), Known::Same);

    harness.end_after(3).await;
    let row = harness.row().await;
    let start = harness.node();
    assert_eq!(start.load().await.unwrap(), Known::WentBack);
    assert_eq!(harness.row().await, row, "who only looks has written it down");
    start.begin_restore().await.unwrap();

    // It stays so until a start has dealt with it, whatever is appended meanwhile.
    harness.append(2).await;
    let next = harness.node();
    assert_eq!(next.load().await.unwrap(), Known::WentBack);
    assert_eq!(next.watermark().check(), Err(WentBack::Noticed));
}

#[tokio::test]
async fn a_log_that_has_grown_again_is_found_by_the_next_start() {
    let harness = Harness::new().await;
    harness.knowing().await;
    harness.append(3).await;
    harness
        .damage("update event_log.events set event_id = gen_random_uuid() where position > 4")
        .await;

    // As of a start: its first connection has read the end of the log.
    let node = harness.node();
    node.compare().await.unwrap();

    assert_eq!(node.load().await.unwrap(), Known::WentBack);
}

#[tokio::test]
async fn a_node_that_noticed_tells_the_next_start_though_the_keyring_went_back_too() {
    let harness = Harness::new().await;
    let node = harness.knowing().await;

    // Both databases as they were at position 3.
    harness.end_after(3).await;
    let options = ConnectOptions::default();
    let admin = connect_one(&harness.log.databases.keyring_url, &options).await.unwrap();
    admin.batch_execute("delete from keyring.watermark").await.unwrap();
    node.compare().await.unwrap_err();
    node.notice().await.unwrap();

    let next = harness.node();
    assert_eq!(next.load().await.unwrap(), Known::WentBack);
    let lost = next.begin_restore().await.unwrap();
    assert_eq!(lost, Some(Lost { through: 5, head: 3, restores: 0 }));
}

#[tokio::test]
async fn a_restore_is_dealt_with_once_and_ends_what_older_nodes_know() {
    let harness = Harness::new().await;
    let (older, paused) = (harness.knowing().await, harness.knowing().await);
    harness.end_after(3).await;
    let (first, second) = (harness.node(), harness.node());
    assert_eq!(first.load().await.unwrap(), Known::WentBack);
    assert_eq!(second.load().await.unwrap(), Known::WentBack);

    let lost = first.begin_restore().await.unwrap();
    assert_eq!(lost, Some(Lost { through: 5, head: 3, restores: 0 }));
    assert_eq!(first.watermark().check(), Ok(()));
    harness.append(3).await;
    // The replay of the ledger erases keys, too.
    first.secure().await.unwrap();
    first.finish_restore().await.unwrap();
    first.begin_keeping().await.unwrap();

    assert_eq!((first.restores(), first.restored_through()), (1, 3));
    assert_eq!(second.begin_restore().await.unwrap(), None);
    assert_eq!((second.restores(), second.restored_through()), (1, 3));
    assert_eq!(second.watermark().check(), Ok(()));
    // One that was paused says nothing of the present log.
    paused.compare().await.unwrap_err();
    paused.notice().await.unwrap();
    assert_eq!(harness.node().load().await.unwrap(), Known::Same);
    // Nor one that has not looked, but has appended.
    older.watermark().raise(NewestEvent { position: 9, event: EventId(Uuid::nil()) });
    let raised = older.raise().await;
    assert!(matches!(raised, Err(CompareError::WentBack(WentBack::DealtWith))), "{raised:?}");
}

/// `ahead` has written down two events that `behind` has not seen, and the log has lost them.
async fn with_a_node_behind(harness: &Harness) -> (Durable, Durable) {
    let (ahead, behind) = (harness.knowing().await, harness.knowing().await);
    harness.append(2).await;
    ahead.secure().await.unwrap();
    harness.end_after(5).await;
    behind.compare().await.unwrap();
    (ahead, behind)
}

#[tokio::test]
async fn a_node_that_knows_less_than_the_others_notices_what_they_know() {
    let harness = Harness::new().await;
    let (_, behind) = with_a_node_behind(&harness).await;

    let found = behind.secure().await;

    let why = WentBack::Behind { known: 7, head: 5 };
    assert!(matches!(found, Err(CompareError::WentBack(found)) if found == why), "{found:?}");
}

#[tokio::test]
async fn a_log_that_has_grown_again_does_not_replace_what_the_others_know() {
    let harness = Harness::new().await;
    let (_, behind) = with_a_node_behind(&harness).await;
    let before = harness.row().await;

    harness.append(3).await;
    let found = behind.secure().await;

    let why = WentBack::Other { known: 7, head: 8 };
    assert!(matches!(found, Err(CompareError::WentBack(found)) if found == why), "{found:?}");
    assert_eq!(harness.row().await, before);
}

#[tokio::test]
async fn a_node_acts_no_more_when_another_has_noticed() {
    let harness = Harness::new().await;
    let (ahead, behind) = with_a_node_behind(&harness).await;
    ahead.compare().await.unwrap_err();
    ahead.notice().await.unwrap();

    let found = behind.secure().await;

    assert!(matches!(found, Err(CompareError::WentBack(WentBack::Noticed))), "{found:?}");
}

#[tokio::test]
async fn an_idle_node_learns_that_another_has_noticed() {
    let harness = Harness::new().await;
    let (ahead, behind) = with_a_node_behind(&harness).await;
    ahead.compare().await.unwrap_err();
    ahead.notice().await.unwrap();

    // As of a node whose readers compare the log.
    let kept = tokio::time::timeout(LIMIT, behind.clone().keep(false)).await;

    assert!(kept.is_ok());
    assert_eq!(behind.watermark().check(), Err(WentBack::Noticed));
}

#[tokio::test]
async fn a_keyring_that_went_back_past_an_earlier_restore_learns_of_the_next() {
    let harness = Harness::new().await;
    let row = "create table keyring.before as table keyring.watermark";
    let node = harness.node();
    harness.knowing().await;
    let options = ConnectOptions::default();
    let admin = connect_one(&harness.log.databases.keyring_url, &options).await.unwrap();
    admin.batch_execute(row).await.unwrap();
    harness.restore_to(4, &node).await;

    // The keyring forgets the restore; the node knows of it.
    let back = "delete from keyring.watermark; insert into keyring.watermark table keyring.before";
    admin.batch_execute(back).await.unwrap();
    harness.end_after(3).await;
    node.compare().await.unwrap_err();
    node.notice().await.unwrap();

    let next = harness.node();
    assert_eq!(next.load().await.unwrap(), Known::WentBack);
    assert_eq!((next.restores(), next.restored_through()), (1, 4));
}

#[tokio::test]
async fn a_restore_that_is_begun_again_goes_on_from_where_the_log_ended_at_first() {
    let harness = Harness::new().await;
    harness.knowing().await;
    harness.end_after(3).await;
    let (killed, next) = (harness.node(), harness.node());
    killed.load().await.unwrap();
    let lost = Some(Lost { through: 5, head: 3, restores: 0 });
    assert_eq!(killed.begin_restore().await.unwrap(), lost);

    // As the replay of the ledger appends.
    harness.append(1).await;
    next.load().await.unwrap();
    assert_eq!(next.begin_restore().await.unwrap(), lost);
    next.finish_restore().await.unwrap();

    assert_eq!(next.restored_through(), 3);
    harness.end_after(2).await;
    let later = harness.node();
    later.load().await.unwrap();
    let lost = Some(Lost { through: 4, head: 2, restores: 1 });
    assert_eq!(later.begin_restore().await.unwrap(), lost);
}
