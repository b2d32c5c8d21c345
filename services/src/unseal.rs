//! The one way to open a sealed field, and what its caller sees when it does not open.
//!
//! | | [`Unsealer::required`] | [`Unsealer::optional`] |
//! |---|---|---|
//! | the subject is erased, or the period is over | an error: the API answers 404, a worker drops the work | `None`: the field is absent |
//! | the bytes are damaged, or were sealed elsewhere | an error: the API answers 500 | the same error |
//! | the keyring is not reached | an error: the API answers 503, a worker tries again | the same error |
//!
//! `required` is for work that needs the value, `optional` for one field among others. A keyring that
//! is not reached is never treated like a missing field.
//!
//! Two stores open what they have sealed themselves, as bytes that no event holds: the private keys of
//! servers and the chunks of run logs (`infra::server_credentials`, `infra::run_log`). They return the
//! [`OpenError`], which their callers treat as that of `required`.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use domain::privacy::{Field, Personal, Sealed};
use domain::{AccountId, SubjectId, TenantId, WorkspaceId};
use infra::keyring::{KeyringError, OpenError, Sealer};

/// Opens fields of one subject in one tenant. Keeps no value. The caller checks who may see it.
pub struct Unsealer<'a> {
    sealer: &'a Sealer,
    tenant: TenantId,
    subject: SubjectId,
}

impl<'a> Unsealer<'a> {
    pub const fn new(sealer: &'a Sealer, tenant: TenantId, subject: SubjectId) -> Self {
        Self { sealer, tenant, subject }
    }

    /// For fields of an account.
    pub fn of_account(sealer: &'a Sealer, account: AccountId) -> Self {
        Self::new(sealer, account.into(), account.into())
    }

    /// For fields in the streams and rows of a workspace.
    pub fn of_workspace(sealer: &'a Sealer, workspace: WorkspaceId) -> Self {
        Self::new(sealer, workspace.into(), workspace.into())
    }

    /// The value, for callers that cannot continue without it.
    ///
    /// # Errors
    /// Every reason why there is no value.
    pub async fn required<F: Field>(
        &self,
        field: &(impl MaybeSealed + ?Sized),
    ) -> Result<F::Value, OpenError> {
        let sealed = field.sealed().ok_or(OpenError::Damaged)?;
        self.sealer.open::<F>(self.tenant, self.subject, &sealed).await
    }

    /// The value; `None` if there is no field, or its key is erased.
    ///
    /// # Errors
    /// It is not known whether there is a value.
    pub async fn optional<F: Field>(
        &self,
        field: Option<&(impl MaybeSealed + ?Sized)>,
    ) -> Result<Option<F::Value>, UnknownField> {
        let Some(field) = field else { return Ok(None) };
        match self.required::<F>(field).await {
            Ok(value) => Ok(Some(value)),
            Err(OpenError::Erased | OpenError::Expired) => Ok(None),
            Err(OpenError::Damaged) => Err(UnknownField::Damaged),
            Err(OpenError::Unavailable(error)) => Err(UnknownField::Unavailable(error)),
        }
    }
}

/// A place of a sealed value: an event or a state, a row, or the value itself.
pub trait MaybeSealed: Sync {
    /// `None` for bytes that are no sealed value, and for a field that is not sealed.
    fn sealed(&self) -> Option<Cow<'_, Sealed>>;
}

impl MaybeSealed for Sealed {
    fn sealed(&self) -> Option<Cow<'_, Sealed>> {
        Some(Cow::Borrowed(self))
    }
}

impl<F: Field> MaybeSealed for Personal<F> {
    fn sealed(&self) -> Option<Cow<'_, Sealed>> {
        Self::sealed(self).map(Cow::Borrowed)
    }
}

/// A column of a read model.
impl MaybeSealed for [u8] {
    fn sealed(&self) -> Option<Cow<'_, Sealed>> {
        Sealed::from_bytes(self).map(Cow::Owned)
    }
}

/// Why it is not known whether there is a value.
#[derive(Debug, thiserror::Error)]
pub enum UnknownField {
    #[error("the sealed value belongs to another field, or was changed")]
    Damaged,
    #[error(transparent)]
    Unavailable(#[from] KeyringError),
}

impl From<UnknownField> for OpenError {
    fn from(error: UnknownField) -> Self {
        match error {
            UnknownField::Damaged => Self::Damaged,
            UnknownField::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

impl From<UnknownField> for KeyringError {
    fn from(error: UnknownField) -> Self {
        match error {
            UnknownField::Damaged => Self::Damaged,
            UnknownField::Unavailable(error) => error,
        }
    }
}
