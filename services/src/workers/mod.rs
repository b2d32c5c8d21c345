//! Workers follow the log or a clock, and act outside.

mod after_restore;
mod blocked_queue;
mod due;
mod email_index;
mod erased_members;
mod eraser;
mod keys;
mod lease_reaper;
mod mailer;
mod pages;
mod prepare;
mod run_logs;
mod runner;
mod seat_leases;
mod server_monitor;
mod session_closer;
mod sweeps;
#[cfg(test)]
pub(crate) mod tests;
mod timer;
mod token_closer;
mod unverified;
mod workspace_rows;

use std::time::Duration;

use infra::keyring::KeyringError;
use infra::log::Reader;
use infra::postgres::PgError;

pub use prepare::prepare;

use crate::wiring::App;
use due::{Due, SELDOM};
use server_monitor::Rounds;
use timer::{Timers, Wake};

/// The names of those that follow the log.
pub const NAMES: [&str; 8] = [
    "eraser",
    "mailer",
    "run_dispatcher",
    "seat_leases",
    "server_monitor",
    "session_closer",
    "token_closer",
    "workspace_rows",
];

/// The workers of a node: some follow the log, some run on a timer.
pub struct Workers {
    app: App,
    readers: Vec<Reader>,
    timers: Timers,
    attempts: runner::Attempts,
    rounds: Rounds,
}

impl Workers {
    /// Starts the timers. The caller starts the readers.
    pub fn start(app: &App) -> Self {
        let due = Due::default();
        let Due { mails: mail, sessions: close, erasures: erase, runs: run, .. } = due.clone();
        let (watch, rounds) = (due.monitors.clone(), Rounds::new());
        let readers = vec![
            Reader::worker(mailer::Mailer::new(app, &mail)),
            Reader::worker(session_closer::SessionCloser::new(app, &close)),
            Reader::worker(token_closer::TokenCloser::new(app)),
            Reader::worker(eraser::Eraser::new(app, &erase)),
            Reader::worker(workspace_rows::WorkspaceRows::new(app)),
            Reader::worker(seat_leases::SeatLeases::new(app)),
            Reader::worker(runner::RunDispatcher::new(app, &run)),
            Reader::worker(server_monitor::ServerMonitor::new(app, &watch)),
        ];
        let (mut timers, minute) = (Timers::new(app), Duration::from_mins(1));
        let again = mail.clone();
        timers.on_every_node("mailer", SELDOM, Some(mail), move |app| {
            let again = again.clone();
            async move {
                if mailer::send_due(app).await? {
                    again.notify_one();
                }
                Ok::<(), PgError>(())
            }
        });
        let seats = Some(due.seats.clone());
        timers.on_every_node("lease reaper", SELDOM, seats, lease_reaper::reap_due);
        timers.on_one_node("server keys", minute, None, sweeps::sweep_server_credentials);
        timers.on_one_node("API tokens", minute, None, sweeps::sweep_unnamed_tokens);
        timers.on_every_node("mail folder", minute, None, sweeps::sweep_mail_folder);
        timers.on_one_node("session closer", SELDOM, Some(close), session_closer::close_due);
        let departures = Wake::default();
        let erased = departures.clone();
        let again = erase.clone();
        timers.on_one_node("eraser", SELDOM, Some(erase), move |app| {
            let (erased, again) = (erased.clone(), again.clone());
            async move {
                if eraser::erase_due(app).await? {
                    again.notify_one();
                }
                erased.notify_one();
                Ok::<(), KeyringError>(())
            }
        });
        let (outbox, invitations) = (Some(due.outbox.clone()), Some(due.invitations.clone()));
        timers.on_one_node("outbox", SELDOM, outbox, sweeps::sweep_outbox);
        let again = Duration::from_secs(30);
        timers.on_one_node("departures", again, Some(departures), erased_members::remove_departed);
        timers.on_one_node("invitations", SELDOM, invitations, workspace_rows::expire_due);
        timers.on_one_node("credentials", minute, None, sweeps::sweep_credentials);
        timers.on_one_node("ended API tokens", 10 * minute, None, sweeps::sweep_ended_tokens);
        timers.on_one_node("erasures", 10 * minute, None, sweeps::sweep_erasures);
        let sweep = unverified::UnverifiedSweep::default();
        timers.on_one_node("unverified accounts", minute, None, move |app| sweep.clone().run(app));
        timers.on_one_node("old read models", 60 * minute, None, sweeps::sweep_superseded);
        timers.on_one_node("generations", minute, None, sweeps::sweep_generations);
        timers.on_one_node("expired keys", minute, None, keys::erase_expired_keys);
        timers.on_one_node("keys", minute, None, keys::rotate_keys);
        email_index::start_timers(&mut timers);
        let copy = Duration::from_secs(5);
        timers.on_one_node("keyring copy", copy, None, keys::copy_keyring);
        timers.on_one_node("run logs", 10 * minute, None, run_logs::retain);
        let sweep = runner::SecretsSweep::default();
        timers.on_one_node("run secrets", minute, None, move |app| sweep.clone().run(app));
        timers.on_one_node("run leftovers", minute, None, runner::remove_leftovers);
        timers.on_one_node("paused runs", SELDOM, None, runner::resume_forgotten);
        let attempts = runner::Attempts::new(app, &run, &due.may_be_free);
        runner::start_timers(&mut timers, &attempts, run);
        server_monitor::start_timers(&mut timers, &rounds, &due);
        due.start_timers(&mut timers);
        Self { app: app.clone(), readers, timers, attempts, rounds }
    }

    /// The workers that follow the log.
    pub fn readers(&self) -> Vec<Reader> {
        self.readers.clone()
    }

    /// Waits some seconds for running work to finish, then releases the leader leases.
    pub async fn stop(self) {
        self.attempts.stop().await;
        self.timers.stop().await;
        // A timer may have claimed tasks after the first stop.
        self.attempts.stop().await;
        self.rounds.stop(&self.app).await;
    }
}
