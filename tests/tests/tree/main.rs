//! Rules for the source tree, and that what operators are given fits the programme.

mod deploy;
mod tidy;
