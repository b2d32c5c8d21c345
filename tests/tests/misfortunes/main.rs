//! Kills, conflicts and races. Many need the machine for themselves: they wait for `tests::alone`.

// Futures that append are nested deeper than the usual 128 types.
#![recursion_limit = "256"]

mod conflicts;
mod failpoints;
mod fence;
mod hour;
mod interrupted;
mod kill;
mod log;
mod revocation;
mod scale;
mod seat_race;
