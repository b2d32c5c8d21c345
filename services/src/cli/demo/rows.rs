//! A person's rows of the log, and what a keyring makes of them.

use std::path::Path;
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

use super::told::Told;
use crate::cli::CliError;

/// One personal field as it stands in a row.
struct Found {
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

/// The keyring of a database, under the root keys of a folder.
pub async fn keyring(url: &str, roots: &Path) -> Result<Keyring, CliError> {
    let pool = connect(url, &ConnectOptions::default()).await?;
    let roots = RootFolder::open(roots, None).map_err(CliError::failed)?;
    let options = KeyringOptions::default();
    Ok(Keyring::start(pool, Arc::new(roots), options, Clock::system()).await?)
}

/// Shows each row of a person with its ciphertext and what opens of it.
pub async fn show(
    told: &Told,
    log: &str,
    keyring: &Keyring,
    person: &str,
) -> Result<Opened, CliError> {
    let subject = SubjectId(Uuid::try_parse(person).map_err(CliError::failed)?);
    let mut opened = Opened::default();
    for field in find(log, subject).await? {
        let clear = open(keyring, subject, &field).await;
        opened.open += usize::from(clear.is_ok());
        let envelope = hex::encode(field.sealed.envelope.get(..12).unwrap_or_default());
        let shown = clear.unwrap_or_else(|reason| format!("-- {reason} --"));
        told.see(format_args!(
            "{:>4}  {:<32}{:<18}{envelope}...  {shown}",
            field.position, field.event_type, field.name
        ));
        opened.sealed.push(field.sealed.envelope);
    }
    Ok(opened)
}

async fn find(log: &str, subject: SubjectId) -> Result<Vec<Found>, CliError> {
    let pool = connect(log, &ConnectOptions::app()).await?;
    let client = pool.get().await.map_err(infra::postgres::PgError::from)?;
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let page = Feed::page(&client, after, 500).await.map_err(CliError::failed)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.position();
        for event in page.iter().filter(|event| event.subjects().contains(&subject)) {
            found.extend(fields(event)?);
        }
    }
}

fn fields(event: &Recorded) -> Result<Vec<Found>, CliError> {
    if is_one_of::<AccountEvent>(event) {
        fields_of(event.decode::<AccountEvent>(), event)
    } else if is_one_of::<SessionEvent>(event) {
        fields_of(event.decode::<SessionEvent>(), event)
    } else {
        Ok(Vec::new())
    }
}

fn is_one_of<E: Event>(event: &Recorded) -> bool {
    E::TYPES.iter().any(|(known, _)| *known == event.event_type())
}

fn fields_of<E: Event>(
    decoded: Result<E, domain::Undecodable>,
    event: &Recorded,
) -> Result<Vec<Found>, CliError> {
    let mut decoded = decoded.map_err(CliError::failed)?;
    let mut found = Vec::new();
    let visited = decoded.each_personal::<std::convert::Infallible>(
        event.tenant(),
        event.stream_id(),
        &mut |_, field: &mut dyn AnyPersonal| {
            let declaration = field.declaration();
            found.extend(field.set_apart().map(|sealed| Found {
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
        Ok(()) => Ok(found),
    }
}

async fn open(keyring: &Keyring, subject: SubjectId, found: &Found) -> Result<String, String> {
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
    found: &Found,
) -> Result<String, String> {
    let clear = keyring.open::<F>(found.tenant, subject, &found.sealed).await;
    let clear = clear.map_err(|error| error.to_string())?;
    serde_json::to_string(&clear).map_err(|error| error.to_string())
}
