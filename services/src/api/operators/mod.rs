//! What an operator sees and does.

pub mod accounts;
pub mod change;
pub mod readers;
pub mod replays;
pub mod streams;
pub mod tokens;
pub mod workspaces;

use actix_web::http::header;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::http::problem::{Problem, ProblemKind};
use super::http::routes::Routes;

/// What reads whole tables, or all events of a stream: a node does one at a time.
static LARGE_READS: Semaphore = Semaphore::const_new(1);
const LARGE_READ_SECONDS: u32 = 5;

pub fn routes(routes: &mut Routes) {
    accounts::routes(routes);
    readers::routes(routes);
    replays::routes(routes);
    tokens::routes(routes);
    streams::routes(routes);
    workspaces::routes(routes);
}

/// Held while one of the [`LARGE_READS`] is done.
fn large_read() -> Result<SemaphorePermit<'static>, Problem> {
    LARGE_READS.try_acquire().map_err(|_| {
        let detail =
            "This node reads a whole table or stream already: send it again after Retry-After.";
        let busy = Problem::new(ProblemKind::TooManyRequests, detail);
        busy.with_header(header::RETRY_AFTER, LARGE_READ_SECONDS)
    })
}
