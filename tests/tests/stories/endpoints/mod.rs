//! Tests made from the `OpenAPI` document: a new operation is covered, or fails them until its case is
//! there.

mod answers;
mod conformance;
mod fuzz;
mod grace;
mod limits;
mod lists;
mod operation;
mod operators;
mod preconditions;
mod rights;
mod schema;
mod tenant;
mod tenants;
mod unverified;
