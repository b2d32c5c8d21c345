//! Encrypted connections to PostgreSQL.

use std::path::Path;

use tokio_postgres_rustls::MakeRustlsConnect;

use super::PgError;
use crate::tls::{TlsError, client_config};

/// Trusts the certificates in `root`, else the web's authorities.
pub(super) fn connector(root: Option<&Path>) -> Result<MakeRustlsConnect, PgError> {
    client_config(root).map(MakeRustlsConnect::new).map_err(|error| match error {
        TlsError::Certificates(reason) => PgError::RootCertificate {
            path: root.map(Path::to_path_buf).unwrap_or_default(),
            reason,
        },
        TlsError::Setup(error) => error.into(),
    })
}
