//! A mail to whoever signed in from where the account was not signed in to lately.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::AccountId;
use domain::privacy::{LoginIp, LoginUserAgent, UserAgent, sealed_bytes};
use infra::keyring::KeyringError;
use infra::log::{Feed, FeedError, Recorded, WorkerError};
use infra::outbox::{MailKind, MailRequest};
use infra::postgres::PgError;

use super::members;
use crate::unseal::{UnknownField, Unsealer};
use crate::wiring::App;

const TYPES: &[&str] = &["account.login_succeeded"];
/// So many sign-ins before are looked at: in the log, so that a restart or another node knows the same.
const LOOKED_AT: i64 = 50;
/// They are looked for among so many events of the account.
const LOOKED_THROUGH: i64 = 10_000;

/// Where somebody signed in. What anybody can send as the name of their browser says little without the network.
#[derive(PartialEq)]
struct Place {
    network: Option<IpAddr>,
    user_agent: Option<UserAgent>,
}

/// `None`: it is the first sign-in, or there was one from there before; or the address is not verified.
pub(super) async fn request(
    app: &App,
    event: &Recorded,
) -> Result<Option<MailRequest>, WorkerError> {
    if !members::is_verified(&app.executor, event).await? || !is_new(app, event).await? {
        return Ok(None);
    }
    members::of_account(&app.executor, event, MailKind::NewSignIn).await
}

async fn is_new(app: &App, event: &Recorded) -> Result<bool, WorkerError> {
    let client = app.pool.get().await.map_err(PgError::from)?;
    let (of, version) = ((event.stream_id(), TYPES), event.version());
    let versions = version - LOOKED_THROUGH..version;
    let before = Feed::newest_of(&client, of, versions, LOOKED_AT).await;
    drop(client);
    let before = match before {
        // What cannot be read is not known to be new; and it keeps no other mail waiting.
        Err(error @ FeedError::Damaged(_)) => {
            tracing::warn!(account = %event.stream_id(), %error, "whether a sign-in is from somewhere new is not known");
            return Ok(false);
        }
        before => before.map_err(unavailable)?,
    };
    if before.is_empty() {
        return Ok(version > LOOKED_THROUGH);
    }
    // Its key is erased: nobody is mailed any more.
    let Some(place) = place(app, event).await? else { return Ok(false) };
    for earlier in &before {
        if self::place(app, earlier).await?.is_some_and(|earlier| earlier == place) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `None` once the period of its class is over, or the person is erased.
async fn place(app: &App, event: &Recorded) -> Result<Option<Place>, WorkerError> {
    let person = Unsealer::of_account(&app.keyring.sealer, AccountId(event.stream_id()));
    let sealed = event.sealed();
    let ip = person.optional::<LoginIp>(sealed_bytes::<LoginIp>(sealed)).await;
    let user_agent =
        person.optional::<LoginUserAgent>(sealed_bytes::<LoginUserAgent>(sealed)).await;
    let network = known(ip)?.map(|ip| network(ip.0));
    let user_agent = known(user_agent)?;
    let is_known = network.is_some() || user_agent.is_some();
    Ok(is_known.then_some(Place { network, user_agent }))
}

/// What is damaged is like nothing else.
fn known<T>(field: Result<Option<T>, UnknownField>) -> Result<Option<T>, WorkerError> {
    match field {
        Ok(value) => Ok(value),
        Err(UnknownField::Damaged | UnknownField::Unavailable(KeyringError::Damaged)) => Ok(None),
        Err(UnknownField::Unavailable(error)) => Err(WorkerError::Unavailable(error.to_string())),
    }
}

fn unavailable(error: FeedError) -> WorkerError {
    WorkerError::Unavailable(error.to_string())
}

/// Of IPv4 a /24, and of IPv6 a /48: within these, an address changes often without the person.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() >> 8 << 8).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80).into(),
    }
}
