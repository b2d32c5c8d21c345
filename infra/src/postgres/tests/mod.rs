#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may"
)]

mod breaking;
mod cluster;
mod connections;
mod encryption;
mod functions;
mod migrations;
mod schema;
mod upgrade;
