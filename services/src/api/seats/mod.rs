//! The seats of a workspace, and their leases.

pub mod leases;
pub mod limit;
pub mod pool;

use super::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    pool::routes(routes);
    leases::routes(routes);
    limit::routes(routes);
}
