//! How far a node has looked through the workspaces whose tasks wait.

use uuid::Uuid;

/// A claim looks at some of the workspaces that wait, in the order of their ids, and the next one goes on from there,
/// around to where the round began: however many wait, none is left out. The default begins with the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClaimRound {
    pub(super) after: Uuid,
    pub(super) upto: Uuid,
}

impl ClaimRound {
    /// Looks at every workspace from here on, whichever were looked at before.
    pub fn begin_here(&mut self) {
        self.upto = self.after;
    }

    /// Whether a claim has left workspaces that it did not look at.
    pub fn is_under_way(self) -> bool {
        self.after != self.upto
    }

    /// `through`: the last workspace that was looked at; `None`: the round is over.
    pub(super) fn went(&mut self, through: Option<Uuid>) {
        self.after = through.unwrap_or(self.upto);
    }
}
