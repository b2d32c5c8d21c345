//! One's own account, from registration to erasure.

pub mod certificate;
pub mod consents;
pub mod email;
pub mod email_change;
pub mod erasure;
pub mod link;
pub mod me;
pub mod own_tokens;
pub mod password;
pub mod register;
pub mod sign_ins;

use super::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    register::routes(routes);
    me::routes(routes);
    email::routes(routes);
    email_change::routes(routes);
    password::routes(routes);
    consents::routes(routes);
    own_tokens::routes(routes);
    sign_ins::routes(routes);
    erasure::routes(routes);
}
