//! Tokens in mailed links. A token proves that its holder received the mail.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{LinkId, SubjectId};
use uuid::Uuid;

use super::key::{self, KeyKind};
use super::key_cache::{KeySlot, KeyState};
use super::keys::Keys;
use super::{KeyringError, crypto};
use crate::clock::Clock;

/// One day longer than the longest life of a link.
pub(super) const DAYS_KEPT: i64 = 8;

/// What a mailed link is for. A token is read for its own purpose only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the name of each variant says what it is")]
pub enum LinkPurpose {
    VerifyEmail,
    ChangeEmail,
    ResetPassword,
    AcceptInvitation,
}

impl LinkPurpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::VerifyEmail => b"verify e-mail",
            Self::ChangeEmail => b"change e-mail",
            Self::ResetPassword => b"reset password",
            Self::AcceptInvitation => b"accept invitation",
        }
    }
}

/// What a token that is shown turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadLink {
    /// It was made for this purpose. The aggregate decides whether it is used or expired.
    Made {
        /// An account, or the workspace that an invitation is from.
        of: SubjectId,
        /// What it names.
        id: LinkId,
    },
    /// It names a day whose key is erased by now: no link of that day works any more. Whether it was made
    /// at all cannot be known.
    Over,
    /// Nothing that was made for this purpose.
    NotOurs,
}

/// Makes and reads tokens, under a key of the day (UTC) that is erased after 8 more days.
#[derive(Clone)]
pub struct LinkTokens {
    keys: Arc<Keys>,
    clock: Clock,
}

impl LinkTokens {
    pub(super) const fn new(keys: Arc<Keys>, clock: Clock) -> Self {
        Self { keys, clock }
    }

    /// Subject, id, day and HMAC-SHA256 under the day's key, in URL-safe base64: 91 characters.
    /// The subject is an account, or the workspace that an invitation is from.
    ///
    /// # Errors
    /// [`KeyringError::Database`] and [`KeyringError::LeaseLost`] when the keyring is not reached;
    /// [`KeyringError::Date`] when today's key is erased, since this clock is days behind.
    pub async fn make(
        &self,
        purpose: LinkPurpose,
        of: SubjectId,
        id: LinkId,
    ) -> Result<String, KeyringError> {
        let today = key::day(self.clock.now().date_naive());
        let keys = self.keys.get(&[KeySlot::Numbered(KeyKind::Link, today)], true).await?;
        let Some(KeyState::Live { key, .. }) = keys.first() else {
            return Err(KeyringError::Date);
        };
        let day = u32::try_from(today).map_err(|_| KeyringError::Date)?.to_be_bytes();
        let mac = crypto::mac(key, &parts(purpose, &of.0, &id.0, &day));
        let token = [of.0.as_bytes().as_slice(), id.0.as_bytes(), &day, &mac].concat();
        Ok(URL_SAFE_NO_PAD.encode(token))
    }

    /// What the token is for, if it was made for this purpose in the last 8 days.
    ///
    /// # Errors
    /// [`KeyringError::Database`] and [`KeyringError::LeaseLost`] when the keyring is not reached.
    pub async fn read(&self, purpose: LinkPurpose, token: &str) -> Result<ReadLink, KeyringError> {
        let Some((of, id, day, mac)) = parse(token) else { return Ok(ReadLink::NotOurs) };
        let number = i64::from(u32::from_be_bytes(day));
        let today = key::day(self.clock.now().date_naive());
        if number < today - DAYS_KEPT {
            return Ok(ReadLink::Over);
        }
        // A node's clock may be a little ahead of this one's.
        if number > today + 1 {
            return Ok(ReadLink::NotOurs);
        }
        let keys = self.keys.get(&[KeySlot::Numbered(KeyKind::Link, number)], false).await?;
        let key = match keys.first() {
            Some(KeyState::Live { key, .. }) => key,
            // By a node whose clock is ahead of this one's.
            Some(KeyState::Erased | KeyState::Expired) => return Ok(ReadLink::Over),
            Some(KeyState::Absent) | None => return Ok(ReadLink::NotOurs),
        };
        if crypto::is_mac(key, &parts(purpose, &of, &id, &day), &mac) {
            Ok(ReadLink::Made { of: SubjectId(of), id: LinkId(id) })
        } else {
            Ok(ReadLink::NotOurs)
        }
    }
}

fn parts<'a>(purpose: LinkPurpose, of: &'a Uuid, id: &'a Uuid, day: &'a [u8; 4]) -> [&'a [u8]; 5] {
    [b"link", purpose.label(), of.as_bytes(), id.as_bytes(), day]
}

fn parse(token: &str) -> Option<(Uuid, Uuid, [u8; 4], [u8; 32])> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (of, rest) = bytes.split_first_chunk::<16>()?;
    let (id, rest) = rest.split_first_chunk::<16>()?;
    let (day, rest) = rest.split_first_chunk::<4>()?;
    let mac = <[u8; 32]>::try_from(rest).ok()?;
    Some((Uuid::from_bytes(*of), Uuid::from_bytes(*id), *day, mac))
}
