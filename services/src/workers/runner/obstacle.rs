//! What keeps an attempt from its server, and for how long that is borne.

use domain::run::Obstacle;
use domain::server::Cause;

use crate::reach::Unreached;

/// Why there is no connection: none when the server has no part in it.
pub(super) fn of(unreached: &Unreached) -> Option<Obstacle> {
    match unreached {
        Unreached::Unknown | Unreached::NotApproved | Unreached::NoCredential => {
            Some(Obstacle::NotReady)
        }
        Unreached::Remote(error) => Some(from(error.cause())),
        Unreached::Unavailable(_) => None,
    }
}

pub(super) const fn from(cause: Cause) -> Obstacle {
    match cause {
        Cause::Address => Obstacle::Address,
        Cause::Tcp => Obstacle::Tcp,
        Cause::Identification => Obstacle::Identification,
        Cause::HostKey => Obstacle::HostKey,
        Cause::Authentication => Obstacle::Authentication,
        Cause::Command => Obstacle::Command,
    }
}

/// Whether waiting cannot help: a person must do something first.
pub(super) const fn is_for_good(obstacle: Obstacle) -> bool {
    match obstacle {
        Obstacle::HostKey | Obstacle::Authentication | Obstacle::NotReady | Obstacle::Forgotten => {
            true
        }
        Obstacle::Address | Obstacle::Tcp | Obstacle::Identification | Obstacle::Command => false,
    }
}
