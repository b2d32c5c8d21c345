//! Asks Vault: a connection for each request, and a time within which all of it has to be over.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::options::{VaultAddress, VaultToken, VaultTokenSource};
use crate::keyring::RootStoreError;
use crate::tls::{TlsError, client_config};

/// A list of some 10,000 names.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Batch tokens of Vault have some thousands.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Of what Vault says is wrong.
const ERRORS_CHARS_MAX: usize = 300;
const BEFORE_SECOND_TRY: Duration = Duration::from_millis(200);

#[derive(Clone)]
pub(super) struct VaultClient {
    address: VaultAddress,
    token: VaultTokenSource,
    /// `None`: Vault is on this machine, and is asked in the clear.
    tls: Option<TlsConnector>,
    within: Duration,
}

impl std::fmt::Debug for VaultClient {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.address)
    }
}

/// What Vault says of the thing that a path names.
pub(super) enum Answer {
    /// It may hold a root key, so it is overwritten after use.
    Found(Zeroizing<Vec<u8>>),
    /// There is no such thing: Vault itself says so, while it is unsealed.
    Absent,
}

/// Why a request failed, and whether a second one may do better.
struct Failure {
    reason: String,
    may_pass: bool,
}

impl Failure {
    const fn lasting(reason: String) -> Self {
        Self { reason, may_pass: false }
    }

    fn passing(reason: impl std::fmt::Display) -> Self {
        Self { reason: reason.to_string(), may_pass: true }
    }
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

impl VaultClient {
    /// `authority` is a file of certificates.
    pub fn new(
        address: VaultAddress,
        token: VaultTokenSource,
        authority: Option<&Path>,
        within: Duration,
    ) -> Result<Self, RootStoreError> {
        let refused = |error: TlsError| RootStoreError::Authority {
            path: authority.map(|path| path.display().to_string()).unwrap_or_default(),
            reason: error.to_string(),
        };
        let tls = if address.is_encrypted {
            let mut config = client_config(authority).map_err(refused)?;
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Some(TlsConnector::from(Arc::new(config)))
        } else {
            None
        };
        Ok(Self { address, token, tls, within })
    }

    pub const fn address(&self) -> &VaultAddress {
        &self.address
    }

    /// The error for an answer that is of no use.
    pub fn fault(&self, reason: String) -> RootStoreError {
        RootStoreError::Vault { address: self.address.to_string(), reason }
    }

    /// Asks once more if no answer came, or one that says that Vault is busy: it changes nothing.
    pub async fn read(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, RootStoreError> {
        match self.ask(&method, path, body.as_ref()).await {
            Err(failure) if failure.may_pass => {
                sleep(BEFORE_SECOND_TRY).await;
                self.write(method, path, body).await
            }
            answered => answered.map_err(|failure| self.fault(failure.reason)),
        }
    }

    /// Asks once.
    pub async fn write(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, RootStoreError> {
        let answered = self.ask(&method, path, body.as_ref()).await;
        answered.map_err(|failure| self.fault(failure.reason))
    }

    async fn ask(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let request = self.request(method, path, body).await?;
        let late = |_| {
            let within = self.within.as_secs_f64();
            Failure::lasting(format!("{path}: no answer within {within} s"))
        };
        let (status, body) =
            timeout(self.within, self.exchange(request)).await.map_err(late).flatten()?;
        read_answer(status, body).map_err(|failure| Failure {
            reason: format!("{method} {path}: {}", failure.reason),
            ..failure
        })
    }

    async fn request(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let token = self.token().await.map_err(Failure::lasting)?;
        let unwritten = |_| Failure::lasting("a request could not be written".to_owned());
        let mut secret = HeaderValue::from_str(token.expose())
            .map_err(|_| Failure::lasting("the token cannot be sent".to_owned()))?;
        secret.set_sensitive(true);
        let body = body.map(ToString::to_string).unwrap_or_default();
        Request::builder()
            .method(method)
            .uri(format!("/v1/{path}"))
            .header(HOST, self.address.authority())
            .header(CONNECTION, "close")
            .header(CONTENT_TYPE, "application/json")
            // An agent before Vault may require it.
            .header("x-vault-request", "true")
            .header("x-vault-token", secret)
            .body(Full::new(Bytes::from(body)))
            .map_err(unwritten)
    }

    async fn token(&self) -> Result<VaultToken, String> {
        match &self.token {
            VaultTokenSource::Token(token) => Ok(token.clone()),
            VaultTokenSource::File(path) => {
                let unread = |reason: String| format!("the token in {}: {reason}", path.display());
                refuse_exposed(path).await.map_err(unread)?;
                let text = read_token(path).await.map_err(|reason| unread(reason.to_string()))?;
                if text.len() > TOKEN_BYTES_MAX {
                    return Err(unread(format!("it has more than {TOKEN_BYTES_MAX} bytes")));
                }
                text.parse().map_err(|_| unread("this is not a token of Vault".to_owned()))
            }
        }
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Zeroizing<Vec<u8>>), Failure> {
        let host = self.address.host.as_str();
        let stream = TcpStream::connect((host, self.address.port)).await;
        let stream = stream.map_err(|reason| Failure::passing(format!("not reached: {reason}")))?;
        let Some(tls) = &self.tls else { return send(stream, request).await };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Failure::lasting("its name cannot be in a certificate".to_owned()))?;
        let stream = tls.connect(name, stream).await;
        send(stream.map_err(|reason| Failure::lasting(format!("TLS: {reason}")))?, request).await
    }
}

/// At most one byte more than a token has.
async fn read_token(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(TOKEN_BYTES_MAX + 1));
    let limit = u64::try_from(TOKEN_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    tokio::fs::File::open(path).await?.take(limit).read_to_string(&mut text).await?;
    Ok(text)
}

/// Whoever has the token has the root keys. A group may read it: that of an agent which writes the file.
async fn refuse_exposed(path: &Path) -> Result<(), String> {
    let found = tokio::fs::metadata(path).await.map_err(|reason| reason.to_string())?;
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o027 == 0 {
        return Ok(());
    }
    Err(format!("others can read or replace it (mode {mode:o}): use chmod g-w,o= on it"))
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Zeroizing<Vec<u8>>), Failure> {
    let cut = |reason: hyper::Error| Failure::passing(format!("the connection failed: {reason}"));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(cut)?;
    let mut answered = pin!(async {
        let answer = sender.send_request(request).await.map_err(cut)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|reason| Failure::passing(format!("the answer: {reason}")))?;
        Ok::<_, Failure>((status, Zeroizing::new(Vec::from(body.to_bytes()))))
    });
    tokio::select! {
        biased;
        answered = &mut answered => answered,
        // What the answer still needs was received.
        ended = connection => {
            ended.map_err(cut)?;
            answered.await
        }
    }
}

/// 404 is an answer about the thing only in Vault's own form: the error of a path that nothing is
/// mounted at has a text, and a proxy answers other bytes.
fn read_answer(status: StatusCode, body: Zeroizing<Vec<u8>>) -> Result<Answer, Failure> {
    if status.is_success() {
        return Ok(Answer::Found(body));
    }
    let errors = serde_json::from_slice::<Errors>(&body).map(|found| found.errors);
    let reason = match errors {
        Ok(errors) if errors.is_empty() && status == StatusCode::NOT_FOUND => {
            return Ok(Answer::Absent);
        }
        Ok(errors) => in_one_line(&errors.join("; ")),
        Err(_) => "not an answer of Vault".to_owned(),
    };
    let may_pass = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::GATEWAY_TIMEOUT
    );
    Err(Failure { reason: format!("status {}: {reason}", status.as_u16()), may_pass })
}

fn in_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(ERRORS_CHARS_MAX).collect()
}
