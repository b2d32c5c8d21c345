//! The sockets on which a node listens, taken before anything else is done.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use super::CliError;
use crate::config::Config;

pub struct Sockets {
    /// None where the API is not served.
    pub api: Option<TcpListener>,
    pub metrics: TcpListener,
}

impl Sockets {
    pub fn bind(config: &Config, with_api: bool) -> Result<Self, CliError> {
        let api = with_api.then(|| bind("listen", config.listen)).transpose()?;
        Ok(Self { api, metrics: bind("metrics_listen", config.metrics_listen)? })
    }
}

fn bind(setting: &str, at: SocketAddr) -> Result<TcpListener, CliError> {
    let bound = TcpListener::bind(at).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|error| {
        let is = |kind| error.kind() == kind;
        let reason = if is(ErrorKind::AddrInUse) {
            format!("{at} is in use: stop the program that uses it, or set another `{setting}`")
        } else if is(ErrorKind::PermissionDenied) {
            format!("this user may not listen on {at}: use a port from 1024, or another user")
        } else if is(ErrorKind::AddrNotAvailable) {
            format!("{} is no address of this machine: use one that it has", at.ip())
        } else {
            format!("cannot listen on {at}: {error}")
        };
        CliError::Input(format!("{setting}: {reason}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_in_use_is_named_with_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = taken.local_addr().unwrap();

        let refused = bind("listen", at).unwrap_err().to_string();

        let said = format!("listen: {at} is in use: stop the program that uses it, or set another");
        assert!(refused.starts_with(&said), "{refused}");
    }
}
