//! One exception from the egress policy: a network, and one port or all ports.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    network: IpAddr,
    prefix: u32,
    port: Option<u16>,
}

/// An exception cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a network with a port: use CIDR:PORT or CIDR:*, such as 10.0.0.0/8:22 or fd00::/8:*"
)]
pub struct AllowanceError;

impl Allowance {
    pub(super) fn covers(&self, ip: IpAddr, port: u16) -> bool {
        self.port.is_none_or(|allowed| allowed == port) && within(ip, self.network, self.prefix)
    }
}

/// Whether `ip` shares its first `prefix` bits with `network`, in the same family.
pub(super) fn within(ip: IpAddr, network: IpAddr, prefix: u32) -> bool {
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0);
            (ip.to_bits() ^ network.to_bits()) & mask == 0
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128 - prefix.min(128)).unwrap_or(0);
            (ip.to_bits() ^ network.to_bits()) & mask == 0
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

/// Reads `NETWORK/PREFIX`.
pub(super) fn cidr(text: &str) -> Option<(IpAddr, u32)> {
    let (network, prefix) = text.split_once('/')?;
    let network: IpAddr = network.parse().ok()?;
    let prefix: u32 = prefix.parse().ok()?;
    let longest = if network.is_ipv4() { 32 } else { 128 };
    (prefix <= longest).then_some((network, prefix))
}

impl FromStr for Allowance {
    type Err = AllowanceError;

    fn from_str(text: &str) -> Result<Self, AllowanceError> {
        let (network, port) = text.rsplit_once(':').ok_or(AllowanceError)?;
        let (network, prefix) = cidr(network).ok_or(AllowanceError)?;
        let port = match port {
            "*" => None,
            port => Some(port.parse().map_err(|_| AllowanceError)?),
        };
        Ok(Self { network, prefix, port })
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:", self.network, self.prefix)?;
        match self.port {
            Some(port) => write!(f, "{port}"),
            None => f.write_str("*"),
        }
    }
}
