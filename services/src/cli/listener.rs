//! A server that listens until it is stopped.

use std::net::SocketAddr;

use actix_web::dev::{Server, ServerHandle};
use tokio::task::JoinHandle;

pub struct Listener {
    pub at: SocketAddr,
    handle: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
}

impl Listener {
    pub fn spawn((server, at): (Server, SocketAddr)) -> Self {
        Self { at, handle: server.handle(), task: tokio::spawn(server) }
    }

    /// Takes no more connections, and waits for the requests under way as long as it was built to.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "a listener ended with an error"),
            Err(error) => tracing::error!(%error, "a listener ended with an error"),
        }
    }
}
