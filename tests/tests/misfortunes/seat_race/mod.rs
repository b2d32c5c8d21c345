//! 64 people race for 5 seats on two nodes, of which one is killed: never one too many, none lost.

mod answers;
mod nodes;
mod race;
mod seat_log;
