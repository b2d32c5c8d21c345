//! Runs on servers, and their logs.

pub mod log_line;
mod log_over;
pub mod log_stream;
pub mod logs;
pub mod reads;
pub mod request;
pub mod stream_slots;

use super::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    request::routes(routes);
    reads::routes(routes);
    logs::routes(routes);
}
