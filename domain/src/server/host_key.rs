//! The key that a server shows, and which of its keys a person has approved.

use serde::{Deserialize, Serialize};

use super::{Fingerprint, KeyAlgorithm, ServerError, ServerEvent};

/// What is known of the key that the server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostKey {
    /// No key has been seen at this address.
    Unobserved,
    /// This key was seen, and nobody has approved it.
    Observed {
        /// The key that was seen last.
        fingerprint: Fingerprint,
    },
    /// A person approved this key: it must be shown on each connection.
    Approved {
        /// The key that was approved.
        fingerprint: Fingerprint,
    },
    /// The hard stop: another key was seen, and nobody has approved it.
    Mismatched {
        /// The key that must be shown.
        approved: Fingerprint,
        /// The key that was shown last.
        seen: Fingerprint,
    },
}

impl HostKey {
    /// The key that a connection must find; none while nothing may connect with a credential.
    pub const fn pinned(self) -> Option<Fingerprint> {
        match self {
            Self::Approved { fingerprint } => Some(fingerprint),
            Self::Unobserved | Self::Observed { .. } | Self::Mismatched { .. } => None,
        }
    }

    /// The event, if any, when the server shows this key.
    pub(super) fn observe(self, algorithm: KeyAlgorithm, seen: Fingerprint) -> Option<ServerEvent> {
        let mismatch =
            |approved| Some(ServerEvent::HostKeyMismatched { approved, seen, algorithm });
        match self {
            Self::Observed { fingerprint } | Self::Approved { fingerprint }
                if fingerprint == seen =>
            {
                None
            }
            Self::Mismatched { approved, seen: before } if [approved, before].contains(&seen) => {
                None
            }
            Self::Unobserved | Self::Observed { .. } => {
                Some(ServerEvent::HostKeyObserved { algorithm, fingerprint: seen })
            }
            Self::Approved { fingerprint: approved } | Self::Mismatched { approved, .. } => {
                mismatch(approved)
            }
        }
    }

    pub(super) fn approve(self, fingerprint: Fingerprint) -> Result<Vec<ServerEvent>, ServerError> {
        let known = match self {
            Self::Unobserved => return Err(ServerError::NotObserved),
            Self::Approved { fingerprint: approved } if approved == fingerprint => {
                return Ok(vec![]);
            }
            Self::Approved { .. } => false,
            Self::Observed { fingerprint: observed } => observed == fingerprint,
            // The key that was approved may be the right one still, and the other an intruder's.
            Self::Mismatched { approved, seen } => [approved, seen].contains(&fingerprint),
        };
        if known {
            Ok(vec![ServerEvent::HostKeyApproved { fingerprint }])
        } else {
            Err(ServerError::NotTheObserved)
        }
    }
}
