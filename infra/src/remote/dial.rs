//! A TCP connection to an address that the policy admits.

use domain::server::Cause;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::{Address, Egress, Refusal, RemoteError, RemoteOptions};

/// The name is looked up once, and what was checked is what is connected to.
pub(super) async fn dial(
    egress: &Egress,
    options: &RemoteOptions,
    address: &Address,
) -> Result<TcpStream, RemoteError> {
    address.check().map_err(RemoteError::Address)?;
    let found = timeout(options.resolve_within, lookup_host((address.host.as_str(), address.port)));
    let found = found.await.ok().and_then(Result::ok);
    let found = found.ok_or(RemoteError::Address(Refusal::Place))?;
    let targets = egress.admit(found).map_err(RemoteError::Address)?;
    let share = u32::try_from(targets.len()).unwrap_or(u32::MAX).max(1);
    let mut trouble = RemoteError::Lost(Cause::Tcp);
    for target in targets {
        match timeout(options.connect_within / share, TcpStream::connect(target)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(|_| RemoteError::Lost(Cause::Tcp))?;
                return Ok(stream);
            }
            Ok(Err(_)) => trouble = RemoteError::Refused(Cause::Tcp),
            Err(_) => trouble = RemoteError::TimedOut(Cause::Tcp),
        }
    }
    Err(trouble)
}
