//! The log under everything at once: two nodes, conflicts, kills, and readers that must see it all.

mod commands;
mod control;
mod cqrs;
mod feed;
mod prefix;
mod reading;
mod writing;
