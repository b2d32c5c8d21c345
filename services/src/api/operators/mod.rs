//! What an operator sees and does.

pub mod readers;

use super::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    readers::routes(routes);
}
