//! A stream that can be cancelled: a russh task holds it for longer than its caller waits.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

#[derive(Debug, Default)]
struct Shared {
    cancelled: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
    identified: Notify,
}

/// Ends a stream that russh's task owns. Clones end the same stream.
#[derive(Clone, Debug, Default)]
pub(super) struct CancelHandle(Arc<Shared>);

impl CancelHandle {
    /// From now on every read and write fails, those that already wait included.
    pub(super) fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Release);
        self.0.reader.wake();
        self.0.writer.wake();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }

    /// Resolves once the server has sent its identification line (RFC 4253, 4.2).
    pub(super) async fn identified(&self) {
        self.0.identified.notified().await;
    }

    fn check(&self) -> io::Result<()> {
        if self.is_cancelled() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

/// Cancels the stream when it is dropped.
#[derive(Debug)]
pub(super) struct AbortOnDrop(pub(super) CancelHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// A socket whose reads and writes fail once its handle is cancelled.
pub(super) struct CancellableStream<S> {
    stream: S,
    cancel: CancelHandle,
    greeting: Option<Greeting>,
}

impl<S> CancellableStream<S> {
    pub(super) fn new(stream: S, cancel: CancelHandle) -> Self {
        Self { stream, cancel, greeting: Some(Greeting::default()) }
    }

    fn watch_greeting(&mut self, received: &[u8]) {
        let Some(greeting) = &mut self.greeting else { return };
        if greeting.ends_in(received) {
            self.greeting = None;
            self.cancel.0.identified.notify_one();
        }
    }
}

/// Finds the server's identification: the first line that starts with `SSH-` (RFC 4253, 4.2).
#[derive(Default)]
struct Greeting {
    at: usize,
    matches: bool,
}

impl Greeting {
    fn ends_in(&mut self, received: &[u8]) -> bool {
        received.iter().any(|byte| self.takes(*byte))
    }

    fn takes(&mut self, byte: u8) -> bool {
        if byte == b'\n' {
            let ended = self.matches && self.at >= b"SSH-".len();
            *self = Self::default();
            return ended;
        }
        if let Some(expected) = b"SSH-".get(self.at) {
            self.matches = (self.at == 0 || self.matches) && byte == *expected;
        }
        self.at = self.at.saturating_add(1);
        false
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CancellableStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.cancel.0.reader.register(cx.waker());
        this.cancel.check()?;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        this.watch_greeting(buf.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CancellableStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.cancel.0.writer.register(cx.waker());
        this.cancel.check()?;
        Pin::new(&mut this.stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.cancel.0.writer.register(cx.waker());
        this.cancel.check()?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.cancel.0.writer.register(cx.waker());
        this.cancel.check()?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}
