//! A port at which nobody listens.

use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// It is taken as long as this value lives: no server of another test begins to listen there meanwhile.
pub struct ClosedPort(TcpSocket);

impl ClosedPort {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        Self(socket)
    }

    /// Whoever connects to it is refused.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

impl Default for ClosedPort {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn whoever_connects_is_refused() {
        let closed = ClosedPort::new();

        let refused = TcpStream::connect(closed.address()).await.unwrap_err();

        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
}
