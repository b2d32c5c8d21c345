//! Runs on servers, and their logs.

mod give_up;
pub mod log_line;
mod log_over;
pub mod log_stream;
pub mod logs;
pub mod reads;
pub mod request;
pub mod stream_slots;
mod variables;

use super::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    request::routes(routes);
    give_up::routes(routes);
    reads::routes(routes);
    logs::routes(routes);
}
