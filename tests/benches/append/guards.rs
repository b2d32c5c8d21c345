//! Appends under two guards, as a person's request in a workspace has them, against the same without.

use domain::privacy::{IpAddress, Label, Personal, UserAgent};
use domain::session::{Session, SessionCommand, SessionKind};
use domain::workspace::{Actor, Workspace, WorkspaceAction, WorkspaceCommand};
use domain::{AccountId, CommandId, SessionId, WorkspaceId};
use infra::clock::Clock;
use infra::event_store::{Guard, Request, Step};
use test_support::TestNode;
use tests::bench::{Goal, Table, in_turns};

use crate::callers::{Caller, sign_in_for};
use crate::harness::Harness;
use crate::seconds;

const CALLERS: [usize; 3] = [1, 64, 256];
const WORKSPACES: usize = 64;
const GOAL: f64 = 0.92;

pub async fn measure(harness: &Harness, table: &mut Table) {
    println!("appends under guards");
    harness.log("guards").await;
    let node = harness.node("guards").await;
    let owner = AccountId(harness.ids.uuid());
    let mut workspaces = Vec::new();
    for _ in 0..WORKSPACES {
        workspaces.push(create(harness, &node, owner).await);
    }
    for callers in CALLERS {
        let [guarded, free] = in_turns(async |who| {
            let nodes = std::slice::from_ref(&node);
            let mut people = Caller::come_all(nodes, &harness.ids, callers).await;
            if who == 0 {
                for (caller, workspace) in people.iter_mut().zip(workspaces.iter().cycle()) {
                    caller.guards = guards(harness, caller, *workspace, owner).await;
                }
            }
            sign_in_for(people, seconds(), &harness.meter).await
        })
        .await;
        let what = format!("append, {callers} callers, under 2 guards: none");
        table.row(&what, &guarded, &free, Goal::AtLeast(GOAL), "");
    }
}

async fn create(harness: &Harness, node: &TestNode, owner: AccountId) -> WorkspaceId {
    let workspace = WorkspaceId(harness.ids.uuid());
    let name = Personal::Clear(Label::parse("Engines").unwrap());
    let creates = WorkspaceCommand::Create { name, owner };
    let request = Request::new(workspace.into(), CommandId(harness.ids.uuid()));
    let step = Step::new::<Workspace>(workspace.0, creates);
    node.executor.execute(&request, &[step]).await.unwrap();
    workspace
}

/// Of the workspace, which callers share, and of a session of the caller's own.
async fn guards(
    harness: &Harness,
    caller: &Caller,
    workspace: WorkspaceId,
    owner: AccountId,
) -> Vec<Guard> {
    let (account, session) = (caller.account, SessionId(harness.ids.uuid()));
    let opens = SessionCommand::Open {
        account,
        kind: SessionKind::Client,
        ip: Personal::Clear(IpAddress([203, 0, 113, 7].into())),
        user_agent: Personal::Clear(UserAgent::cut("Mozilla/5.0 (X11; Linux x86_64)")),
    };
    let request = Request::new(account.into(), CommandId(harness.ids.uuid()));
    let step = Step::new::<Session>(session.0, opens);
    caller.node.executor.execute(&request, &[step]).await.unwrap();
    let (by, action) = (Actor::Member(owner), Some(WorkspaceAction::StartRun));
    let acts = WorkspaceCommand::Act { by, action, also: None, now: Clock::system().now() };
    vec![
        Guard::new::<Workspace>(workspace.into(), workspace.0, acts),
        Guard::new::<Session>(account.into(), session.0, SessionCommand::Use),
    ]
}
