//! When a connection is encrypted, and whom it trusts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{PgError, url};

/// Reads the URL. One remote host is enough to require TLS with a verified name; on this machine
/// it is used only when the URL requires it.
/// Answers the certificates to trust, too.
pub(super) fn required_beyond_this_machine(
    url: &str,
) -> Result<(Config, Option<PathBuf>), PgError> {
    let (mut config, root) = url::read(url)?;
    match remote_host(&config) {
        Some(host) if config.get_ssl_mode() == SslMode::Disable => {
            return Err(PgError::TlsRequired { host });
        }
        Some(_) => config.ssl_mode(SslMode::Require),
        None if config.get_ssl_mode() == SslMode::Require => &mut config,
        // Debian's local server offers a certificate that nobody signed.
        None => config.ssl_mode(SslMode::Disable),
    };
    Ok((config, root))
}

fn remote_host(config: &Config) -> Option<String> {
    let addresses = config.get_hostaddrs();
    if let Some(address) = addresses.iter().find(|address| !address.is_loopback()) {
        return Some(address.to_string());
    }
    if !addresses.is_empty() {
        return None;
    }
    config.get_hosts().iter().find_map(|host| match host {
        Host::Unix(_) => None,
        Host::Tcp(name) if name == "localhost" => None,
        Host::Tcp(name) => match name.parse::<std::net::IpAddr>() {
            Ok(address) if address.is_loopback() => None,
            _ => Some(name.clone()),
        },
    })
}

/// Trusts the certificates in `root`, else the web's authorities.
pub(super) fn connector(root: Option<&Path>) -> Result<MakeRustlsConnect, PgError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(root)?)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn roots(root: Option<&Path>) -> Result<RootCertStore, PgError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = root else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    let unusable = |reason: String| PgError::RootCertificate { path: path.to_path_buf(), reason };
    let certificates = CertificateDer::pem_file_iter(path);
    for certificate in certificates.map_err(|error| unusable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("it holds no certificate".to_owned()));
    }
    Ok(roots)
}
