//! Erasures that have begun and cannot be completed, and what they wait for.

use infra::clock::Clock;
use infra::keyring::Keyring;
use infra::outbox::Outbox;
use infra::postgres::Pool;

use super::Findings;
use crate::cli::terminal::count;
use crate::config::Config;
use crate::operations::waiting_erasures::WaitingErasures;

pub async fn look(config: &Config, pool: Pool, keyring: &Keyring, findings: &mut Findings) {
    let clock = Clock::system();
    let outbox = Outbox::new(pool, clock.clone());
    let waiting = match WaitingErasures::count(&keyring.ledger, &outbox, clock.now()).await {
        Ok(waiting) => waiting,
        Err(error) => {
            findings.wrong(&format!("what erasures wait for is not known: {error}"));
            return;
        }
    };
    if waiting.mails > 0 {
        findings.wrong(&format!(
            "{}, and waits until the mails to the person are deleted: {} must be there and writable, \
             and a mail that is being sent must have ended",
            begun(waiting.mails),
            config.mail_dir.display()
        ));
    }
    if waiting.other > 0 {
        findings.wrong(&format!(
            "{}, and goes on when both databases answer: the log of the node that erases says why \
             it waits",
            begun(waiting.other)
        ));
    }
    if waiting.mails + waiting.other == 0 {
        findings.well("no erasure that has begun waits for anything");
    }
}

fn begun(erasures: i64) -> String {
    count(erasures, "erasure has begun", "erasures have begun")
}
