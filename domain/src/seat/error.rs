//! Why a command to a seat pool is refused.

use super::LIMIT_MAX;
use crate::LeaseId;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeatError {
    #[error("there is no such seat pool")]
    Unknown,
    #[error("this seat pool was opened already")]
    AlreadyExists,
    #[error("this must be a whole number from 0 to {LIMIT_MAX}")]
    LimitOutOfRange,
    #[error("you have a seat already: take its lease over")]
    Held { lease: LeaseId },
    #[error("there is no such lease")]
    LeaseUnknown,
    #[error("this lease has ended")]
    LeaseLost,
    #[error("there are fewer seats by now, and this lease came last: it is not renewed")]
    LimitLowered,
}
