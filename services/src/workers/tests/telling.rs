//! Who is mailed what others, or somebody with the password, did to them.

use domain::privacy::Label;
use domain::workspace::{Hastening, Right, Role, Workspace, WorkspaceCommand};
use domain::{ApiTokenId, ApiTokenSecretId, InvitationId, WorkspaceId};

use super::super::mailer::{Mailer, send_due};
use super::*;

const NOTICES: &str = "select kind, subject_id from working.outbox \
    where kind not in ('verification', 'invitation') order by created_at, kind, subject_id";

/// Has registered and followed the link.
async fn verified(app: &App, email: &'static str) -> AccountId {
    let Person { account, verification, .. } = register(app, email).await;
    let now = app.clock.now();
    let verifies = AccountCommand::VerifyEmail { proof: verification.id, now };
    ask(app, account, None, verifies).await.unwrap();
    account
}

async fn order(app: &App, workspace: WorkspaceId, command: WorkspaceCommand) {
    let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
    let steps = [Step::new::<Workspace>(workspace.0, command)];
    app.executor.execute(&request, &steps).await.unwrap();
}

async fn joins(app: &App, of: (WorkspaceId, AccountId), member: AccountId, role: Role) {
    let (invitation, now) = (InvitationId(app.ids.uuid()), app.clock.now());
    let invites = WorkspaceCommand::Invite {
        by: of.1,
        invitation,
        email: Personal::Clear(address("guest@example.org")),
        role,
        now,
        until: now + TimeDelta::days(7),
        replaces: None,
    };
    order(app, of.0, invites).await;
    order(app, of.0, WorkspaceCommand::AcceptInvitation { by: member, invitation, now }).await;
}

/// The notices in the outbox that were not there before: kinds and recipients.
async fn mailed(app: &App) -> Vec<(String, Uuid)> {
    react(app, &Mailer::new(app, &Arc::default())).await.unwrap();
    let client = app.pool.get().await.unwrap();
    let rows = client.query(NOTICES, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn notices(kind: &str, to: &[AccountId]) -> Vec<(String, Uuid)> {
    let mut to: Vec<Uuid> = to.iter().map(|account| account.0).collect();
    to.sort();
    to.into_iter().map(|account| (kind.to_owned(), account)).collect()
}

#[tokio::test]
async fn members_are_told_of_roles_removals_tokens_and_the_end_of_the_workspace() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = verified(&app, "ada@example.org").await;
    let bob = verified(&app, "bob@example.org").await;
    let eve = verified(&app, "eve@example.org").await;
    let stranger = register(&app, "dan@example.org").await.account;
    let workspace = WorkspaceId(app.ids.uuid());
    let name = Personal::Clear(Label::parse("Engines").unwrap());
    order(&app, workspace, WorkspaceCommand::Create { name, owner: ada }).await;
    for (member, role) in [(bob, Role::Owner), (eve, Role::Viewer), (stranger, Role::Viewer)] {
        joins(&app, (workspace, ada), member, role).await;
    }
    let mut expected = vec![];
    assert_eq!(mailed(&app).await, expected);
    let now = app.clock.now();
    let (week, by) = (now + TimeDelta::days(7), ada);
    let raises = |member| WorkspaceCommand::ChangeRole { by: ada, member, role: Role::Admin };
    let (token, rights) = (ApiTokenId(app.ids.uuid()), vec![Right::ReadRuns]);
    let issues = WorkspaceCommand::IssueApiToken {
        by: eve,
        account: eve,
        token,
        rights,
        now,
        expires_at: week,
    };
    let rotates = WorkspaceCommand::RotateApiToken {
        by: eve,
        token,
        secret: ApiTokenSecretId(app.ids.uuid()),
        now,
        overlap: TimeDelta::zero(),
        expires_at: None,
    };
    let removes = WorkspaceCommand::RemoveMember { by, member: eve, now };
    let requests =
        WorkspaceCommand::RequestDeletion { by, now, due: week, requested_before: vec![] };
    let (requested_by, role_before) = (Some(ada), Some(Role::Owner));
    let by_bob = Hastening::Owner { account: bob, requested_by, role_before };
    let sooner = now + TimeDelta::days(2);
    let hastens = WorkspaceCommand::HastenDeletion { by: by_bob, now, due: sooner };
    let cancels = WorkspaceCommand::CancelDeletion { by, now };

    for (command, kind, to) in [
        (raises(stranger), "role_changed", vec![]),
        (raises(eve), "role_changed", vec![eve]),
        (issues, "api_token_issued", vec![eve]),
        (rotates, "api_token_rotated", vec![eve]),
        (removes, "member_removed", vec![eve]),
        (requests, "workspace_deletion_requested", vec![ada, bob]),
        (hastens, "workspace_deletion_hastened", vec![ada, bob]),
        (cancels, "workspace_deletion_cancelled", vec![ada, bob]),
    ] {
        harness.clock.advance(TimeDelta::seconds(1));
        order(&app, workspace, command).await;
        expected.extend(notices(kind, &to));
        assert_eq!(mailed(&app).await, expected, "{kind}");
    }

    send_due(app.clone()).await.unwrap();
    let mails = harness.mails().concat().replace("=\r\n", "");
    assert!(!mails.contains("Engines"), "a relay does not learn what it is called");
    assert!(mails.contains(&workspace.to_string()), "{mails}");
    assert!(mails.contains("for good on 24 November 2026, 12:00 UTC"), "{mails}");
}

#[tokio::test]
async fn all_who_are_left_are_told_that_nobody_owns_the_workspace() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = verified(&app, "ada@example.org").await;
    let bob = verified(&app, "bob@example.org").await;
    let workspace = WorkspaceId(app.ids.uuid());
    let name = Personal::Clear(Label::parse("Engines").unwrap());
    order(&app, workspace, WorkspaceCommand::Create { name, owner: ada }).await;
    joins(&app, (workspace, ada), bob, Role::Viewer).await;

    order(&app, workspace, WorkspaceCommand::RemoveErasedMember { member: ada, heir: None }).await;

    let expected = [notices("member_removed", &[ada]), notices("workspace_restricted", &[bob])];
    assert_eq!(mailed(&app).await, expected.concat());
}

#[tokio::test]
async fn all_members_are_told_who_agreed_and_who_owns_it_without_an_owner_having_said_so() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = verified(&app, "ada@example.org").await;
    let bob = verified(&app, "bob@example.org").await;
    let eve = verified(&app, "eve@example.org").await;
    let workspace = WorkspaceId(app.ids.uuid());
    let name = Personal::Clear(Label::parse("Engines").unwrap());
    order(&app, workspace, WorkspaceCommand::Create { name, owner: ada }).await;
    for (member, role) in [(bob, Role::Admin), (eve, Role::Viewer)] {
        joins(&app, (workspace, ada), member, role).await;
    }
    harness.clock.advance(TimeDelta::seconds(1));
    order(&app, workspace, WorkspaceCommand::AgreeSuccession { by: bob }).await;
    let mut expected = notices("succession_agreed", &[ada]);
    assert_eq!(mailed(&app).await, expected);

    harness.clock.advance(TimeDelta::seconds(1));
    let erased = WorkspaceCommand::RemoveErasedMember { member: ada, heir: Some(bob) };
    order(&app, workspace, erased).await;

    expected.extend(notices("member_removed", &[ada]));
    expected.extend(notices("ownership_received", &[bob]));
    expected.extend(notices("workspace_owned", &[ada, eve]));
    assert_eq!(mailed(&app).await, expected);
    // An owner who makes somebody an owner.
    harness.clock.advance(TimeDelta::seconds(1));
    let raises = WorkspaceCommand::ChangeRole { by: bob, member: eve, role: Role::Owner };
    let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
    let request = Request { actor: Some(bob.into()), ..request };
    let steps = [Step::new::<Workspace>(workspace.0, raises)];
    app.executor.execute(&request, &steps).await.unwrap();
    expected.extend(notices("ownership_received", &[eve]));
    assert_eq!(mailed(&app).await, expected);
}

#[tokio::test]
async fn whoever_is_removed_at_once_is_told_of_a_deletion_that_is_over_when_the_mailer_comes_to_it()
{
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = verified(&app, "ada@example.org").await;
    let bob = verified(&app, "bob@example.org").await;
    let workspace = WorkspaceId(app.ids.uuid());
    let name = Personal::Clear(Label::parse("Engines").unwrap());
    order(&app, workspace, WorkspaceCommand::Create { name, owner: ada }).await;
    joins(&app, (workspace, ada), bob, Role::Viewer).await;
    let (by, now) = (ada, app.clock.now());
    let due = now + TimeDelta::days(1);
    order(
        &app,
        workspace,
        WorkspaceCommand::RequestDeletion { by, now, due, requested_before: vec![] },
    )
    .await;
    order(&app, workspace, WorkspaceCommand::RemoveMember { by, member: bob, now }).await;
    order(&app, workspace, WorkspaceCommand::CompleteDeletion { now: due }).await;

    let found = mailed(&app).await;

    let mut expected = notices("member_removed", &[bob]);
    expected.extend(notices("workspace_deletion_requested", &[ada, bob]));
    assert_eq!(found, expected);
}

/// With the right password, from there.
async fn signs_in(app: &App, account: AccountId, ip: &str, browser: &str) {
    let known = app.executor.load::<Account>(account.into(), account.0).await.unwrap();
    let Account::Live(live) = &*known.state else { panic!("no account") };
    let succeeds = AccountCommand::SucceedLogin {
        credential: live.credential,
        session: SessionId(app.ids.uuid()),
        ip: Personal::Clear(IpAddress(ip.parse().unwrap())),
        user_agent: Personal::Clear(UserAgent::cut(browser)),
    };
    ask(app, account, None, succeeds).await.unwrap();
}

#[tokio::test]
async fn whoever_signs_in_from_somewhere_new_is_mailed_and_the_first_time_nobody_is() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = verified(&app, "ada@example.org").await;
    let dan = register(&app, "dan@example.org").await.account;
    let mut mails = 0;
    for (ip, browser, is_new) in [
        ("192.0.2.7", "a browser", false),
        ("192.0.2.7", "a browser", false),
        ("192.0.2.200", "a browser", false),
        ("198.51.100.7", "a browser", true),
        ("192.0.2.7", "another browser", true),
        ("198.51.100.9", "a browser", false),
        ("2001:db8::1", "a browser", true),
        ("2001:db8:0:7::1", "a browser", false),
        ("2001:db8:1::1", "a browser", true),
    ] {
        harness.clock.advance(TimeDelta::seconds(1));
        signs_in(&app, ada, ip, browser).await;
        // An address that nobody has verified is not written to.
        signs_in(&app, dan, ip, browser).await;
        mails += usize::from(is_new);
        let found = mailed(&app).await;
        assert_eq!(found, notices("new_sign_in", &vec![ada; mails]), "{ip} {browser}");
    }

    for n in 0..9 {
        signs_in(&app, ada, &format!("203.0.{n}.7"), "a thief's browser").await;
    }
    assert_eq!(mailed(&app).await.len(), 6, "so many in a day, and the last one at its end");
    app.keyring.eraser.erase_subject(ada.into()).await.unwrap();
    send_due(app.clone()).await.unwrap();
    let to_ada = harness.mails().iter().any(|mail| mail.contains("ada@example.org"));
    assert!(!to_ada, "they are deleted with the person");
}
