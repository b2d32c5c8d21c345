//! A person's rows of the log, and what a keyring makes of them.

use std::sync::Arc;

use domain::account::AccountEvent;
use domain::privacy::{
    AccountEmail, AccountName, AccountUsername, AnyPersonal, Field, LoginIp, LoginUserAgent, Sealed,
};
use domain::session::SessionEvent;
use domain::{Event, SubjectId, TenantId};
use infra::clock::Clock;
use infra::keyring::{Keyring, KeyringOptions, RootFolder};
use infra::log::{Feed, Recorded};
use infra::postgres::{ConnectOptions, connect};
use uuid::Uuid;

use super::claims::Claims;
use crate::Installation;

/// One personal field as it stands in a row.
struct SealedField {
    position: i64,
    event_type: String,
    field: u16,
    name: &'static str,
    tenant: TenantId,
    sealed: Sealed,
}

/// A person's ciphertexts, and how many of them open.
#[derive(Default)]
pub struct Opened {
    pub sealed: Vec<Vec<u8>>,
    open: usize,
}

impl Opened {
    pub fn all(&self) -> bool {
        !self.sealed.is_empty() && self.open == self.sealed.len()
    }

    pub fn none(&self) -> bool {
        !self.sealed.is_empty() && self.open == 0
    }
}

/// Shows each row of a person with its ciphertext and what opens of it.
pub async fn show(claims: &Claims, installation: &Installation, person: &str) -> Opened {
    let keys = connect(&installation.keyring_url(), &ConnectOptions::default()).await.unwrap();
    let roots = Arc::new(RootFolder::open(&installation.root_dir(), None).unwrap());
    let options = KeyringOptions::default();
    let keyring = Keyring::start(keys, roots, options, Clock::system()).await.unwrap();
    let subject = SubjectId(Uuid::try_parse(person).unwrap());
    let mut opened = Opened::default();
    for field in find(&installation.log_url(), subject).await {
        let clear = open(&keyring, subject, &field).await;
        opened.open += usize::from(clear.is_ok());
        let envelope = hex::encode(&field.sealed.envelope[..12]);
        let shown = clear.unwrap_or_else(|reason| format!("-- {reason} --"));
        let SealedField { position, event_type, name, .. } = &field;
        claims.see(format_args!("{position:>4}  {event_type:<32}{name:<18}{envelope}...  {shown}"));
        opened.sealed.push(field.sealed.envelope);
    }
    opened
}

async fn find(log: &str, subject: SubjectId) -> Vec<SealedField> {
    let pool = connect(log, &ConnectOptions::app()).await.unwrap();
    let client = pool.get().await.unwrap();
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let page = Feed::page(&client, after, 500).await.unwrap();
        let Some(last) = page.last() else { return found };
        after = last.position();
        for event in page.iter().filter(|event| event.subjects().contains(&subject)) {
            found.extend(fields(event));
        }
    }
}

fn fields(event: &Recorded) -> Vec<SealedField> {
    if is_one_of::<AccountEvent>(event) {
        fields_of(event.decode::<AccountEvent>().unwrap(), event)
    } else if is_one_of::<SessionEvent>(event) {
        fields_of(event.decode::<SessionEvent>().unwrap(), event)
    } else {
        Vec::new()
    }
}

fn is_one_of<E: Event>(event: &Recorded) -> bool {
    E::TYPES.iter().any(|(known, _)| *known == event.event_type())
}

fn fields_of<E: Event>(mut decoded: E, event: &Recorded) -> Vec<SealedField> {
    let mut found = Vec::new();
    let visited = decoded.visit_personal::<std::convert::Infallible>(
        event.tenant(),
        event.stream_id(),
        &mut |_, field: &mut dyn AnyPersonal| {
            let declaration = field.declaration();
            found.extend(field.set_apart().map(|sealed| SealedField {
                position: event.position(),
                event_type: event.event_type().to_owned(),
                field: declaration.id,
                name: declaration.name,
                tenant: event.tenant(),
                sealed,
            }));
            Ok(())
        },
    );
    match visited {
        Ok(()) => found,
    }
}

async fn open(
    keyring: &Keyring,
    subject: SubjectId,
    found: &SealedField,
) -> Result<String, String> {
    match found.field {
        id if id == AccountEmail::DECLARATION.id => {
            open_as::<AccountEmail>(keyring, subject, found).await
        }
        id if id == AccountName::DECLARATION.id => {
            open_as::<AccountName>(keyring, subject, found).await
        }
        id if id == AccountUsername::DECLARATION.id => {
            open_as::<AccountUsername>(keyring, subject, found).await
        }
        id if id == LoginIp::DECLARATION.id => open_as::<LoginIp>(keyring, subject, found).await,
        id if id == LoginUserAgent::DECLARATION.id => {
            open_as::<LoginUserAgent>(keyring, subject, found).await
        }
        _ => Err("a field that the demo does not know".to_owned()),
    }
}

async fn open_as<F: Field>(
    keyring: &Keyring,
    subject: SubjectId,
    found: &SealedField,
) -> Result<String, String> {
    let clear = keyring.sealer.open::<F>(found.tenant, subject, &found.sealed).await;
    let clear = clear.map_err(|error| error.to_string())?;
    serde_json::to_string(&clear).map_err(|error| error.to_string())
}
