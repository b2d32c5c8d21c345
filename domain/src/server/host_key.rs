//! The key that a server shows, and which of its keys a person has approved.

use serde::{Deserialize, Serialize};

use super::{Fingerprint, PublicKey, ServerError, ServerEvent};

/// What is known of the key that the server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostKey {
    /// No key has been seen at this address.
    Unobserved,
    /// This key was seen, and nobody has approved it.
    Observed {
        /// The key that was seen last.
        key: PublicKey,
    },
    /// A person approved this key: it must be shown on each connection.
    Approved {
        /// The key that was approved.
        key: PublicKey,
    },
    /// The hard stop: another key was seen, and nobody has approved it.
    Mismatched {
        /// The key that must be shown.
        approved: PublicKey,
        /// The key that was shown last.
        seen: PublicKey,
    },
}

impl HostKey {
    /// The key that a connection must find; none while nothing may connect with a credential.
    pub const fn pinned(self) -> Option<PublicKey> {
        match self {
            Self::Approved { key } => Some(key),
            Self::Unobserved | Self::Observed { .. } | Self::Mismatched { .. } => None,
        }
    }

    /// The state after a person has approved the key with this fingerprint: one that was seen, or one of
    /// the `proposals`. As it was when it is none of them.
    #[must_use]
    pub fn approve(self, fingerprint: Fingerprint, proposals: &[PublicKey]) -> Self {
        let (first, second) = match self {
            Self::Unobserved => (None, None),
            Self::Observed { key } | Self::Approved { key } => (Some(key), None),
            Self::Mismatched { approved, seen } => (Some(approved), Some(seen)),
        };
        let mut keys = first.into_iter().chain(second).chain(proposals.iter().copied());
        let found = keys.find(|key| key.fingerprint == fingerprint);
        found.map_or(self, |key| Self::Approved { key })
    }

    /// Whether the approval of the key with this fingerprint may make the server another machine: it takes the place
    /// of the approved key, which has not announced it. What that one has announced is over then.
    pub fn is_replaced_by(self, fingerprint: Fingerprint, proposals: &[PublicKey]) -> bool {
        let is_it = |key: &PublicKey| key.fingerprint == fingerprint;
        match self {
            Self::Mismatched { approved, seen } => {
                is_it(&seen) && !is_it(&approved) && !proposals.iter().any(is_it)
            }
            Self::Unobserved | Self::Observed { .. } | Self::Approved { .. } => false,
        }
    }

    /// The state after the server has shown another key than the approved one.
    #[must_use]
    pub const fn mismatch(self, seen: PublicKey) -> Self {
        match self {
            Self::Approved { key: approved } | Self::Mismatched { approved, .. } => {
                Self::Mismatched { approved, seen }
            }
            Self::Unobserved | Self::Observed { .. } => self,
        }
    }

    /// The event, if any, when the server shows this key.
    pub(super) fn observe(self, seen: PublicKey) -> Option<ServerEvent> {
        let PublicKey { algorithm, fingerprint } = seen;
        let is_seen = |key: PublicKey| key.fingerprint == fingerprint;
        match self {
            Self::Observed { key } | Self::Approved { key } if is_seen(key) => None,
            Self::Mismatched { approved, seen: before } if is_seen(approved) || is_seen(before) => {
                None
            }
            Self::Unobserved | Self::Observed { .. } => {
                Some(ServerEvent::HostKeyObserved { algorithm, fingerprint })
            }
            Self::Approved { key: approved } | Self::Mismatched { approved, .. } => {
                let approved = approved.fingerprint;
                Some(ServerEvent::HostKeyMismatched { approved, seen: fingerprint, algorithm })
            }
        }
    }

    pub(super) fn decide_approval(
        self,
        fingerprint: Fingerprint,
        proposals: &[PublicKey],
    ) -> Result<Vec<ServerEvent>, ServerError> {
        let is_it = |key: &PublicKey| key.fingerprint == fingerprint;
        let known = match self {
            Self::Unobserved => return Err(ServerError::NotObserved),
            Self::Approved { key } if is_it(&key) => return Ok(vec![]),
            // It proved to hold them while it showed the approved one.
            Self::Approved { .. } => proposals.iter().any(is_it),
            Self::Observed { key } => is_it(&key),
            // The key that was approved may be the right one still, and the other an intruder's.
            Self::Mismatched { approved, seen } => is_it(&approved) || is_it(&seen),
        };
        if known {
            Ok(vec![ServerEvent::HostKeyApproved { fingerprint }])
        } else {
            Err(ServerError::NotTheObserved)
        }
    }
}
