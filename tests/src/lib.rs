#![doc = include_str!("../README.md")]

mod alone;
pub mod bench;
mod browser;
mod client;
mod colleague;
pub mod demo;
mod dump;
mod events;
mod harness;
mod held;
mod installation;
mod mail;
mod person;
mod pgbouncer;
mod process;
mod programme;
mod promtool;
mod replayed;
mod residue;
mod schemathesis;
pub mod seed;
mod server;
mod smtp;
mod stall;
mod transactions;

pub use alone::{alone, long};
pub use browser::{Browser, PlainBrowser};
pub use client::{Answer, Call, Client, answered};
pub use dump::{dump, restore};
pub use events::{Event, Events};
pub use harness::{
    BlindSshd, Harness, RunHarness, create_workspace, lease_of, move_server, problem,
    register_machine, register_server, results,
};
pub use held::HeldBody;
pub use installation::Installation;
pub use mail::{Mail, Mailbox};
pub use person::Person;
pub use pgbouncer::{PgBouncer, database_of, is_pooled};
pub use process::{Stat, Usage};
pub use programme::Programme;
pub use promtool::promtool;
pub use replayed::{Tables, replay_all};
pub use residue::{Place, Search};
pub use schemathesis::schemathesis;
pub use server::TestServer;
pub use smtp::{Behaviour, Smtp};
pub use stall::StallWatch;
pub use test_support::{
    ClosedPort, Databases, LIMIT, Proxy, ServerPair, SilentHost, Sshd, SshdOptions, databases,
    kill_postmaster, sshd, until, until_within,
};
pub use transactions::transactions_a_second;
