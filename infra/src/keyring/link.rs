//! Mailed links: a token proves that whoever holds it got the mail.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{ProofId, SubjectId};
use uuid::Uuid;

use super::cache::{Gone, Held, Slot};
use super::key::{self, Kind};
use super::{Keyring, KeyringError, crypto};

/// A day longer than the longest link.
pub(super) const DAYS_KEPT: i64 = 8;

/// What a mailed link is for: a link for the one does not do the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl Keyring {
    /// Subject, proof, day and HMAC under the day's key, in URL-safe base64. The subject is an
    /// account, or the workspace that an invitation is from.
    pub async fn link_token(
        &self,
        purpose: LinkPurpose,
        of: SubjectId,
        proof: ProofId,
    ) -> Result<String, KeyringError> {
        let today = key::day(self.inner.clock.now().date_naive());
        let held = self.inner.held(&[Slot::Named(Kind::Link, today)], true).await?;
        let Some(Held::Key { key, .. }) = held.first() else { return Err(KeyringError::Date) };
        let day = u32::try_from(today).map_err(|_| KeyringError::Date)?.to_be_bytes();
        let mac = crypto::mac(key, &parts(purpose, &of.0, &proof.0, &day));
        let token = [of.0.as_bytes().as_slice(), proof.0.as_bytes(), &day, &mac].concat();
        Ok(URL_SAFE_NO_PAD.encode(token))
    }

    /// Whose link it is and what it proves; none for anything that was not made for this purpose
    /// within the last days. Whether it was used or is too old is for its aggregate to say.
    pub async fn read_link(
        &self,
        purpose: LinkPurpose,
        token: &str,
    ) -> Result<Option<(SubjectId, ProofId)>, KeyringError> {
        let Some((of, proof, day, mac)) = parse(token) else { return Ok(None) };
        let number = i64::from(u32::from_be_bytes(day));
        let today = key::day(self.inner.clock.now().date_naive());
        // A node's clock may be a little ahead of this one's.
        if !(today - DAYS_KEPT..=today + 1).contains(&number) {
            return Ok(None);
        }
        let held = self.inner.held(&[Slot::Named(Kind::Link, number)], false).await?;
        let key = match held.first() {
            Some(Held::Key { key, .. }) => key,
            Some(Held::Gone(Gone::Erased | Gone::Expired | Gone::Absent)) | None => {
                return Ok(None);
            }
        };
        let fits = crypto::is_mac(key, &parts(purpose, &of, &proof, &day), &mac);
        Ok(fits.then_some((SubjectId(of), ProofId(proof))))
    }
}

fn parts<'a>(
    purpose: LinkPurpose,
    of: &'a Uuid,
    proof: &'a Uuid,
    day: &'a [u8; 4],
) -> [&'a [u8]; 5] {
    [b"link", purpose.label(), of.as_bytes(), proof.as_bytes(), day]
}

fn parse(token: &str) -> Option<(Uuid, Uuid, [u8; 4], [u8; 32])> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (of, rest) = bytes.split_first_chunk::<16>()?;
    let (proof, rest) = rest.split_first_chunk::<16>()?;
    let (day, rest) = rest.split_first_chunk::<4>()?;
    let mac = <[u8; 32]>::try_from(rest).ok()?;
    Some((Uuid::from_bytes(*of), Uuid::from_bytes(*proof), *day, mac))
}
