//! Invitations.

use super::*;
use crate::workspace::{INVITATIONS_MAX, Invitation, MEMBERS_MAX};

fn invite(by: AccountId, role: Role) -> WorkspaceCommand {
    let until = in_days(7);
    WorkspaceCommand::Invite {
        by,
        invitation: INVITATION,
        email: email(),
        role,
        now: now(),
        until,
        replaces: None,
    }
}

fn invited(invitation: InvitationId, by: AccountId, role: Role) -> WorkspaceEvent {
    WorkspaceEvent::MemberInvited { invitation, email: email(), role, by, until: in_days(7) }
}

fn given() -> Vec<WorkspaceEvent> {
    [created(), vec![invited(INVITATION, ADA, Role::Operator)]].concat()
}

fn accept(at: DateTime<Utc>) -> WorkspaceCommand {
    WorkspaceCommand::AcceptInvitation { by: BOB, invitation: INVITATION, now: at }
}

fn ended() -> Vec<WorkspaceEvent> {
    [given(), vec![WorkspaceEvent::InvitationRevoked { invitation: INVITATION }]].concat()
}

#[test]
fn whoever_manages_members_invites_and_only_owners_invite_owners() {
    Workspaces::with(())
        .given(with_bob(Role::Admin))
        .when(invite(BOB, Role::Operator))
        .then_expect_events(vec![invited(INVITATION, BOB, Role::Operator)]);
    Workspaces::with(())
        .given(with_bob(Role::Admin))
        .when(invite(BOB, Role::Owner))
        .then_expect_error(WorkspaceError::OwnersOnly);
    Workspaces::with(())
        .given(with_bob(Role::Viewer))
        .when(invite(BOB, Role::Viewer))
        .then_expect_error(WorkspaceError::NeedsRight(Right::ManageMembers));
}

#[test]
fn an_invitation_makes_a_member_once() {
    Workspaces::with(()).given(given()).when(accept(now())).then_expect_events(vec![
        WorkspaceEvent::InvitationAccepted { invitation: INVITATION, account: BOB },
        joined(BOB, Role::Operator),
    ]);
    let taken = WorkspaceEvent::InvitationAccepted { invitation: INVITATION, account: EVE };
    Workspaces::with(())
        .given([given(), vec![taken]].concat())
        .when(accept(now()))
        .then_expect_error(WorkspaceError::InvitationGone);
    Workspaces::with(())
        .given([given(), vec![joined(BOB, Role::Viewer)]].concat())
        .when(accept(now()))
        .then_expect_error(WorkspaceError::MemberAlready);
}

#[test]
fn an_invitation_expires() {
    Workspaces::with(())
        .given(given())
        .when(accept(in_days(7)))
        .then_expect_error(WorkspaceError::InvitationExpired);
    let expire = |at| WorkspaceCommand::ExpireInvitation { invitation: INVITATION, now: at };
    Workspaces::with(())
        .given(given())
        .when(expire(in_days(6)))
        .then_expect_error(WorkspaceError::InvitationNotExpired(in_days(7)));
    Workspaces::with(())
        .given(given())
        .when(expire(in_days(7)))
        .then_expect_events(vec![WorkspaceEvent::InvitationExpired { invitation: INVITATION }]);
    Workspaces::with(()).given(ended()).when(expire(in_days(7))).then_expect_events(vec![]);
    for days in [0, 8] {
        let invite = WorkspaceCommand::Invite {
            by: ADA,
            invitation: INVITATION,
            email: email(),
            role: Role::Viewer,
            now: now(),
            until: in_days(days),
            replaces: None,
        };
        Workspaces::with(())
            .given(created())
            .when(invite)
            .then_expect_error(WorkspaceError::InvitationDays);
    }
}

#[test]
fn an_invitation_is_revoked() {
    let revoke = |by| WorkspaceCommand::RevokeInvitation { by, invitation: INVITATION };
    Workspaces::with(())
        .given(given())
        .when(revoke(ADA))
        .then_expect_events(vec![WorkspaceEvent::InvitationRevoked { invitation: INVITATION }]);
    Workspaces::with(())
        .given(ended())
        .when(revoke(ADA))
        .then_expect_error(WorkspaceError::NoSuchInvitation);
    let owners = [with_bob(Role::Admin), vec![invited(INVITATION, ADA, Role::Owner)]].concat();
    Workspaces::with(())
        .given(owners)
        .when(revoke(BOB))
        .then_expect_error(WorkspaceError::OwnersOnly);
}

#[test]
fn an_invitation_is_declined_once_and_makes_no_member_afterwards() {
    let decline = || WorkspaceCommand::DeclineInvitation { invitation: INVITATION };
    let gone = WorkspaceEvent::InvitationDeclined { invitation: INVITATION };
    Workspaces::with(()).given(given()).when(decline()).then_expect_events(vec![gone.clone()]);
    let after = [given(), vec![gone]].concat();
    for command in [decline(), accept(now())] {
        Workspaces::with(())
            .given(after.clone())
            .when(command)
            .then_expect_error(WorkspaceError::InvitationGone);
    }
}

#[test]
fn a_later_invitation_replaces_the_first() {
    let again = |replaces| WorkspaceCommand::Invite {
        by: ADA,
        invitation: LATER,
        email: email(),
        role: Role::Viewer,
        now: now(),
        until: in_days(7),
        replaces,
    };
    let later = invited(LATER, ADA, Role::Viewer);
    Workspaces::with(()).given(given()).when(again(Some(INVITATION))).then_expect_events(vec![
        WorkspaceEvent::InvitationRevoked { invitation: INVITATION },
        later.clone(),
    ]);
    Workspaces::with(())
        .given(ended())
        .when(again(Some(INVITATION)))
        .then_expect_events(vec![later]);
}

#[test]
fn there_are_so_many_and_no_more() {
    let full = Workspace::Live(Box::new(live(MEMBERS_MAX)));
    assert_eq!(
        full.decide(invite(ADA, Role::Viewer)),
        Err(WorkspaceError::MembersMax(MEMBERS_MAX))
    );
    let mut open = live(1);
    let invitation =
        Invitation { email: Personal::Apart, role: Role::Viewer, by: ADA, until: in_days(7) };
    open.invitations = (0..INVITATIONS_MAX)
        .map(|n| (InvitationId(Uuid::from_u128(n as u128 + 100)), invitation.clone()))
        .collect();
    let open = Workspace::Live(Box::new(open));
    assert_eq!(
        open.decide(invite(ADA, Role::Viewer)),
        Err(WorkspaceError::InvitationsMax(INVITATIONS_MAX))
    );
    let WorkspaceCommand::Invite { by, invitation, email, role, now, until, .. } =
        invite(ADA, Role::Viewer)
    else {
        unreachable!("it is one");
    };
    let replaces = Some(InvitationId(Uuid::from_u128(100)));
    let in_place = WorkspaceCommand::Invite { by, invitation, email, role, now, until, replaces };
    assert_eq!(open.decide(in_place).map(|events| events.len()), Ok(2));
}
