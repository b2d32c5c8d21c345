//! Why a command to a seat pool is refused.

use super::LIMIT_MAX;
use crate::LeaseId;

/// Why a command to a seat pool is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum SeatError {
    #[error("there is no seat pool with this id")]
    Unknown,
    #[error("this seat pool was opened already: set its limit instead")]
    AlreadyExists,
    #[error("this must be a whole number from 0 to {LIMIT_MAX}")]
    LimitOutOfRange,
    #[error("you have a seat already: take its lease over, or release it")]
    Held { lease: LeaseId },
    #[error("there is no such lease: acquire a seat first")]
    LeaseUnknown,
    #[error("this lease has ended: acquire a seat again")]
    LeaseLost,
    #[error(
        "there are fewer seats now, and this lease came last: it is not renewed, wait for a seat"
    )]
    LimitLowered,
}
