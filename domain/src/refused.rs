//! Every reason to refuse a command, of whichever aggregate.

use crate::account::AccountError;
use crate::log::LogError;
use crate::operator::OperatorError;
use crate::run::RunError;
use crate::seat::SeatError;
use crate::server::ServerError;
use crate::session::SessionError;
use crate::strangers::StrangersError;
use crate::workspace::WorkspaceError;

/// Why a command was refused: what the aggregate answered, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
#[allow(missing_docs, reason = "each variant is the error of one aggregate")]
pub enum Refused {
    Account(#[from] AccountError),
    Session(#[from] SessionError),
    Strangers(#[from] StrangersError),
    Log(#[from] LogError),
    Operator(#[from] OperatorError),
    Workspace(#[from] WorkspaceError),
    Seat(#[from] SeatError),
    Server(#[from] ServerError),
    Run(#[from] RunError),
}
