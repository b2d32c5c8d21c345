//! A socket that can be cut off: a russh task holds it for longer than its caller waits.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

#[derive(Debug, Default)]
struct Wire {
    cut: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
    identified: Notify,
}

/// One end's word on whether the socket is still wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Line(Arc<Wire>);

impl Line {
    /// From now on every read and write fails, also those that wait.
    pub(super) fn cut(&self) {
        self.0.cut.store(true, Ordering::Release);
        self.0.reader.wake();
        self.0.writer.wake();
    }

    pub(super) fn is_cut(&self) -> bool {
        self.0.cut.load(Ordering::Acquire)
    }

    pub(super) async fn identified(&self) {
        self.0.identified.notified().await;
    }

    fn check(&self) -> io::Result<()> {
        if self.is_cut() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

/// Cuts the line when it is dropped.
#[derive(Debug)]
pub(super) struct Hold(pub(super) Line);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.cut();
    }
}

pub(super) struct Guarded<S> {
    stream: S,
    line: Line,
    greeting: Option<Greeting>,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, line: Line) -> Self {
        Self { stream, line, greeting: Some(Greeting::default()) }
    }

    fn listen(&mut self, heard: &[u8]) {
        let Some(greeting) = &mut self.greeting else { return };
        if greeting.ends_in(heard) {
            self.greeting = None;
            self.line.0.identified.notify_one();
        }
    }
}

/// What a server says until its identification: lines, of which the one that starts `SSH-` counts
/// (RFC 4253, 4.2).
#[derive(Default)]
struct Greeting {
    at: usize,
    matches: bool,
}

impl Greeting {
    fn ends_in(&mut self, heard: &[u8]) -> bool {
        heard.iter().any(|byte| self.takes(*byte))
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

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.line.0.reader.register(cx.waker());
        this.line.check()?;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        this.listen(buf.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.line.0.writer.register(cx.waker());
        this.line.check()?;
        Pin::new(&mut this.stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.line.0.writer.register(cx.waker());
        this.line.check()?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.line.0.writer.register(cx.waker());
        this.line.check()?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}
