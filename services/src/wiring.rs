//! What the routes and the duties are handed.

use std::sync::Arc;

use infra::clock::Clock;
use infra::ids::Ids;
use infra::metrics::Metrics;

use crate::config::Config;

#[derive(Clone)]
pub struct App {
    pub config: Arc<Config>,
    pub clock: Clock,
    pub ids: Ids,
    pub metrics: Arc<Metrics>,
}
