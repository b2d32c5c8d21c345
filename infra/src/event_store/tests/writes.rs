//! A server that takes no appends, and takes them again.

use std::time::Duration;

use test_support::until;

use super::super::append::rows::Append;
use super::{Node, appended, count, databases, event, node, node_that_asks, one, owner};
use crate::event_store::ExecuteError;

const SOON: Duration = Duration::from_millis(20);
const OTHERS: &str = "select pg_terminate_backend(pid, 60000) from pg_stat_activity \
    where datname = current_database() and pid <> pg_backend_pid()";

async fn refused(node: &Node, append: Append, code: &str) {
    match node.queue.append(append).await {
        Err(ExecuteError::Unavailable(why)) => assert!(why.contains(code), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(node.writes.check().unwrap_err().contains(code));
}

/// Without an append of ours.
async fn takes_again(node: &Node) {
    until("the log takes appends", async || node.writes.check().ok()).await;
}

/// As a primary that was demoted answers. The connections are new ones afterwards.
async fn read_only(admin: &tokio_postgres::Client, value: &str) {
    let name = admin.query_one("select current_database()::text", &[]).await.unwrap();
    let name: String = name.get(0);
    let set = format!("alter database {name} set default_transaction_read_only = {value}");
    admin.batch_execute(&set).await.unwrap();
    admin.execute(OTHERS, &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_set_read_only_is_not_written_to_until_a_probe_is_written() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let admin = owner(&databases.log_url).await;
    assert!(appended(&node.queue.append(one(event(1, 7, 1))).await.unwrap()));
    node.writes.check().unwrap();

    read_only(&admin, "on").await;
    until("the append is refused", async || {
        node.queue.append(one(event(2, 7, 2))).await.err().filter(|_| node.writes.check().is_err())
    })
    .await;
    refused(&node, one(event(2, 7, 2)), "25006").await;

    read_only(&admin, "off").await;
    takes_again(&node).await;
    assert!(appended(&node.queue.append(one(event(2, 7, 2))).await.unwrap()));
    assert_eq!(count(&admin).await, 2, "a probe leaves nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_node_finds_out_that_its_server_takes_no_appends() {
    let databases = databases().await;
    let node = node_that_asks(&databases.log_url, SOON).await;
    let admin = owner(&databases.log_url).await;

    read_only(&admin, "on").await;
    until("it is found", async || node.writes.check().err().filter(|why| why.contains("25006")))
        .await;

    read_only(&admin, "off").await;
    takes_again(&node).await;
    assert_eq!(count(&admin).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_lost_its_right_to_append_is_seen_and_its_batches_are_refused_as_a_whole() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let admin = owner(&databases.log_url).await;
    let right = async |change: &str| {
        for function in ["append_guarded", "append_one_guarded"] {
            let sql = format!("{change} lethe_app").replace("{}", function);
            admin.batch_execute(&sql).await.unwrap();
        }
    };

    right("revoke execute on function event_log.{} from").await;
    refused(&node, one(event(1, 7, 1)), "42501").await;

    right("grant execute on function event_log.{} to").await;
    takes_again(&node).await;
    assert!(appended(&node.queue.append(one(event(1, 7, 1))).await.unwrap()));
}

/// It is about one append, and not about the server.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_server_cannot_store_makes_no_node_unready() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let mut unfit = event(1, 7, 1);
    unfit.data = super::super::append::rows::Json("no json".to_owned());

    assert!(node.queue.append(one(unfit)).await.is_err());

    node.writes.check().unwrap();
    assert!(appended(&node.queue.append(one(event(2, 7, 1))).await.unwrap()));
}
