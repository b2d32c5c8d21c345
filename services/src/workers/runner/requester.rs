//! Who has requested an attempt: whose it is in the queue, and who must be allowed to start runs when it begins.

use std::sync::Arc;

use chrono::TimeDelta;
use domain::run::Run;
use domain::workspace::Workspace;
use domain::{AccountId, ActorId, ApiTokenId};
use infra::event_store::{Executor, LoadError, Until};
use infra::log::Recorded;

/// The least time between two events of which one comes before the other.
const INSTANT: TimeDelta = TimeDelta::microseconds(1);

/// That of a token is its account's, also where the token is gone by now. `None`: nobody is known who caused the event.
pub(super) async fn of(
    executor: &Executor,
    event: &Recorded,
) -> Result<Option<AccountId>, LoadError> {
    let Some(actor) = event.actor() else { return Ok(None) };
    let (tenant, stream) = (event.tenant(), event.tenant().0);
    let newest = executor.load::<Workspace>(tenant, stream).await?;
    if let Some(account) = account_of(&newest.state, actor) {
        return Ok(Some(account));
    }
    // Whoever it was has gone since.
    let until = Until::Time(event.recorded_at() - INSTANT);
    let then = executor.load_until::<Workspace>(tenant, stream, until).await?;
    Ok(Some(account_of(&then.state, actor).unwrap_or(AccountId(actor.0))))
}

/// `None`: the workspace has neither such a token nor such a member.
fn account_of(workspace: &Workspace, actor: ActorId) -> Option<AccountId> {
    let (live, account) = (workspace.live()?, AccountId(actor.0));
    let token = live.tokens.get(&ApiTokenId(actor.0));
    let is_member = live.role(account).is_ok();
    token.map(|token| token.account).or(is_member.then_some(account))
}

/// The run with the attempts that `event`, of its stream, has requested, or that were there before: those of `newest`, its
/// newest state, may be requested by others.
pub(super) async fn as_requested(
    executor: &Executor,
    event: &Recorded,
    newest: &Arc<Run>,
) -> Result<Arc<Run>, LoadError> {
    let mut targets = newest.requested().into_iter().flat_map(|run| run.targets.values());
    if targets.all(|target| target.attempt == 1) {
        return Ok(Arc::clone(newest));
    }
    let until = Until::Version(event.version());
    Ok(executor.load_until::<Run>(event.tenant(), event.stream_id(), until).await?.state)
}
