use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::backup::Tools;
use crate::postgres::{ConnectOptions, DatabaseUrl, connect_one};

/// Protocol 3.0: the length before it, then this.
const START_UP: [u8; 4] = [0, 3, 0, 0];

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/postgres/tests/tls"))
}

fn certified() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(folder().join("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder().join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

/// A server that answers the request for TLS with one letter and tells what it then reads.
fn server(answer: u8) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 8];
        stream.read_exact(&mut request).unwrap();
        stream.write_all(&[answer]).unwrap();
        if answer == b'S' { read_sealed(stream) } else { read_some(stream) }
    });
    (port, serving)
}

fn read_sealed(mut stream: TcpStream) -> Vec<u8> {
    let mut connection = ServerConnection::new(certified()).unwrap();
    read_some(Stream::new(&mut connection, &mut stream))
}

fn read_some(mut stream: impl Read) -> Vec<u8> {
    let mut read = [0; 8];
    stream.read_exact(&mut read).map(|()| read.to_vec()).unwrap_or_default()
}

async fn connect(host: &str, port: u16, authority: Option<&str>) -> String {
    let root = authority.map_or("system".into(), |name| folder().join(name).display().to_string());
    let url = format!(
        "host={host} hostaddr=127.0.0.1 port={port} user=u sslmode=verify-full sslrootcert='{root}'"
    );
    match connect_one(&url, &ConnectOptions::default()).await {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_server_with_a_certificate_of_the_authority_is_talked_to_under_tls() {
    let (port, serving) = server(b'S');

    connect("db.example", port, Some("authority.pem")).await;

    assert_eq!(serving.join().unwrap().get(4..), Some(&START_UP[..]));
}

#[tokio::test]
async fn a_server_with_another_name_or_authority_is_told_nothing() {
    for (host, authority) in [("other.example", Some("authority.pem")), ("db.example", None)] {
        let (port, serving) = server(b'S');

        let error = connect(host, port, authority).await;

        assert!(error.contains("certificate"), "{error}");
        assert!(serving.join().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_nothing() {
    let (port, serving) = server(b'N');

    let error = connect("db.example", port, Some("authority.pem")).await;

    assert!(error.contains("TLS"), "{error}");
    assert!(serving.join().unwrap().is_empty());
}

/// As with a hosted server. The certificate is refused here, since no authority of the web has signed it.
#[tokio::test]
async fn the_programme_of_a_backup_knows_the_authorities_of_the_web() {
    let (port, serving) = server(b'S');
    let url = format!("host=db.example hostaddr=127.0.0.1 port={port} user=u sslmode=require");
    let url: DatabaseUrl = url.parse().unwrap();
    assert!(url.trusts_the_web());

    let tools = Tools::find(None, 15, &url).unwrap();
    let said = tools.command("pg_dump", &url).arg("--schema-only").output().unwrap();

    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("certificate verify failed"), "{said}");
    assert!(serving.join().unwrap().is_empty());
}
