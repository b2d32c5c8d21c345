//! Where the appends of a node are handed in.

use tokio::sync::{mpsc, oneshot};

use super::append::{Answer, Append};

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(super) enum Unanswered {
    Overloaded,
    Unavailable(String),
}

pub(super) type Reply = oneshot::Sender<Result<Answer, Unanswered>>;

pub(super) enum Message {
    Append(Append, Reply),
    /// Answered once everything before it is.
    Drain(oneshot::Sender<()>),
}

/// Where the appends of a node are handed in.
#[derive(Clone)]
pub(super) struct Queue(pub mpsc::Sender<Message>);

impl Queue {
    pub async fn append(&self, append: Append) -> Result<Answer, Unanswered> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(Message::Append(append, reply)).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Unanswered::Overloaded,
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    pub async fn drain(&self) {
        let (done, waited) = oneshot::channel();
        if self.0.send(Message::Drain(done)).await.is_ok() {
            let _ = waited.await;
        }
    }
}

fn stopped() -> Unanswered {
    Unanswered::Unavailable("this node is stopping".to_owned())
}
