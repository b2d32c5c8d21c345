//! How long each stage of a connection may take.

use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct RemoteOptions {
    pub resolve_within: Duration,
    /// Shared by all addresses of a name.
    pub connect_within: Duration,
    /// Until the server's identification line.
    pub identify_within: Duration,
    /// From there to the end of the key exchange.
    pub exchange_within: Duration,
    pub authenticate_within: Duration,
    /// Until a command runs: a channel, and the answer to the request.
    pub open_within: Duration,
    /// Four of these without a word from the server, and it is lost.
    pub keepalive_every: Duration,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            resolve_within: Duration::from_secs(5),
            connect_within: Duration::from_secs(10),
            identify_within: Duration::from_secs(10),
            exchange_within: Duration::from_secs(15),
            authenticate_within: Duration::from_secs(15),
            open_within: Duration::from_secs(15),
            keepalive_every: Duration::from_secs(15),
        }
    }
}
