//! Opens a TCP connection to an address that the egress policy allows.

use domain::server::ConnectFailure;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::{Address, AddressError, Egress, RemoteError, RemoteOptions};

/// Resolves the name once, checks every address, and connects to a checked address: it does not resolve
/// the name again.
pub(super) async fn dial(
    egress: &Egress,
    options: &RemoteOptions,
    address: &Address,
) -> Result<TcpStream, RemoteError> {
    address.check().map_err(RemoteError::Address)?;
    let resolved =
        timeout(options.resolve_within, lookup_host((address.host.as_str(), address.port)));
    let resolved = resolved.await.ok().and_then(Result::ok);
    let resolved = resolved.ok_or(RemoteError::Address(AddressError::NotAllowed))?;
    let targets = egress.admit(resolved).map_err(RemoteError::Address)?;
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
