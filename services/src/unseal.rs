//! The one way to open a sealed field, and what its caller sees when it does not open.
//!
//! | | [`Unsealer::required`] | [`Unsealer::optional`] |
//! |---|---|---|
//! | the subject is erased, or the period is over | an error: the API answers 404, a worker gives the work up | `None`: the field is absent |
//! | the bytes are damaged, or were sealed elsewhere | an error: the API answers 500 | the same error |
//! | the keyring is not reached | an error: the API answers 503, a worker tries again | the same error |
//!
//! `required` is for what cannot be answered or done without the value, `optional` for one field
//! among others. That a field could not be looked at is never answered as "there is none".

use std::borrow::Cow;

use domain::privacy::{Field, Personal, Sealed};
use domain::{AccountId, SubjectId, TenantId, WorkspaceId};
use infra::keyring::{KeyringError, OpenError, Sealer};

use crate::wiring::App;

/// Opens fields of one subject in one tenant, for whoever may see them now. Nothing is kept.
pub struct Unsealer<'a> {
    sealer: &'a Sealer,
    tenant: TenantId,
    subject: SubjectId,
}

impl<'a> Unsealer<'a> {
    pub fn new(app: &'a App, tenant: TenantId, subject: SubjectId) -> Self {
        Self { sealer: &app.keyring.sealer, tenant, subject }
    }

    /// Of a person's own account.
    pub fn of_account(app: &'a App, account: AccountId) -> Self {
        Self::new(app, account.into(), account.into())
    }

    /// Of a workspace, as it stands in the workspace's own streams and rows.
    pub fn of_workspace(app: &'a App, workspace: WorkspaceId) -> Self {
        Self::new(app, workspace.into(), workspace.into())
    }

    /// The value, without which there is no answer.
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

    /// The value; `None` where there is no field, or its key is erased for good.
    ///
    /// # Errors
    /// Whether there is a value is not known.
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

/// Where a sealed value stands: in an event or a state, in a row, or by itself.
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
    #[error("the sealed value does not belong here, or was changed")]
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
