//! A stream that can be cancelled, and the server's identification on it.

use std::io::ErrorKind;

use futures_util::FutureExt;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::remote::cancel::{AbortOnDrop, CancelHandle, CancellableStream};

async fn is_identified(received: &[u8], piece: usize) -> bool {
    let cancel = CancelHandle::default();
    let mut stream = CancellableStream::new(received, cancel.clone());
    let mut piece = vec![0; piece];
    while stream.read(&mut piece).await.unwrap() > 0 {}
    cancel.identified().now_or_never().is_some()
}

#[tokio::test]
async fn an_identification_is_a_whole_line_that_starts_with_ssh() {
    for (received, expected) in [
        ("SSH-2.0-x\r\n", true),
        ("hello\r\nSSH-2.0-x\n", true),
        ("\n\nSSH-\n", true),
        ("S\nSSH-2.0-x\n", true),
        ("SSH-2.0-x", false),
        ("xSSH-2.0-x\n", false),
        ("SSS-2.0-x\n", false),
        ("SSH\n-2.0-x\n", false),
        ("xSH-\n", false),
        ("", false),
    ] {
        for piece in 1..=received.len() + 1 {
            assert_eq!(is_identified(received.as_bytes(), piece).await, expected, "{received:?}");
        }
    }
}

proptest! {
    #[test]
    fn an_identification_is_found_wherever_it_stands(
        lines in prop::collection::vec("[SHx-]{0,6}", 0..6),
        piece in 1..9_usize,
    ) {
        let text = [lines.join("\n").as_str(), "\n"].concat();
        let expected = lines.iter().any(|line| line.starts_with("SSH-"));
        let found = is_identified(text.as_bytes(), piece).now_or_never();
        prop_assert_eq!(found, Some(expected));
    }
}

#[tokio::test]
async fn reads_and_writes_that_wait_fail_once_the_stream_is_cancelled() {
    let (client, server) = duplex(16);
    let cancel = CancelHandle::default();
    let abort = AbortOnDrop(cancel.clone());
    let (mut reads, mut writes) = tokio::io::split(CancellableStream::new(client, cancel));
    let waits = tokio::spawn(async move { reads.read(&mut [0; 1]).await });
    let stuck = tokio::spawn(async move { writes.write_all(&[0; 64]).await });
    tokio::task::yield_now().await;
    drop(abort);
    assert_eq!(waits.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionAborted);
    assert_eq!(stuck.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionAborted);
    drop(server);
}
