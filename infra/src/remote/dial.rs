//! Opens a TCP connection to an address that the egress policy allows.

use std::net::SocketAddr;

use domain::server::ConnectFailure;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::resolver::Resolver;
use super::{Address, Egress, RemoteError, RemoteOptions};

/// Resolves the name once, checks every address, and connects to a checked address: it does not resolve
/// the name again.
pub(super) async fn dial(
    egress: &Egress,
    resolver: &Resolver,
    options: &RemoteOptions,
    address: &Address,
) -> Result<TcpStream, RemoteError> {
    address.check().map_err(RemoteError::Address)?;
    let found = resolver.resolve(address).await?.into_iter();
    let found = found.map(|ip| SocketAddr::new(ip, address.port));
    let targets = egress.admit(found).map_err(RemoteError::Address)?;
    let share = u32::try_from(targets.len()).unwrap_or(u32::MAX).max(1);
    let mut last_error = RemoteError::Lost(ConnectFailure::Tcp);
    for target in targets {
        match timeout(options.connect_within / share, TcpStream::connect(target)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(|_| RemoteError::Lost(ConnectFailure::Tcp))?;
                return Ok(stream);
            }
            Ok(Err(_)) => last_error = RemoteError::Refused(ConnectFailure::Tcp),
            Err(_) => last_error = RemoteError::TimedOut(ConnectFailure::Tcp),
        }
    }
    Err(last_error)
}
