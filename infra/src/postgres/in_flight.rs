//! Whether a statement of a connection was given up before its answer: the connection is then not used again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_postgres::CancelToken;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Whoever dropped the statement does not wait for it.
const CANCEL_WITHIN: Duration = Duration::from_secs(5);

/// Of one connection.
pub(super) struct InFlight {
    is_given_up: AtomicBool,
    /// `None`: the server finishes what nobody waits for. A cancelled statement of its own transaction may be at the
    /// commit, and wait there for a synchronous standby: then it is done, and seen by others before the standby
    /// has it. Nobody hears that it is done, and what is answered later stands behind it in the WAL.
    cancel: Option<Cancel>,
}

#[derive(Clone)]
struct Cancel {
    token: CancelToken,
    tls: MakeRustlsConnect,
}

impl InFlight {
    pub fn new(cancel: Option<(CancelToken, MakeRustlsConnect)>) -> Self {
        let cancel = cancel.map(|(token, tls)| Cancel { token, tls });
        Self { is_given_up: AtomicBool::new(false), cancel }
    }

    pub fn is_given_up(&self) -> bool {
        self.is_given_up.load(Ordering::Relaxed)
    }

    /// Runs a statement. If the future is dropped before its answer, the server is asked to cancel it.
    pub async fn watch<T>(&self, statement: impl Future<Output = T>) -> T {
        let begun = self.begin();
        let answer = statement.await;
        begun.end();
        answer
    }

    /// Runs the end of a transaction. It is never cancelled: a commit that waits for a standby would be
    /// visible without it.
    pub async fn watch_end<T>(&self, statement: impl Future<Output = T>) -> T {
        let begun = Begun { of: self, has_ended: false, is_cancelled: false };
        let answer = statement.await;
        begun.end();
        answer
    }

    pub const fn begin(&self) -> Begun<'_> {
        Begun { of: self, has_ended: false, is_cancelled: true }
    }

    fn give_up(&self, is_cancelled: bool) {
        let was_given_up = self.is_given_up.swap(true, Ordering::Relaxed);
        let (Some(cancel), false) = (self.cancel.clone(), was_given_up || !is_cancelled) else {
            return;
        };
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            let cancelling = cancel.token.cancel_query(cancel.tls);
            match tokio::time::timeout(CANCEL_WITHIN, cancelling).await {
                Ok(Ok(())) => tracing::debug!("a statement that nobody waits for was cancelled"),
                Ok(Err(error)) => {
                    let error = super::describe(&error);
                    tracing::debug!(error, "a statement that nobody waits for goes on");
                }
                Err(_) => tracing::debug!("a statement that nobody waits for goes on"),
            }
        });
    }
}

/// A statement was sent, or is about to be.
pub(super) struct Begun<'a> {
    of: &'a InFlight,
    has_ended: bool,
    is_cancelled: bool,
}

impl Begun<'_> {
    /// Its answer has come, an error or not.
    pub fn end(mut self) {
        self.has_ended = true;
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.of.give_up(self.is_cancelled);
        }
    }
}
