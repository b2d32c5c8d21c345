//! A composed mail: plain text, with ids by which a mail server recognises a repeated mail.

use chrono::{DateTime, Utc};
use domain::privacy::EmailAddress;
use lettre::address::Envelope;
use lettre::message::header::{
    ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue,
};
use lettre::message::{Body, MessageBuilder, SinglePart};
use lettre::{Address, Message};
use uuid::Uuid;

use super::MailError;

const LINE_BYTES_MAX: usize = 998;

/// The sender of the mails.
#[derive(Clone, Debug)]
pub struct Mailbox(lettre::message::Mailbox);

impl Mailbox {
    /// `Lethe <lethe@example.org>`, or an address alone.
    pub fn parse(text: &str) -> Result<Self, MailError> {
        text.parse().map(Self).map_err(|_| MailError::From)
    }
}

/// A composed mail. `Debug` does not show it.
#[derive(Clone)]
pub struct Letter {
    id: Uuid,
    envelope: Envelope,
    bytes: Vec<u8>,
}

impl Letter {
    /// `id` is the outbox's: the Message-ID and the idempotency key come from it.
    pub fn compose(
        id: Uuid,
        from: &Mailbox,
        to: &EmailAddress,
        date: DateTime<Utc>,
        subject: &str,
        body: String,
    ) -> Result<Self, MailError> {
        let to: Address = to.expose().parse().map_err(|_| MailError::Compose("the address"))?;
        let domain = from.0.email.domain().to_owned();
        let message = builder(id, &domain)
            .from(from.0.clone())
            .to(to.into())
            .date(date.into())
            .subject(subject)
            .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(encoded(body)))
            .map_err(|_| MailError::Compose("the message"))?;
        Ok(Self { id, envelope: message.envelope().clone(), bytes: message.formatted() })
    }

    /// The outbox's id of the mail.
    pub(super) const fn id(&self) -> Uuid {
        self.id
    }

    pub(super) const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The message with its headers, as RFC 5322 has it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<Letter {}>", self.id)
    }
}

/// ASCII goes as it is, so that a link can be copied from the file: lettre would break its lines at 76
/// characters. RFC 5322 allows 998.
fn encoded(body: String) -> Body {
    let fits = |line: &str| line.len() <= LINE_BYTES_MAX && !line.contains(['\0', '\r']);
    if body.is_ascii() && body.split('\n').all(fits) {
        let lines = body.replace('\n', "\r\n").into_bytes();
        return Body::dangerous_pre_encoded(lines, ContentTransferEncoding::SevenBit);
    }
    Body::new(body)
}

fn builder(id: Uuid, domain: &str) -> MessageBuilder {
    Message::builder()
        .message_id(Some(format!("<{id}@{domain}>")))
        .header(IdempotencyKey(id))
        .header(EntityRef(id))
        .header(AutoSubmitted)
}

macro_rules! headers {
    ($($name:ident $label:literal $(($of:ty))? = |$it:ident| $value:expr;)*) => {$(
        #[derive(Clone)]
        struct $name $(($of))?;

        impl Header for $name {
            fn name() -> HeaderName {
                HeaderName::new_from_ascii_str($label)
            }

            fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
                Err("written, never read".into())
            }

            fn display(&self) -> HeaderValue {
                let $it = self;
                HeaderValue::new(Self::name(), $value)
            }
        }
    )*};
}

headers! {
    // Resend answers the same key within a day with the mail it sent already.
    IdempotencyKey "Resend-Idempotency-Key" (Uuid) = |it| it.0.to_string();
    // Mail programs do not thread by it.
    EntityRef "X-Entity-Ref-ID" (Uuid) = |it| it.0.to_string();
    // RFC 3834: nobody's absence is answered to it.
    AutoSubmitted "Auto-Submitted" = |_it| "auto-generated".to_owned();
}
