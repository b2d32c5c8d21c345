//! The caller, and what the path names: sessions, tokens, members.

pub mod caller;
pub mod member;
pub mod operator;
pub mod path_resources;
pub mod readmission;
pub mod recent;
pub mod repeatable;
pub mod sessions;
pub mod sign_in;
pub mod signed_in;
pub mod step_up;

use super::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    sign_in::routes(routes);
    sessions::routes(routes);
}
