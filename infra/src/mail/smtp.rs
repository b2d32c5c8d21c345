//! SMTP (RFC 5321), command by command, so that it is known whether the server can have the mail.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, MailParameter};
use lettre::transport::smtp::{Error, response::Response};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio::time::timeout;
use url::{Host, Url};

use super::{Letter, MailError, RefusalKind, SendOutcome};

const CONNECT: Duration = Duration::from_secs(10);
/// For connecting, and again for everything up to the reply to DATA.
const SUBMIT: Duration = Duration::from_secs(30);
/// RFC 5321, 4.5.3.2.6 would wait ten minutes; the outbox's lease is shorter.
const HAND_OVER: Duration = Duration::from_secs(90);

/// A server that takes mails, with a user and a password, which is shown by nothing. A connection is
/// made for each mail.
#[derive(Clone)]
pub struct Smtp {
    host: String,
    port: u16,
    security: Security,
    user: Option<String>,
    credentials: Option<Credentials>,
}

impl FromStr for Smtp {
    type Err = MailError;

    /// Reads an `smtp://` or `smtps://` URL. Beyond loopback TLS is required, with STARTTLS for
    /// `smtp://`. `?tls=required` requires it on this machine, too.
    ///
    /// # Errors
    /// `Url`, `Tls`. They do not repeat the text.
    fn from_str(text: &str) -> Result<Self, MailError> {
        let url = Url::parse(text).map_err(|_| MailError::Url)?;
        let (host, is_loopback) = host(&url).ok_or(MailError::Url)?;
        let tls_required = match url.query() {
            None => false,
            Some("tls=required") => true,
            Some(_) => return Err(MailError::Url),
        };
        // A password that was not encoded ends too early: its rest must not count as anything else.
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(MailError::Url);
        }
        let tls = || TlsParameters::new(host.clone()).map_err(|_| MailError::Tls);
        let (security, port) = match url.scheme() {
            "smtp" if is_loopback && !tls_required => (Security::Clear, 25),
            "smtp" => (Security::StartTls(tls()?), 587),
            "smtps" => (Security::Tls(tls()?), 465),
            _ => return Err(MailError::Url),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let user = Some(decoded(url.username())).filter(|user| !user.is_empty());
        let credentials = url
            .password()
            .map(|password| Credentials::new(user.clone().unwrap_or_default(), decoded(password)));
        Ok(Self { port: url.port().unwrap_or(port), host, security, user, credentials })
    }
}

/// Without the password.
impl fmt::Display for Smtp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if matches!(self.security, Security::Tls(_)) { "smtps" } else { "smtp" };
        write!(out, "{scheme}://")?;
        if let Some(user) = &self.user {
            write!(out, "{}@", utf8_percent_encode(user, NON_ALPHANUMERIC))?;
        }
        let is_v6 = self.host.contains(':');
        let (open, close) = if is_v6 { ("[", "]") } else { ("", "") };
        write!(out, "{open}{}{close}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[derive(Clone)]
enum Security {
    /// On this machine only.
    Clear,
    StartTls(TlsParameters),
    Tls(TlsParameters),
}

impl Smtp {
    pub(super) async fn send(&self, letter: &Letter) -> SendOutcome {
        let mut connection = match timeout(SUBMIT, self.connect()).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return refused(&error, false, Phase::Connecting),
            Err(_) => return refused_late(Phase::Connecting),
        };
        match timeout(SUBMIT, submit(&mut connection, letter)).await {
            Ok(Ok(())) => {}
            Ok(Err((at, error))) => return refused(&error, error.is_permanent(), at),
            Err(_) => return refused_late(Phase::Asking),
        }
        let outcome = hand_over(&mut connection, letter).await;
        let _ = timeout(CONNECT, connection.abort()).await;
        outcome
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let client_id = ClientId::default();
        let (tls, start_tls) = match &self.security {
            Security::Clear => (None, None),
            Security::StartTls(tls) => (None, Some(tls)),
            Security::Tls(tls) => (Some(tls.clone()), None),
        };
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT), &client_id, tls, None)
                .await?;
        if let Some(tls) = start_tls {
            connection.starttls(tls.clone(), &client_id).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

fn host(url: &Url) -> Option<(String, bool)> {
    // A scheme that `url` does not know has an opaque host: an address is text there.
    Some(match url.host()? {
        Host::Domain(name) => {
            let address = name.parse::<IpAddr>();
            let is_loopback = address.map_or(name == "localhost", |address| address.is_loopback());
            (name.to_owned(), is_loopback)
        }
        Host::Ipv4(address) => (address.to_string(), address.is_loopback()),
        Host::Ipv6(address) => (address.to_string(), address.is_loopback()),
    })
}

/// What an error was the answer to.
#[derive(Clone, Copy)]
enum Phase {
    Connecting,
    Asking,
    Recipient,
    Mail,
}

impl Phase {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Asking => "asking",
            Self::Recipient => "the recipient",
            Self::Mail => "the mail",
        }
    }
}

async fn submit(
    connection: &mut AsyncSmtpConnection,
    letter: &Letter,
) -> Result<(), (Phase, Error)> {
    let asking = |error: Error| (Phase::Asking, error);
    let envelope = letter.envelope();
    let mut addresses = envelope.from().into_iter().chain(envelope.to());
    let is_ascii = addresses.all(|address| AsRef::<str>::as_ref(address).is_ascii());
    let parameters = if is_ascii { vec![] } else { vec![MailParameter::SmtpUtfEight] };
    let mail = Mail::new(envelope.from().cloned(), parameters);
    connection.command(mail).await.map_err(asking)?;
    for to in envelope.to() {
        let recipient = Rcpt::new(to.clone(), Vec::new());
        connection.command(recipient).await.map_err(|error| (Phase::Recipient, error))?;
    }
    connection.command(Data).await.map(drop).map_err(asking)
}

async fn hand_over(connection: &mut AsyncSmtpConnection, letter: &Letter) -> SendOutcome {
    let answer: Result<Response, Error> =
        match timeout(HAND_OVER, connection.message(letter.bytes())).await {
            Ok(answer) => answer,
            Err(_) => return SendOutcome::Unknown { trouble: "no answer to the mail".to_owned() },
        };
    match answer {
        Ok(_) => SendOutcome::Accepted,
        Err(error) if error.status().is_some() => {
            refused(&error, error.is_permanent(), Phase::Mail)
        }
        Err(_) => {
            SendOutcome::Unknown { trouble: "the connection ended after the mail".to_owned() }
        }
    }
}

/// The reply code only: its text may repeat the address.
fn refused(error: &Error, for_good: bool, at: Phase) -> SendOutcome {
    let why = match error.status() {
        Some(code) => code.to_string(),
        None if error.is_tls() => "TLS".to_owned(),
        None if error.is_timeout() => "no answer in time".to_owned(),
        None => "no connection".to_owned(),
    };
    let kind = match at {
        Phase::Recipient if for_good => RefusalKind::Recipient,
        Phase::Connecting | Phase::Asking | Phase::Recipient | Phase::Mail => RefusalKind::Other,
    };
    SendOutcome::Refused { for_good, kind, trouble: format!("{}: {why}", at.as_str()) }
}

fn refused_late(at: Phase) -> SendOutcome {
    let trouble = format!("{}: no answer in time", at.as_str());
    SendOutcome::Refused { for_good: false, kind: RefusalKind::Other, trouble }
}
