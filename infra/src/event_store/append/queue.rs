//! The queue of a node's appends, from its callers to its batcher.

use tokio::sync::{mpsc, oneshot};

use super::outcome::AppendOutcome;
use super::rows::Append;
use crate::event_store::error::ExecuteError;

/// Receives the outcome, or why there is none.
pub type Reply = oneshot::Sender<Result<AppendOutcome, ExecuteError>>;

pub enum Message {
    Append(Append, Reply),
    /// Answered when every earlier append is answered.
    Drain(oneshot::Sender<()>),
}

#[derive(Clone)]
pub struct Queue(pub mpsc::Sender<Message>);

impl Queue {
    /// # Errors
    /// `Overloaded` at once when the queue is full; `Unavailable` when there is no answer.
    pub async fn append(&self, append: Append) -> Result<AppendOutcome, ExecuteError> {
        let (reply, outcome) = oneshot::channel();
        self.0.try_send(Message::Append(append, reply)).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => ExecuteError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => stopping(),
        })?;
        outcome.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Waits until every earlier append is answered.
    pub async fn drain(&self) {
        let (drained, waited) = oneshot::channel();
        if self.0.send(Message::Drain(drained)).await.is_ok() {
            let _ = waited.await;
        }
    }
}

fn stopping() -> ExecuteError {
    ExecuteError::Unavailable("this node is stopping".to_owned())
}
