//! `lethe doctor`: looks at everything that can be wrong, and says what an erasure reaches.

mod addresses;
mod clocks;
mod copy;
mod descriptors;
mod erasures;
mod reach;
mod roots;
mod server;

use std::io::{Stdout, Write, stdout};
use std::sync::Arc;

use infra::clock::Clock;

use super::CliError;
use super::terminal::count;
use crate::config::Config;
use crate::databases::Databases;
use crate::installation;
use crate::wiring::{self, Creation};

/// What was found.
pub(super) struct Findings {
    out: Stdout,
    wrong: u32,
}

impl Findings {
    fn say(&self, verdict: &str, text: &str) {
        // An error means that the reader of the output has closed it.
        let _ = writeln!(&self.out, "{verdict:<7}{text}");
    }

    pub fn well(&self, text: &str) {
        self.say("ok", text);
    }

    /// Nothing is broken, and somebody should know.
    pub fn note(&self, text: &str) {
        self.say("note", text);
    }

    pub fn wrong(&mut self, text: &str) {
        self.wrong += 1;
        self.say("WRONG", text);
    }

    pub fn judge(&mut self, is: bool, well: &str, wrong: &str) {
        if is { self.well(well) } else { self.wrong(wrong) }
    }
}

pub async fn run(config: Arc<Config>) -> Result<(), CliError> {
    let databases = Databases::existing(&config).await?;
    let mut findings = Findings { out: stdout(), wrong: 0 };
    roots::look(&config, &mut findings).await;
    let looked = look(&config, &databases, &mut findings).await;
    descriptors::look(&config, &databases, &mut findings).await;
    databases.close().await;
    looked?;
    reach::say(&config, &findings);
    match findings.wrong {
        0 => Ok(()),
        wrong => Err(CliError::Failed(format!(
            "{} WRONG: correct what is listed, and run `lethe doctor` again",
            count(wrong, "finding is", "findings are")
        ))),
    }
}

async fn look(
    config: &Config,
    databases: &Databases,
    findings: &mut Findings,
) -> Result<(), CliError> {
    let faults = databases.schema_faults().await?;
    for fault in &faults {
        findings.wrong(fault);
    }
    server::look(config, databases, findings).await?;
    if !faults.is_empty() {
        return Ok(());
    }
    findings.well("both databases have the schema of this programme");
    match installation::open(databases, Creation::Nothing).await {
        Ok(()) => findings.well("events and keys are of one installation"),
        Err(error) => findings.wrong(&error.to_string()),
    }
    addresses::look(databases, findings).await?;
    let log_pool = match wiring::log_pool(config, databases, None).await {
        Ok(pool) => {
            if config.is_proxied() {
                findings.well("the proxy before the events' database keeps what Lethe needs");
            }
            Some(pool)
        }
        Err(error) => {
            findings.wrong(&error.to_string());
            None
        }
    };
    let pool = wiring::keyring_pool(config, databases).await?;
    match wiring::keyring(config, pool, Clock::system(), Creation::Nothing).await {
        Ok(keyring) => {
            if let Some(pool) = log_pool {
                clocks::look(config, &pool, findings).await;
                erasures::look(config, pool, &keyring, findings).await;
            }
            copy::look(&keyring, config, findings).await;
            roots::wrap(&keyring, config, findings).await
        }
        Err(error) => {
            findings.wrong(&error.to_string());
            Ok(())
        }
    }
}
