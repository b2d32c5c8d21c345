//! Controls: the measurements find the harm that they are for.

use std::sync::Arc;

use russh::client;
use test_support::until;
use tokio::net::TcpStream;

use crate::harness::{Harness, Memory};
use crate::wire::ServerStream;

const CONNECTIONS: usize = 20;

struct Anybody;

impl client::Handler for Anybody {
    type Error = russh::Error;
}

/// russh by itself, dropped in the middle: this is what the guard is for.
#[test]
fn without_the_guard_a_dropped_connection_stays() {
    let harness = Harness::new();
    let client =
        harness.server(|stream| async { ServerStream::greet(stream).await?.wait().await }, None);
    harness.ours.block_on(async {
        for dropped in 0..CONNECTIONS {
            let stream = TcpStream::connect(("127.0.0.1", client.address.port)).await.unwrap();
            let begun = until("its task", async || harness.tasks() > dropped);
            tokio::select! {
                _ = client::connect_stream(Arc::default(), stream, Anybody) => panic!("it ended"),
                () = begun => {}
            }
        }
    });
    assert_eq!(harness.tasks(), CONNECTIONS);
    // Both ends are ours; sockets of an earlier test may have closed meanwhile.
    assert!(harness.sockets() > CONNECTIONS, "{}", harness.sockets());
}

#[test]
fn memory_that_was_taken_for_a_moment_is_seen() {
    let _harness = Harness::new();
    let memory = Memory::now();
    drop(vec![7_u8; 64 << 20]);
    assert!(memory.growth() > 48 << 20);
}
