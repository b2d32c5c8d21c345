//! Workspaces, and who belongs to them.

pub mod acceptance;
pub mod api_token;
pub mod api_tokens;
pub mod deletion;
pub mod invitations;
pub mod invited;
pub mod list;
pub mod member;
mod member_names;
pub mod members;
pub mod roles;
pub mod service_accounts;
pub mod succession;
pub mod workspace;

use super::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    workspace::routes(routes);
    list::routes(routes);
    members::routes(routes);
    member::routes(routes);
    roles::routes(routes);
    service_accounts::routes(routes);
    invitations::routes(routes);
    acceptance::routes(routes);
    invited::routes(routes);
    api_tokens::routes(routes);
    api_token::routes(routes);
    deletion::routes(routes);
    succession::routes(routes);
}
