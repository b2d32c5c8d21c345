//! Who leaves a workspace, or owns it no more, is looked at when that is appended.

use domain::workspace::{Role, Workspace, WorkspaceCommand, WorkspaceError};
use domain::{Refused, WorkspaceId};
use infra::event_store::Guard;

use super::erased_members::{order, shared};
use super::*;
use crate::operations::owners::stays_owned;

/// The member leaves, as was looked at before.
async fn leave(
    app: &App,
    workspace: WorkspaceId,
    (member, guards): (AccountId, Vec<Guard>),
) -> Result<Receipt, ExecuteError> {
    let leaves = WorkspaceCommand::RemoveMember { by: member, member, now: app.clock.now() };
    let command = CommandId(app.ids.uuid());
    let request = Request { guards, ..Request::new(workspace.into(), command) };
    app.executor.execute(&request, &[Step::new::<Workspace>(workspace.0, leaves)]).await
}

async fn make_owner(app: &App, workspace: WorkspaceId, (by, member): (AccountId, AccountId)) {
    order(app, workspace, WorkspaceCommand::ChangeRole { by, member, role: Role::Owner }).await;
}

/// The erasure of the account is requested.
async fn request_erasure(app: &App, account: AccountId) {
    let now = app.clock.now();
    let due = now + TimeDelta::days(7);
    ask(app, account, None, AccountCommand::RequestErasure { now, due }).await.unwrap();
}

fn assert_last_owner(refused: &Result<Receipt, ExecuteError>) {
    let is_last = matches!(
        refused,
        Err(ExecuteError::Refused(Refused::Workspace(WorkspaceError::LastOwner)))
    );
    assert!(is_last, "{refused:?}");
}

#[tokio::test]
async fn who_becomes_an_owner_before_leaving_leaves_nobody_alone_whose_erasure_waits() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let bob = register(&app, "bob@example.org").await.account;
    let workspace = shared(&app, ada, bob).await;
    request_erasure(&app, ada).await;
    let guards = stays_owned(&app, workspace, bob).await.unwrap().unwrap();

    make_owner(&app, workspace, (ada, bob)).await;

    assert_last_owner(&leave(&app, workspace, (bob, guards)).await);
    assert!(
        stays_owned(&app, workspace, bob).await.unwrap().is_none(),
        "when it is looked at again"
    );
}

#[tokio::test]
async fn the_only_owner_does_not_leave_to_somebody_whose_erasure_waits_and_who_owns_it_since() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let bob = register(&app, "bob@example.org").await.account;
    let workspace = shared(&app, ada, bob).await;
    request_erasure(&app, bob).await;
    let guards = stays_owned(&app, workspace, ada).await.unwrap().unwrap();
    assert_last_owner(&leave(&app, workspace, (ada, guards.clone())).await);

    make_owner(&app, workspace, (ada, bob)).await;

    assert_last_owner(&leave(&app, workspace, (ada, guards)).await);
}

#[tokio::test]
async fn who_is_no_owner_leaves_and_an_owner_does_where_another_one_stays() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let bob = register(&app, "bob@example.org").await.account;
    let (one, other) = (shared(&app, ada, bob).await, shared(&app, ada, bob).await);
    make_owner(&app, other, (ada, bob)).await;

    for (workspace, member) in [(one, bob), (other, ada)] {
        let guards = stays_owned(&app, workspace, member).await.unwrap().unwrap();
        assert!(leave(&app, workspace, (member, guards)).await.is_ok());
    }
}
