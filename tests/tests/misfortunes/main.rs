//! Kills, conflicts and races. Many need the machine for themselves: they wait for `tests::alone`.

mod conflicts;
mod failpoints;
mod fairness;
mod faults;
mod fence;
mod hour;
mod interrupted;
mod kill;
mod leftovers;
mod log;
mod moved;
mod revocation;
mod scale;
mod seat_race;
