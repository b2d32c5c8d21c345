//! What the routes and the duties are handed.

use std::sync::Arc;

use infra::claims::Claims;
use infra::clock::Clock;
use infra::credentials::Credentials;
use infra::event_store::Executor;
use infra::ids::Ids;
use infra::keyring::Keyring;
use infra::mail::{Mailbox, Transport};
use infra::metrics::Metrics;
use infra::operators::Operators;
use infra::outbox::Outbox;
use infra::postgres::Pool;
use infra::sessions::Sessions;
use infra::turns::Turns;
use uuid::Uuid;

use crate::config::Config;

#[derive(Clone)]
pub struct App {
    pub config: Arc<Config>,
    /// This process, among the nodes.
    pub node: Uuid,
    pub clock: Clock,
    pub ids: Ids,
    pub metrics: Arc<Metrics>,
    /// The events' database, as the application's role.
    pub pool: Pool,
    /// The keyring's database.
    pub keyring_pool: Pool,
    pub keyring: Keyring,
    pub executor: Executor,
    pub claims: Claims,
    pub credentials: Credentials,
    pub sessions: Sessions,
    pub operators: Operators,
    pub outbox: Outbox,
    pub turns: Turns,
    pub transport: Transport,
    /// Whom mails come from.
    pub mail_from: Mailbox,
    /// How links in mails and in the document begin, without a slash at the end.
    pub public_url: Arc<str>,
}
