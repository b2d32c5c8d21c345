//! What an operator sees and does.

pub mod accounts;
pub mod change;
pub mod readers;
pub mod replays;
pub mod streams;
pub mod tokens;
pub mod workspaces;

use super::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    accounts::routes(routes);
    readers::routes(routes);
    replays::routes(routes);
    tokens::routes(routes);
    streams::routes(routes);
    workspaces::routes(routes);
}
