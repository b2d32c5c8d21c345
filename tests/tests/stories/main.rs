//! What people do, through HTTP and the command line, each test on databases of its own.

mod accounts;
mod backups;
mod command_line;
mod demo;
mod endpoints;
mod erased;
mod escrow;
mod full_disk;
mod hosted;
mod mailing;
mod memory;
mod metrics;
mod mistyped;
mod pooled;
mod refusals;
mod restore;
mod revocation;
mod roots;
mod runs;
mod seats;
mod servers;
mod starting;
mod upgrade;
mod vault;
mod went_back;
mod workspaces;
