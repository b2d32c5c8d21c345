//! On two nodes in this process: commands under a guard, while what they rest on is taken away.

use chrono::{DateTime, TimeDelta, Utc};
use domain::privacy::{
    CommandLine, DeploymentStep, DeploymentSteps, EmailAddress, HostName, IpAddress, Label,
    LoginName, Personal, UserAgent,
};
use domain::run::{Run, RunCommand, Work};
use domain::seat::{SeatCommand, SeatPool, pool_stream};
use domain::server::{Server, ServerCommand};
use domain::session::{CloseReason, Session, SessionCommand, SessionKind};
use domain::workspace::{Actor, Right, Role, Workspace, WorkspaceAction, WorkspaceCommand};
use domain::{
    AccountId, ActorId, ApiTokenId, CommandId, DeploymentId, InvitationId, LeaseId, RunId,
    ServerId, SessionId, WorkspaceId,
};
use futures_util::{StreamExt, stream};
use infra::clock::Clock;
use infra::event_store::{ExecuteError, Guard, Receipt, Request, Step};
use infra::ids::Ids;
use test_support::{NodeHarness, TestNode};
use tokio::sync::Notify;
use uuid::Uuid;

/// A thousand with `LETHE_LONG=1`.
fn races() -> usize {
    if tests::long() { 1000 } else { 250 }
}

/// Without guards.
const CONTROL: usize = 100;
const AT_ONCE: usize = 16;
/// On each node.
const APPENDS: usize = 4;

fn id() -> Uuid {
    Ids::system().uuid()
}

fn now() -> DateTime<Utc> {
    Clock::system().now()
}

/// What is taken away.
#[derive(Clone, Copy, Debug)]
enum Revocation {
    Token,
    Member,
    Role,
    Session,
}

const REVOCATIONS: [Revocation; 4] =
    [Revocation::Token, Revocation::Member, Revocation::Role, Revocation::Session];

/// Bob, an admin of a workspace of Ada's.
struct Team {
    workspace: WorkspaceId,
    ada: AccountId,
    bob: AccountId,
    session: SessionId,
    token: ApiTokenId,
    server: ServerId,
}

impl Team {
    async fn new(node: &TestNode) -> Self {
        let team = Self {
            workspace: WorkspaceId(id()),
            ada: AccountId(id()),
            bob: AccountId(id()),
            session: SessionId(id()),
            token: ApiTokenId(id()),
            server: ServerId(id()),
        };
        let Self { ada, bob, token, .. } = team;
        let (now, invitation) = (now(), InvitationId(id()));
        let email = EmailAddress::parse("bob@example.org").unwrap();
        let rights = [Right::StartRuns, Right::ManageServers, Right::LeaseSeat];
        for command in [
            WorkspaceCommand::Create { name: label("Engines"), owner: ada },
            WorkspaceCommand::Invite {
                by: ada,
                invitation,
                email: Personal::Clear(email),
                role: Role::Admin,
                now,
                until: now + TimeDelta::days(1),
                replaces: None,
            },
            WorkspaceCommand::AcceptInvitation { by: bob, invitation, now },
            WorkspaceCommand::IssueApiToken {
                by: bob,
                account: bob,
                token,
                rights: rights.to_vec(),
                now,
                expires_at: now + TimeDelta::days(1),
            },
        ] {
            team.as_ada(node, command).await;
        }
        let opens = SessionCommand::Open {
            account: bob,
            kind: SessionKind::Client,
            ip: Personal::Clear(IpAddress([203, 0, 113, 7].into())),
            user_agent: Personal::Clear(UserAgent::cut("a browser")),
        };
        team.in_session(node, opens).await;
        let opens = SeatCommand::Open { limit: 5 };
        let seats = Step::new::<SeatPool>(pool_stream(team.workspace), opens);
        let server = Step::new::<Server>(team.server.0, register());
        let request = Request::new(team.workspace.into(), CommandId(id()));
        node.executor.execute(&request, &[seats, server]).await.unwrap();
        team
    }

    async fn as_ada(&self, node: &TestNode, command: WorkspaceCommand) -> Receipt {
        let request = Request::new(self.workspace.into(), CommandId(id()));
        let step = Step::new::<Workspace>(self.workspace.0, command);
        node.executor.execute(&request, &[step]).await.unwrap()
    }

    async fn in_session(&self, node: &TestNode, command: SessionCommand) -> Receipt {
        let request = Request::new(self.bob.into(), CommandId(id()));
        let step = Step::new::<Session>(self.session.0, command);
        node.executor.execute(&request, &[step]).await.unwrap()
    }

    /// Answers the position of the revocation, once it is answered.
    async fn revoke(&self, node: &TestNode, what: Revocation) -> i64 {
        let (by, member) = (self.ada, self.bob);
        let receipt = match what {
            Revocation::Token => {
                let revokes = WorkspaceCommand::RevokeApiToken { by, token: self.token };
                self.as_ada(node, revokes).await
            }
            Revocation::Member => {
                let now = Clock::system().now();
                self.as_ada(node, WorkspaceCommand::RemoveMember { by, member, now }).await
            }
            Revocation::Role => {
                let lowers = WorkspaceCommand::ChangeRole { by, member, role: Role::Viewer };
                self.as_ada(node, lowers).await
            }
            Revocation::Session => {
                let closes = SessionCommand::Close { reason: CloseReason::SignedOut };
                self.in_session(node, closes).await
            }
        };
        receipt.position().unwrap()
    }

    /// A request of Bob's, in person or by token, as `Member::request` makes it.
    fn request(&self, what: Revocation, action: WorkspaceAction) -> Request {
        let by_token = matches!(what, Revocation::Token);
        let by = if by_token {
            Actor::Token(self.token, self.token.into())
        } else {
            Actor::Member(self.bob)
        };
        let acts = WorkspaceCommand::Act { by, action: Some(action), also: None, now: now() };
        let (of, session) = (self.workspace, self.session.0);
        let mut guards = vec![Guard::new::<Workspace>(of.into(), of.0, acts)];
        if !by_token {
            guards.push(Guard::new::<Session>(self.bob.into(), session, SessionCommand::Use));
        }
        let actor = if by_token { self.token.into() } else { ActorId::from(self.bob) };
        let request = Request::new(of.into(), CommandId(id()));
        Request { actor: Some(actor), guards, ..request }
    }
}

fn label<F: domain::privacy::Field<Value = Label>>(text: &str) -> Personal<F> {
    Personal::Clear(Label::parse(text).unwrap())
}

/// One of four commands, none of which says by itself who acts.
fn command(team: &Team, number: usize) -> (WorkspaceAction, Step) {
    match number % 4 {
        0 => {
            let work =
                Work::Command { command: Personal::Clear(CommandLine::parse("true").unwrap()) };
            let servers = vec![ServerId(id())];
            let requests = RunCommand::Request {
                work,
                servers,
                timeout_seconds: 60,
                secrets: None,
                secret_names: None,
                environment: None,
            };
            (WorkspaceAction::StartRun, Step::new::<Run>(RunId(id()).0, requests))
        }
        1 => (WorkspaceAction::RegisterServer, Step::new::<Server>(id(), register())),
        2 => {
            let (lease, account) = (LeaseId(id()), AccountId(id()));
            let leases = SeatCommand::Acquire { lease, account };
            let pool = pool_stream(team.workspace);
            (WorkspaceAction::LeaseSeat, Step::new::<SeatPool>(pool, leases))
        }
        _ => {
            let step = DeploymentStep {
                name: Label::parse("pull").unwrap(),
                command: CommandLine::parse("git pull").unwrap(),
            };
            let creates = ServerCommand::CreateDeployment {
                deployment: DeploymentId(id()),
                name: label("site"),
                config: Personal::Clear(DeploymentSteps::new(vec![step]).unwrap()),
            };
            (WorkspaceAction::CreateDeployment, Step::new::<Server>(team.server.0, creates))
        }
    }
}

fn register() -> ServerCommand {
    ServerCommand::Register {
        name: label("web"),
        host: Personal::Clear(HostName::parse("example.org").unwrap()),
        port: 22,
        user: Personal::Clear(LoginName::parse("deploy").unwrap()),
    }
}

#[derive(Default)]
struct Race {
    landed: Vec<i64>,
    refused: usize,
    revoked_at: i64,
}

impl Race {
    fn late(&self) -> usize {
        self.landed.iter().filter(|position| **position > self.revoked_at).count()
    }
}

/// Bob acts on both nodes while one of them takes away what he acts with, a little later in each race than
/// in the one before.
async fn race(number: usize, nodes: &[TestNode; 2], guarded: bool) -> Race {
    let what = REVOCATIONS[number % REVOCATIONS.len()];
    let [here, there] = nodes;
    let team = Team::new(here).await;
    let act = async |node: &TestNode, append: usize| {
        let (action, step) = command(&team, number / REVOCATIONS.len() + append);
        let mut request = team.request(what, action);
        if !guarded {
            request.guards.clear();
        }
        node.executor.execute(&request, &[step]).await
    };
    let begin = Notify::new();
    let revoked = async {
        begin.notified().await;
        team.revoke(there, what).await
    };
    let acts = async |node: &TestNode| {
        let mut answers = Vec::new();
        for append in 0..APPENDS {
            if append == number / REVOCATIONS.len() % APPENDS {
                begin.notify_one();
            }
            answers.push(act(node, append).await);
        }
        answers
    };
    let (revoked_at, mut answers, others) = tokio::join!(revoked, acts(here), acts(there));
    answers.extend(others);
    for node in nodes {
        answers.push(act(node, number).await);
    }

    let mut race = Race { revoked_at, ..Race::default() };
    for answer in answers {
        match answer {
            Ok(receipt) => race.landed.extend(receipt.events().iter().map(|event| event.position)),
            Err(ExecuteError::Refused(_)) => race.refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    race
}

async fn run(count: usize, guarded: bool) -> Vec<Race> {
    let _alone = tests::alone().await;
    let harness = NodeHarness::new().await;
    let nodes = [harness.node().await, harness.node().await];
    let races = stream::iter(0..count).map(|number| race(number, &nodes, guarded));
    races.buffer_unordered(AT_ONCE).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_appended_after_a_revocation() {
    let races = run(races(), true).await;

    let landed: usize = races.iter().map(|race| race.landed.len()).sum();
    let refused: usize = races.iter().map(|race| race.refused).sum();
    println!(
        "{} revocations raced: {landed} events before one, {refused} commands refused after",
        races.len()
    );
    // Two of each race were sent after the answer.
    let both = races.iter().filter(|race| !race.landed.is_empty() && race.refused > 2).count();
    println!("in {both} of them commands came on both sides of the revocation");
    assert!(both > races.len() / 2, "{both} of {} were a race", races.len());
    assert_eq!(races.iter().map(Race::late).sum::<usize>(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn control_without_guards_commands_land_after_the_revocation() {
    let races = run(CONTROL, false).await;

    let late: usize = races.iter().map(Race::late).sum();
    println!("{CONTROL} revocations without guards: {late} events after one");
    assert!(late > CONTROL, "{late}");
}
