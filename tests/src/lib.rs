//! The harness of the stories and misfortunes: the real programme, real databases, real mail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::return_self_not_must_use,
    clippy::match_wild_err_arm,
    reason = "a panic is how a test says no"
)]

mod client;
mod colleague;
mod dump;
mod events;
mod installation;
mod lethe;
mod mail;
mod person;
mod programme;
mod promtool;
mod proxy;
mod rig;
pub mod seed;
mod smtp;

use std::time::Duration;

pub use client::{Answer, Call, Client};
pub use dump::{dump, restore};
pub use events::{Event, Events};
pub use infra::postgres::testing;
pub use installation::Installation;
pub use lethe::Lethe;
pub use mail::Mail;
pub use person::Person;
pub use promtool::promtool;
pub use proxy::Proxy;
pub use rig::{Rig, register};
pub use smtp::{Behaviour, Smtp};

const LIMIT: Duration = Duration::from_secs(30);

/// Looks again and again until there is an answer; a test that waits in vain fails.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let found = async {
        loop {
            ticks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    let found = tokio::time::timeout(LIMIT, found).await;
    found.unwrap_or_else(|_| panic!("waited {LIMIT:?} in vain: {what}"))
}
