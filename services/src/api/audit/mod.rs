//! The audit trail.

pub mod event;
pub mod export;
pub mod filter;
pub mod trail;

use super::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    trail::routes(routes);
    export::routes(routes);
}
