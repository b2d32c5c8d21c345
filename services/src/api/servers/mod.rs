//! The servers of a workspace.

pub mod change;
pub mod check;
pub mod deployments;
pub mod keys;
pub mod list;
pub mod metrics;
mod preflight;
pub mod server;
pub mod view;

use super::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    server::routes(routes);
    list::routes(routes);
    check::routes(routes);
    keys::routes(routes);
    metrics::routes(routes);
    deployments::routes(routes);
}
