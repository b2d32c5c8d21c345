//! What every endpoint shares: reading a request, answering, refusing, the document.

pub mod actions;
pub mod answer;
pub mod answers;
pub mod arguments;
pub mod body;
pub mod byte_range;
pub mod cors;
pub mod cursor;
pub mod deadline;
pub mod fields;
pub mod guard;
pub mod health;
pub mod idempotency;
pub mod in_flight;
pub mod listing;
pub mod openapi;
pub mod page_query;
pub mod position;
pub mod precondition;
pub mod problem;
mod problem_kinds;
pub mod problems;
pub mod quota;
pub mod rate_limits;
pub mod refusal;
pub mod routes;
pub mod schemas;
pub mod uniform;
pub mod versions;

#[cfg(test)]
mod fields_tests;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod vocabulary_tests;

use routes::Routes;

pub fn routes(routes: &mut Routes) {
    health::routes(routes);
    problems::routes(routes);
}
