//! Nothing is appended to a log that lacks an event that this node knows.

use test_support::Databases;
use uuid::Uuid;

use super::super::append::rows::Append;
use super::{Node, appended, count, databases, event, node, one, owner};
use crate::event_store::ExecuteError;
use crate::log::watermark::WentBack;

const KILL: &str = "select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'lethe append' and datname = current_database()";

async fn back(url: &str, sql: &str) {
    let owner = owner(url).await;
    owner.batch_execute("set session_replication_role = replica").await.unwrap();
    owner.batch_execute(sql).await.unwrap();
}

/// A log that has lost two of the three events of a node, as by a restore into the same database: the node's
/// connection goes on.
async fn lost() -> (Databases, Node) {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    for version in 1..=3_i64 {
        let one = one(event(version.unsigned_abs().into(), 7, version));
        assert!(appended(&node.queue.append(one).await.unwrap()));
    }
    back(&databases.log_url, "delete from event_log.events where position > 1").await;
    (databases, node)
}

#[tokio::test]
async fn nothing_is_appended_after_a_reconnect_to_a_log_that_went_back() {
    let (databases, node) = lost().await;

    back(&databases.log_url, KILL).await;
    let refused = node.queue.append(one(event(9, 8, 1))).await;

    assert!(matches!(refused, Err(ExecuteError::Unavailable(_))), "{refused:?}");
    assert_eq!(node.watermark.check(), Err(WentBack::Behind { known: 3, head: 1 }));
    assert_eq!(count(&owner(&databases.log_url).await).await, 1);
}

#[tokio::test]
async fn an_answer_with_a_position_that_was_known_stops_the_node() {
    let (databases, node) = lost().await;

    let first = node.queue.append(one(event(9, 8, 1))).await;
    let second = node.queue.append(one(event(10, 9, 1))).await;

    assert!(matches!(first, Err(ExecuteError::Unavailable(_))), "{first:?}");
    assert!(matches!(second, Err(ExecuteError::Unavailable(_))), "{second:?}");
    assert_eq!(node.watermark.check(), Err(WentBack::Behind { known: 3, head: 1 }));
    assert_eq!(count(&owner(&databases.log_url).await).await, 2);
}

/// Two events of one command.
fn two(command: u128, stream: u128) -> Append {
    let mut two = one(event(command, stream, 1));
    let mut last = event(command, stream, 2);
    (last.command_id, last.events, last.expected) = (None, None, None);
    two.events[0].events = Some(2);
    two.events.push(last);
    two
}

#[tokio::test]
async fn an_answer_to_several_events_with_a_position_that_was_known_stops_the_node() {
    let (databases, node) = lost().await;

    let first = node.queue.append(two(9, 8)).await;
    let second = node.queue.append(one(event(10, 9, 1))).await;

    assert!(matches!(first, Err(ExecuteError::Unavailable(_))), "{first:?}");
    assert!(matches!(second, Err(ExecuteError::Unavailable(_))), "{second:?}");
    assert_eq!(node.watermark.check(), Err(WentBack::Behind { known: 3, head: 1 }));
    assert_eq!(count(&owner(&databases.log_url).await).await, 3);
}

#[tokio::test]
async fn what_is_appended_is_what_this_node_knows() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let two = two(1, 7);
    let id = two.events[1].event_id;

    assert!(appended(&node.queue.append(two).await.unwrap()));

    let newest = node.watermark.newest().unwrap();
    assert_eq!((newest.position, newest.event.0), (2, id));
    assert_ne!(id, Uuid::nil());
}
