//! Roles, and leaving.

use super::*;

fn change(by: AccountId, member: AccountId, role: Role) -> WorkspaceCommand {
    WorkspaceCommand::ChangeRole { by, member, role }
}

fn changed(account: AccountId, from: Role, to: Role) -> WorkspaceEvent {
    WorkspaceEvent::RoleChanged { account, from, to }
}

fn remove(by: AccountId, member: AccountId) -> WorkspaceCommand {
    WorkspaceCommand::RemoveMember { by, member, now: now() }
}

fn removed(account: AccountId) -> WorkspaceEvent {
    WorkspaceEvent::MemberRemoved { account }
}

#[test]
fn an_owner_changes_every_role() {
    for to in [Role::Owner, Role::Admin, Role::Billing] {
        Workspaces::with(())
            .given(with_bob(Role::Viewer))
            .when(change(ADA, BOB, to))
            .then_expect_events(vec![changed(BOB, Role::Viewer, to)]);
    }
    Workspaces::with(())
        .given(with_bob(Role::Viewer))
        .when(change(ADA, BOB, Role::Viewer))
        .then_expect_events(vec![]);
}

#[test]
fn an_admin_neither_makes_nor_unmakes_an_owner() {
    let given = [with_bob(Role::Admin), vec![joined(EVE, Role::Viewer)]].concat();
    for (member, role) in [(EVE, Role::Owner), (ADA, Role::Viewer)] {
        Workspaces::with(())
            .given(given.clone())
            .when(change(BOB, member, role))
            .then_expect_error(WorkspaceError::OwnersOnly);
    }
    Workspaces::with(())
        .given(given.clone())
        .when(change(BOB, EVE, Role::Operator))
        .then_expect_events(vec![changed(EVE, Role::Viewer, Role::Operator)]);
    Workspaces::with(())
        .given(given)
        .when(remove(BOB, ADA))
        .then_expect_error(WorkspaceError::OwnersOnly);
}

#[test]
fn nobody_raises_themselves() {
    Workspaces::with(())
        .given(with_bob(Role::Admin))
        .when(change(BOB, BOB, Role::Owner))
        .then_expect_error(WorkspaceError::OwnersOnly);
    Workspaces::with(())
        .given(with_bob(Role::Admin))
        .when(change(BOB, BOB, Role::Billing))
        .then_expect_error(WorkspaceError::RaisesOneself);
    Workspaces::with(())
        .given(with_bob(Role::Operator))
        .when(change(BOB, BOB, Role::Admin))
        .then_expect_error(WorkspaceError::NeedsRight(Right::ManageMembers));
    Workspaces::with(())
        .given(with_bob(Role::Admin))
        .when(change(BOB, BOB, Role::Operator))
        .then_expect_events(vec![changed(BOB, Role::Admin, Role::Operator)]);
}

#[test]
fn there_is_always_an_owner() {
    Workspaces::with(())
        .given(with_bob(Role::Admin))
        .when(change(ADA, ADA, Role::Admin))
        .then_expect_error(WorkspaceError::LastOwner);
    Workspaces::with(())
        .given(with_bob(Role::Admin))
        .when(remove(ADA, ADA))
        .then_expect_error(WorkspaceError::LastOwner);
    Workspaces::with(())
        .given(with_bob(Role::Owner))
        .when(remove(ADA, ADA))
        .then_expect_events(vec![removed(ADA)]);
}

#[test]
fn everybody_may_leave_and_some_may_remove_others() {
    Workspaces::with(())
        .given(with_bob(Role::Viewer))
        .when(remove(BOB, BOB))
        .then_expect_events(vec![removed(BOB)]);
    Workspaces::with(())
        .given([with_bob(Role::Viewer), vec![joined(EVE, Role::Viewer)]].concat())
        .when(remove(BOB, EVE))
        .then_expect_error(WorkspaceError::NeedsRight(Right::ManageMembers));
    Workspaces::with(())
        .given(created())
        .when(remove(ADA, EVE))
        .then_expect_error(WorkspaceError::NotAMember);
}

#[test]
fn tokens_and_invitations_of_a_member_go_with_the_member() {
    let given = [
        with_bob(Role::Admin),
        vec![
            WorkspaceEvent::ApiTokenIssued {
                token: TOKEN,
                account: BOB,
                rights: vec![Right::ReadRuns],
                expires_at: in_days(9),
            },
            WorkspaceEvent::MemberInvited {
                invitation: INVITATION,
                email: email(),
                role: Role::Viewer,
                by: BOB,
                until: in_days(7),
            },
            WorkspaceEvent::MemberInvited {
                invitation: LATER,
                email: email(),
                role: Role::Viewer,
                by: ADA,
                until: in_days(7),
            },
        ],
    ]
    .concat();
    Workspaces::with(()).given(given.clone()).when(remove(ADA, BOB)).then_expect_events(vec![
        WorkspaceEvent::ApiTokenRevoked { token: TOKEN },
        WorkspaceEvent::InvitationRevoked { invitation: INVITATION },
        removed(BOB),
    ]);
    Workspaces::with(()).given(given).when(change(ADA, BOB, Role::Viewer)).then_expect_events(
        vec![
            changed(BOB, Role::Admin, Role::Viewer),
            WorkspaceEvent::InvitationRevoked { invitation: INVITATION },
        ],
    );
}

#[test]
fn names_are_opened_for_a_purpose_by_those_who_manage_members() {
    let open = |by, purpose| WorkspaceCommand::OpenMemberNames { by, purpose, count: 2 };
    let purpose = Purpose::AccountAdministration;
    Workspaces::with(())
        .given(with_bob(Role::Operator))
        .when(open(ADA, purpose))
        .then_expect_events(vec![WorkspaceEvent::MemberNamesOpened { purpose, count: 2 }]);
    Workspaces::with(())
        .given(with_bob(Role::Operator))
        .when(open(BOB, purpose))
        .then_expect_error(WorkspaceError::NeedsRight(Right::ManageMembers));
    Workspaces::with(())
        .given(created())
        .when(open(ADA, Purpose::ProductNews))
        .then_expect_error(WorkspaceError::NotAPurpose);
}
