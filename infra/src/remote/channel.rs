//! A running command: its output as it arrives, and its standard input.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use domain::server::ConnectFailure;
use futures_util::FutureExt;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Error};
use tokio::time::timeout;

use super::RemoteError;
use super::cancel::CancelHandle;

const STANDARD_ERROR: u32 = 1;
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// The receiving half of a channel. The connection closes it when the connection is dropped.
pub(super) struct Inlet(Mutex<Receiving>);

struct Receiving {
    half: Option<ChannelReadHalf>,
    /// Of the task that waits in [`Inlet::next`].
    waiting: Option<Waker>,
}

impl Inlet {
    pub(super) const fn new(half: ChannelReadHalf) -> Self {
        Self(Mutex::new(Receiving { half: Some(half), waiting: None }))
    }

    /// The next message; `None` at the end. Nothing is lost when the future is dropped.
    pub(super) async fn next(&self) -> Option<ChannelMsg> {
        poll_fn(|cx| {
            let mut receiving = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(half) = receiving.half.as_mut() else { return Poll::Ready(None) };
            let next = pin!(half.wait()).poll(cx);
            receiving.waiting = next.is_pending().then(|| cx.waker().clone());
            next
        })
        .await
    }

    /// Ends the messages. The half that is dropped wakes nobody, so the waiting task is woken here.
    pub(super) fn shut(&self) {
        let mut receiving = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (half, waiting) = (receiving.half.take(), receiving.waiting.take());
        drop(receiving);
        drop(half);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

/// An event of a running command.
#[derive(Clone, PartialEq, Eq)]
pub enum ChannelEvent {
    /// Bytes of the standard output.
    Out(Bytes),
    /// Bytes of the standard error.
    Err(Bytes),
    /// The exit status. More output may follow.
    Exit(u32),
}

type Feed = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A command that was started. Dropping it closes the channel: the output ends, the command may not.
pub struct Channel {
    inlet: Arc<Inlet>,
    outlet: Arc<ChannelWriteHalf<Msg>>,
    feed: Option<Feed>,
    cancel: CancelHandle,
    ended: bool,
    closed: bool,
}

impl Channel {
    pub(super) fn new(
        inlet: Arc<Inlet>,
        outlet: ChannelWriteHalf<Msg>,
        cancel: CancelHandle,
    ) -> Self {
        let outlet = Arc::new(outlet);
        Self { inlet, outlet, feed: None, cancel, ended: false, closed: false }
    }

    pub(super) async fn start(&mut self, command: &str) -> Result<(), RemoteError> {
        let lost = || RemoteError::Lost(ConnectFailure::Command);
        self.outlet.exec(true, command).await.map_err(|_| lost())?;
        loop {
            match self.inlet.next().await {
                Some(ChannelMsg::Success) => return Ok(()),
                Some(ChannelMsg::Failure) => {
                    return Err(RemoteError::Refused(ConnectFailure::Command));
                }
                Some(ChannelMsg::WindowAdjusted { .. }) => {}
                // A server sends nothing else before this answer.
                _ => return Err(lost()),
            }
        }
    }

    /// Queues the standard input, which is written while the output is read. `ends`: whether it is
    /// closed after that, or stays open as long as the channel.
    pub(super) fn feed(&mut self, stdin: &[u8], ends: bool) {
        let outlet = Arc::clone(&self.outlet);
        let stdin = Bytes::copy_from_slice(stdin);
        self.feed = Some(Box::pin(async move {
            outlet.data_bytes(stdin).await?;
            if ends { outlet.eof().await } else { Ok(()) }
        }));
    }

    /// Queues more for a standard input that stays open, unless what came before is still queued.
    pub(super) fn say(&mut self, stdin: &[u8]) {
        if self.feed.is_none() {
            self.feed(stdin, false);
        }
    }

    /// The next event; `None` when the output has ended or the connection was lost
    /// ([`Self::has_ended`] distinguishes them). The standard input is written meanwhile. Nothing is
    /// lost when the future is dropped.
    pub async fn next(&mut self) -> Option<ChannelEvent> {
        loop {
            let message = self.message().await?;
            if let ChannelMsg::Close = message {
                self.ended = true;
                return None;
            }
            if let Some(event) = event(message) {
                return Some(event);
            }
        }
    }

    async fn message(&mut self) -> Option<ChannelMsg> {
        if let Some(feed) = &mut self.feed {
            tokio::select! {
                message = self.inlet.next() => return message,
                // An error also ends the receiving half.
                _ = feed => self.feed = None,
            }
        }
        self.inlet.next().await
    }

    /// Whether the server closed the channel. After [`Self::next`] returned `None`, `false` means that
    /// the connection was lost.
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Tells the server to stop sending, and waits up to 5 seconds for that to be sent.
    pub async fn close(mut self) {
        self.closed = matches!(timeout(CLOSE_WITHIN, self.outlet.close()).await, Ok(Ok(())));
    }

    /// Ends the standard input, and reads on until the server has closed the channel. After 5 seconds
    /// it is closed from this side.
    pub(super) async fn end(mut self) {
        let (before, outlet) = (self.feed.take(), Arc::clone(&self.outlet));
        self.feed = Some(Box::pin(async move {
            if let Some(before) = before {
                before.await?;
            }
            outlet.eof().await
        }));
        let read_on = async { while self.next().await.is_some() {} };
        if timeout(CLOSE_WITHIN, read_on).await.is_err() {
            self.close().await;
        }
    }
}

fn event(message: ChannelMsg) -> Option<ChannelEvent> {
    if let ChannelMsg::Data { data } = message {
        Some(ChannelEvent::Out(data))
    } else if let ChannelMsg::ExtendedData { data, ext: STANDARD_ERROR } = message {
        Some(ChannelEvent::Err(data))
    } else if let ChannelMsg::ExitStatus { exit_status } = message {
        Some(ChannelEvent::Exit(exit_status))
    } else {
        None
    }
}

impl Drop for Channel {
    /// Without the close a server could go on sending. When the close cannot be sent at once, the
    /// connection is stuck, and is cancelled.
    fn drop(&mut self) {
        let closed =
            self.ended || self.closed || matches!(self.outlet.close().now_or_never(), Some(Ok(())));
        if !closed {
            self.cancel.cancel();
        }
    }
}

impl fmt::Debug for ChannelEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Out(bytes) => write!(f, "Out({} bytes)", bytes.len()),
            Self::Err(bytes) => write!(f, "Err({} bytes)", bytes.len()),
            Self::Exit(status) => write!(f, "Exit({status})"),
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("ended", &self.ended).finish_non_exhaustive()
    }
}
