//! Wakes the readers of every node after an append, by notifications on a separate connection. Several
//! appends may share one. Readers also poll, in case a notification is lost.

use std::future::poll_fn;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::AsyncMessage;

use crate::postgres::{ConnectOptions, DatabaseUrl, PgError, connect_with_messages};
use crate::supervise;

const LISTEN: &str = "listen lethe_appended";
const NOTIFY: &str = "select pg_notify('lethe_appended', $1)";

/// Appends within this time are notified as one.
const GATHER: Duration = Duration::from_millis(10);
const PAUSE: Duration = Duration::from_secs(1);

/// Notifies the other nodes, and hears of what any node has appended.
pub struct Wake {
    heads: Heads,
    task: JoinHandle<()>,
}

/// What wakes the readers of a node.
#[derive(Clone, Debug)]
pub struct Heads {
    /// The highest position known. It may say less than the log's end for a moment.
    pub position: watch::Receiver<i64>,
    /// Whether the appends of other nodes are heard of.
    pub listening: watch::Receiver<bool>,
}

/// Only of one node's own appends.
impl From<watch::Receiver<i64>> for Heads {
    fn from(position: watch::Receiver<i64>) -> Self {
        Self { position, listening: watch::channel(false).1 }
    }
}

/// The sending ends of [`Heads`].
struct Senders {
    position: watch::Sender<i64>,
    listening: watch::Sender<bool>,
}

impl Drop for Wake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Wake {
    /// Notifies the other nodes of what this node has `appended`. `direct_url` must not lead to a
    /// transaction-pooling proxy.
    pub fn start(direct_url: DatabaseUrl, appended: watch::Receiver<i64>) -> Self {
        let (position, heads) = watch::channel(*appended.borrow());
        let (listening, listens) = watch::channel(false);
        let heads = Heads { position: heads, listening: listens };
        let sender = Senders { position, listening };
        let task = supervise::spawn("wake-ups", async move {
            let own = follow(appended.clone(), &sender.position);
            let others = keep_connected(&direct_url, appended, &sender);
            tokio::join!(own, others);
        });
        Self { heads, task }
    }

    /// Changes when any node has appended. A change may be missed: poll too.
    pub fn heads(&self) -> Heads {
        self.heads.clone()
    }
}

/// Says a higher position; a lower one changes nothing.
pub(super) fn rise(sender: &watch::Sender<i64>, to: i64) {
    sender.send_if_modified(|position| {
        let higher = to > *position;
        *position = to.max(*position);
        higher
    });
}

/// What this node appends wakes its own readers at once.
async fn follow(mut appended: watch::Receiver<i64>, heads: &watch::Sender<i64>) {
    while appended.changed().await.is_ok() {
        rise(heads, *appended.borrow_and_update());
    }
}

async fn keep_connected(url: &DatabaseUrl, appended: watch::Receiver<i64>, heads: &Senders) {
    while appended.has_changed().is_ok() {
        if let Err(error) = connected(url, appended.clone(), heads).await {
            tracing::warn!(%error, "nodes are not woken by each other, and poll");
        }
        heads.listening.send_replace(false);
        tokio::time::sleep(PAUSE).await;
    }
}

async fn connected(
    url: &DatabaseUrl,
    mut appended: watch::Receiver<i64>,
    heads: &Senders,
) -> Result<(), PgError> {
    let options = ConnectOptions { application: "lethe wake", ..ConnectOptions::app() };
    let (client, mut connection) = connect_with_messages(url, &options).await?;
    let listen = async {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message? {
                rise(&heads.position, notification.payload().parse().unwrap_or_default());
            }
        }
        Ok(())
    };
    let notify = async {
        client.batch_execute(LISTEN).await?;
        heads.listening.send_replace(true);
        let statement = client.prepare(NOTIFY).await?;
        while appended.changed().await.is_ok() {
            tokio::time::sleep(GATHER).await;
            let position = appended.borrow_and_update().to_string();
            client.execute(&statement, &[&position]).await?;
        }
        Ok(())
    };
    tokio::select! {
        ended = listen => ended,
        ended = notify => ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::connect_one;
    use test_support::{LIMIT, databases};

    const KILL: &str = "select pg_terminate_backend(pid) from pg_stat_activity \
        where application_name = 'lethe wake' and datname = current_database()";

    #[tokio::test]
    async fn an_append_of_one_node_wakes_the_other_even_after_its_connection_was_lost() {
        let databases = databases().await.unwrap();
        let url: DatabaseUrl = databases.log_url.parse().unwrap();
        let (one, own) = watch::channel(3);
        let (_other, others) = watch::channel(0);
        let first = Wake::start(url.clone(), own);
        let second = Wake::start(url.clone(), others);
        let mut heads = second.heads().position;
        let reached = async |heads: &mut watch::Receiver<i64>, position: i64| {
            let mut at = position;
            tokio::time::timeout(LIMIT, async {
                // Sent again and again: the other may not be listening yet.
                while *heads.borrow() < position {
                    at += 1;
                    one.send_replace(at);
                    let _ = tokio::time::timeout(GATHER * 5, heads.changed()).await;
                }
            })
            .await
            .unwrap();
            at
        };

        let at = reached(&mut heads, 10).await;
        assert!(*first.heads().position.borrow() >= 10);
        let admin = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
        admin.batch_execute(KILL).await.unwrap();

        reached(&mut heads, at + 1000).await;
    }
}
