//! Every reason to refuse a command, of whichever aggregate.

use crate::account::AccountError;
use crate::operator::OperatorError;
use crate::run::RunError;
use crate::seat::SeatError;
use crate::server::ServerError;
use crate::session::SessionError;
use crate::workspace::WorkspaceError;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub enum Refused {
    Account(#[from] AccountError),
    Session(#[from] SessionError),
    Operator(#[from] OperatorError),
    Workspace(#[from] WorkspaceError),
    Seat(#[from] SeatError),
    Server(#[from] ServerError),
    Run(#[from] RunError),
}
