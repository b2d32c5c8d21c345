//! The audit trail.

pub mod event;
pub mod export;
pub mod filter;
pub mod trail;
pub mod workspace_trail;

use super::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    trail::routes(routes);
    export::routes(routes);
    workspace_trail::routes(routes);
}
