//! Opens sealed fields of a person who asks for them: at the edge, and never kept.

use domain::privacy::{Field, Label, Personal, Sealed, WorkspaceName};
use domain::{AccountId, WorkspaceId};
use infra::keyring::OpenError;

use crate::api::Api;
use crate::api::http::problem::Problem;

/// `None` where there is nothing, or the period that it was kept for is over.
pub async fn opened<F: Field>(
    api: &Api,
    about: AccountId,
    bytes: Option<&[u8]>,
) -> Result<Option<F::Value>, Problem> {
    let Some(bytes) = bytes else { return Ok(None) };
    let sealed = Sealed::from_bytes(bytes).ok_or(OpenError::Damaged)?;
    match api.app.keyring.sealer.open::<F>(about.into(), about.into(), &sealed).await {
        Ok(value) => Ok(Some(value)),
        Err(OpenError::Expired) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What a person's own aggregate holds.
pub async fn held<F: Field>(
    api: &Api,
    about: AccountId,
    field: &Personal<F>,
) -> Result<F::Value, Problem> {
    let sealed = field.sealed().ok_or(OpenError::Damaged)?;
    Ok(api.app.keyring.sealer.open::<F>(about.into(), about.into(), sealed).await?)
}

/// A workspace's name as a read model has it; `None` where there is none any more.
pub async fn name_of(
    api: &Api,
    workspace: WorkspaceId,
    bytes: Option<&[u8]>,
) -> Result<Option<Label>, Problem> {
    let Some(bytes) = bytes else { return Ok(None) };
    let sealed = Sealed::from_bytes(bytes).ok_or(OpenError::Damaged)?;
    let about = workspace.into();
    match api.app.keyring.sealer.open::<WorkspaceName>(workspace.into(), about, &sealed).await {
        Ok(name) => Ok(Some(name)),
        Err(OpenError::Erased | OpenError::Expired) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What an aggregate of a workspace holds.
pub async fn of_workspace<F: Field>(
    api: &Api,
    workspace: WorkspaceId,
    field: &Personal<F>,
) -> Result<F::Value, Problem> {
    let sealed = field.sealed().ok_or(OpenError::Damaged)?;
    Ok(api.app.keyring.sealer.open::<F>(workspace.into(), workspace.into(), sealed).await?)
}
