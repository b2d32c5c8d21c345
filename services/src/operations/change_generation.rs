//! What an operator does with the generations of a projection: it is recorded first, and then done.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::Event as _;
use domain::TokenId;
use domain::operator::{GenerationAct, Operator, OperatorCommand, OperatorEvent, ReadModel};
use infra::event_store::{ExecuteError, Receipt, Request, Step};
use infra::log::{
    Generation, GenerationError, GenerationState, Keep, Reader, Recorded, discard, generations,
    promote,
};

use super::appended_event::appended_event;
use crate::wiring::App;

/// What is done, and with which generation.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// It is shown.
    Promote(i32),
    /// The kept one that was shown last is shown again.
    RollBack,
    Discard(i32),
}

#[derive(Debug, thiserror::Error)]
pub enum ChangeGenerationError {
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    #[error(transparent)]
    Generation(#[from] GenerationError),
}

/// How long a generation is kept after another one is shown in its place; 0 hours: not at all.
pub fn keep(hours: u32) -> Keep {
    Keep((hours > 0).then(|| Duration::from_hours(hours.into())))
}

/// What cannot be is refused before it is recorded. Sent again with the same command id, it is done if it was not.
///
/// # Errors
/// There is no such generation, or it is in another state; it was in use all the time: then the event says that it was
/// asked for, and the generations are as they were.
pub async fn change_generation(
    app: &App,
    token: TokenId,
    reader: &Reader,
    change: Change,
    request: &Request,
) -> Result<Receipt, ChangeGenerationError> {
    let receipt = if let Some(earlier) = app.executor.find_earlier(request).await? {
        earlier
    } else {
        let changes = command(app, reader, change).await?;
        app.executor.execute(request, &[Step::new::<Operator>(token.0, changes)]).await?
    };
    let recorded = appended_event(app, &receipt).await.map_err(GenerationError::from)?;
    let requested = recorded.as_ref().and_then(|it| requested(it, reader));
    let (generation, act, at) = requested.ok_or(GenerationError::OtherVersion)?;
    if receipt.replayed() && is_done(app, reader, generation, (act, at)).await? {
        return Ok(receipt);
    }
    match act {
        GenerationAct::Promoted | GenerationAct::RolledBack => {
            let (keep, known) = (keep(app.config.replay_keep_hours), app.watermark.watermark());
            promote(&app.pool, reader, Some(generation), keep, known).await?;
        }
        GenerationAct::Discarded => discard(&app.pool, reader, generation).await?,
    }
    Ok(receipt)
}

/// The command that records it.
async fn command(
    app: &App,
    reader: &Reader,
    change: Change,
) -> Result<OperatorCommand, GenerationError> {
    let own = own(app, reader).await?;
    let (generation, act) = match change {
        Change::Promote(generation) => {
            let needed = "promote one that is joined or kept";
            (written(&own, generation, needed)?, GenerationAct::Promoted)
        }
        Change::Discard(generation) => {
            let needed = "discard one that is joined or kept";
            (written(&own, generation, needed)?, GenerationAct::Discarded)
        }
        Change::RollBack => {
            let kept = own.iter().filter(|it| it.state == GenerationState::Kept);
            let last = kept.max_by_key(|it| it.live_at).ok_or(GenerationError::NothingKept)?;
            (last.generation, GenerationAct::RolledBack)
        }
    };
    let projection = ReadModel::parse(reader.name()).ok_or(GenerationError::NotFound)?;
    let version = reader.version();
    Ok(OperatorCommand::ChangeGeneration { projection, version, generation, act })
}

/// Those of this version.
async fn own(app: &App, reader: &Reader) -> Result<Vec<Generation>, GenerationError> {
    let mut own = generations(&app.pool, reader.name()).await?;
    own.retain(|it| it.version == reader.version());
    Ok(own)
}

/// The generation, if its reader writes it beside the live one.
fn written(
    own: &[Generation],
    generation: i32,
    needed: &'static str,
) -> Result<i32, GenerationError> {
    let found = own.iter().find(|it| it.generation == generation);
    let state = found.ok_or(GenerationError::NotFound)?.state;
    if matches!(state, GenerationState::Joined | GenerationState::Kept) {
        Ok(generation)
    } else {
        Err(GenerationError::State { generation, state, needed })
    }
}

/// What the event says, if it is about a generation of this version.
fn requested(event: &Recorded, reader: &Reader) -> Option<(i32, GenerationAct, DateTime<Utc>)> {
    let (event_type, version) = (event.event_type(), event.schema_version());
    match OperatorEvent::decode(event_type, version, event.data()) {
        Ok(OperatorEvent::GenerationChanged { version, generation, act, .. }) => {
            (version == reader.version()).then(|| (generation, act, event.recorded_at()))
        }
        Ok(_) | Err(_) => None,
    }
}

/// Whether what was asked for then has been done since; another one may be shown in the meantime.
async fn is_done(
    app: &App,
    reader: &Reader,
    generation: i32,
    (act, asked_at): (GenerationAct, DateTime<Utc>),
) -> Result<bool, GenerationError> {
    let own = own(app, reader).await?;
    let Some(found) = own.iter().find(|it| it.generation == generation) else { return Ok(true) };
    Ok(match act {
        GenerationAct::Promoted | GenerationAct::RolledBack => {
            found.state == GenerationState::Live || found.live_at.is_some_and(|at| at >= asked_at)
        }
        GenerationAct::Discarded => {
            !matches!(found.state, GenerationState::Joined | GenerationState::Kept)
        }
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain::operator::Scope;
    use domain::{CommandId, TenantId};

    use super::*;
    use crate::workers::tests::Harness;

    #[tokio::test]
    async fn what_was_asked_of_another_version_is_not_answered_as_done() {
        let harness = Harness::new().await;
        let app = harness.node().await;
        let accounts = projections::named("accounts").unwrap();
        let token = TokenId(app.ids.uuid());
        let request = Request::new(TenantId(token.0), CommandId(app.ids.uuid()));
        let expires_at = app.clock.now() + TimeDelta::days(1);
        let issue = OperatorCommand::IssueToken { scope: Scope::Admin, expires_at };
        let issuing = Request::new(TenantId(token.0), CommandId(app.ids.uuid()));
        app.executor.execute(&issuing, &[Step::new::<Operator>(token.0, issue)]).await.unwrap();
        let asked = OperatorCommand::ChangeGeneration {
            projection: ReadModel::Accounts,
            version: accounts.version() - 1,
            generation: 2,
            act: GenerationAct::Promoted,
        };
        app.executor.execute(&request, &[Step::new::<Operator>(token.0, asked)]).await.unwrap();

        let answer = change_generation(&app, token, &accounts, Change::Promote(2), &request).await;

        let refused = ChangeGenerationError::Generation(GenerationError::OtherVersion);
        assert_eq!(answer.unwrap_err().to_string(), refused.to_string());
    }
}
