//! Vault over TLS: it is trusted by the certificates that were given, and by nothing else.

use std::path::PathBuf;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use test_support::Vault;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::super::{RootId, RootStoreError, RootVault, RootVaultOptions};
use super::root_vault::{TOKEN, options};
use super::*;

fn file(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/keyring/tests/tls")).join(name)
}

/// A port of this machine that ends TLS and forwards to another one.
async fn tls_before(port: u16) -> u16 {
    let certificate = CertificateDer::from_pem_file(file("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut near) = acceptor.accept(near).await else { return };
                let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    own
}

fn over_tls(port: u16, authority: Option<PathBuf>) -> Result<RootVault, RootStoreError> {
    let url = format!("https://127.0.0.1:{port}");
    RootVault::open(RootVaultOptions { authority, ..options(&url) })
}

#[tokio::test]
async fn vault_is_trusted_by_the_certificates_that_were_given() {
    let vault = Vault::start(TOKEN).await;
    let port = tls_before(vault.port()).await;

    let trusting = over_tls(port, Some(file("authority.pem"))).unwrap();
    let key = trusting.create(RootId(1)).await.unwrap();
    assert_eq!(trusting.read(RootId(1)).await.unwrap().unwrap().expose(), key.expose());

    let asked = vault.requests().len();
    for authority in [None, Some(file("../../../postgres/tests/tls/authority.pem"))] {
        let error = over_tls(port, authority).unwrap().read(RootId(1)).await.err().unwrap();
        assert!(error.to_string().contains("TLS: invalid peer certificate"), "{error}");
    }
    assert_eq!(vault.requests().len(), asked, "the token was sent");
}

#[tokio::test]
async fn a_file_without_certificates_is_named() {
    for (name, why) in [("server.key", "no certificate"), ("none.pem", "No such file")] {
        let error = over_tls(1, Some(file(name))).unwrap_err().to_string();
        assert!(error.contains("root_vault_ca") && error.contains(name), "{error}");
        assert!(error.contains(why), "{error}");
    }
}
