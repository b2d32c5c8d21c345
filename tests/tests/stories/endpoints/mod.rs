//! Tests made from the `OpenAPI` document: a new operation is covered, or fails them until its case is
//! there.

mod operation;
mod preconditions;
mod rights;
mod tenant;
mod tenants;
