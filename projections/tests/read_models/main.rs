//! The read models, on a PostgreSQL: what each projection makes of events, what readers do with events
//! that cannot be read, and replays.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod audit_trail;
mod checkpoints;
mod damaged_events;
mod fold;
mod folds;
mod generations;
mod harness;
mod joined;
mod lists;
mod mixed;
mod origin;
mod owners;
mod read_through;
mod readers;
mod replay;
mod replay_ends;
mod replay_takeover;
mod row_lookups;
mod runs;
mod scans;
mod servers;
mod slow_replays;
mod standing;
mod tally;
mod team;
mod upgrade;
mod workspaces;
