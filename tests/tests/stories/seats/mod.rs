//! Seats, through HTTP: leased, renewed, taken over, given back, and never one too many.

mod leasing;
mod limits;
mod others;
