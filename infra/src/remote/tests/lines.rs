//! A socket that can be cut off, and what is heard on it.

use std::io::ErrorKind;

use futures_util::FutureExt;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::remote::line::{Guarded, Hold, Line};

async fn is_identified(heard: &[u8], piece: usize) -> bool {
    let line = Line::default();
    let mut guarded = Guarded::new(heard, line.clone());
    let mut piece = vec![0; piece];
    while guarded.read(&mut piece).await.unwrap() > 0 {}
    line.identified().now_or_never().is_some()
}

#[tokio::test]
async fn an_identification_is_a_whole_line_that_starts_with_ssh() {
    for (heard, expected) in [
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
        for piece in 1..=heard.len() + 1 {
            assert_eq!(is_identified(heard.as_bytes(), piece).await, expected, "{heard:?}");
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
async fn reads_and_writes_that_wait_fail_once_the_line_is_cut() {
    let (near, far) = duplex(16);
    let line = Line::default();
    let hold = Hold(line.clone());
    let (mut reads, mut writes) = tokio::io::split(Guarded::new(near, line));
    let waits = tokio::spawn(async move { reads.read(&mut [0; 1]).await });
    let stuck = tokio::spawn(async move { writes.write_all(&[0; 64]).await });
    tokio::task::yield_now().await;
    drop(hold);
    assert_eq!(waits.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionAborted);
    assert_eq!(stuck.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionAborted);
    drop(far);
}
