//! Time limits of a connection.

use std::time::Duration;

/// How long each stage of a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct RemoteOptions {
    /// For the look-up of the host name, and as much again for its turn where many are looked up.
    pub resolve_within: Duration,
    /// For TCP; divided among the addresses of a name.
    pub connect_within: Duration,
    /// Until the server's identification line.
    pub identify_within: Duration,
    /// From there to the end of the key exchange.
    pub exchange_within: Duration,
    /// For public-key authentication.
    pub authenticate_within: Duration,
    /// Until a command runs: opening its channel, and the server's answer to the request.
    pub open_within: Duration,
    /// The interval of keep-alives. A connection is closed after four without an answer.
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
