//! The subjects and texts of the mails.

#![allow(clippy::too_many_lines, reason = "an arm for each letter")]

use chrono::{DateTime, Utc};
use infra::keyring::LinkPurpose;
use infra::outbox::MailKind;

use crate::operations::service_tokens::ServiceToken;

pub(super) struct Text {
    pub subject: &'static str,
    pub body: String,
}

/// What the link of a mail is for, and the page that it opens.
pub(super) const fn link_of(kind: MailKind) -> Option<(LinkPurpose, &'static str)> {
    match kind {
        MailKind::Verification => Some((LinkPurpose::VerifyEmail, "verify-email")),
        MailKind::EmailChange => Some((LinkPurpose::ChangeEmail, "change-email")),
        MailKind::PasswordReset => Some((LinkPurpose::ResetPassword, "reset-password")),
        MailKind::Invitation => Some((LinkPurpose::AcceptInvitation, "accept-invitation")),
        MailKind::EmailChangeRequested
        | MailKind::EmailChanged
        | MailKind::PasswordChanged
        | MailKind::ErasureRequested
        | MailKind::ErasureCancelled
        | MailKind::HostKeyMismatched
        | MailKind::ServerWatchStopped
        | MailKind::NewSignIn
        | MailKind::ApiTokenIssued
        | MailKind::ApiTokenRotated
        | MailKind::ServiceTokenIssued
        | MailKind::RoleChanged
        | MailKind::MemberRemoved
        | MailKind::OwnershipReceived
        | MailKind::SuccessionAgreed
        | MailKind::WorkspaceOwned
        | MailKind::WorkspaceRestricted
        | MailKind::WorkspaceDeletionRequested
        | MailKind::WorkspaceDeletionHastened
        | MailKind::WorkspaceDeletionCancelled
        | MailKind::AccountUnverified => None,
    }
}

/// Where a mail has no link of its own, `link` is the id of the server, workspace or other thing that it is about, the
/// page that asks for a link, or what [`staying`] says.
pub(super) fn text(kind: MailKind, link: &str, until: Option<DateTime<Utc>>) -> Text {
    let until = until.map(|at| at.format("%-d %B %Y, %H:%M UTC").to_string()).unwrap_or_default();
    let (subject, lines) = match kind {
        MailKind::Verification => (
            "Confirm your e-mail address",
            format!(
                "an account was opened with this address. Is it yours? Then follow this link:\n\n\
                 {link}\n\n\
                 It works until {until}.\n\n\
                 If you did not open an account, you need not do anything."
            ),
        ),
        MailKind::EmailChange => (
            "Confirm your new e-mail address",
            format!(
                "you asked to use this address for your account. Follow this link to confirm it:\
                 \n\n{link}\n\n\
                 It works until {until}. Until you follow it, your old address stays.\n\n\
                 If you did not ask for this, you need not do anything."
            ),
        ),
        MailKind::EmailChangeRequested => (
            "Another e-mail address was asked for",
            format!(
                "somebody, we hope you, asked to use another e-mail address for your account. It \
                 changes when the link that we sent there is followed, until {until}.\n\n\
                 If it was not you, somebody knows your password: choose a new one at once. That ends \
                 the change, and signs everybody else out."
            ),
        ),
        MailKind::EmailChanged => (
            "Your e-mail address was changed",
            "your account now has another e-mail address, and no more mail comes here.\n\n\
             If it was not you who changed it, somebody else can use your account: please write \
             to us at once."
                .to_owned(),
        ),
        MailKind::PasswordReset => (
            "Choose a new password",
            format!(
                "somebody, we hope you, asked for a new password. Follow this link to choose \
                 one:\n\n{link}\n\n\
                 It works once, until {until}. Your old password works until then.\n\n\
                 If it was not you, you need not do anything."
            ),
        ),
        MailKind::PasswordChanged => (
            "Your password was changed",
            format!(
                "your account has a new password, and you were signed out on your other devices. A change \
                 of your e-mail address that waited was ended. API tokens were ended, too, unless you asked \
                 to keep them.{link}\n\n\
                 If it was not you who changed it, ask for a new password at once."
            ),
        ),
        MailKind::ErasureRequested => (
            "Your account will be erased",
            format!(
                "you asked us to erase your account. We signed you out everywhere, ended your API \
                 tokens, and will erase the account for good on {until}.\n\n\
                 You can change your mind until then: sign in, and cancel the erasure. \
                 Afterwards nobody can bring your data back, and this is our last mail to you.\n\n\
                 If it was not you who asked, somebody knows your password: ask for a new password, \
                 sign in with it, and cancel the erasure."
            ),
        ),
        MailKind::ErasureCancelled => (
            "Your account stays",
            "the erasure of your account was cancelled. Nothing was lost.\n\n\
             If it was not you who cancelled it, change your password and ask for it again."
                .to_owned(),
        ),
        MailKind::HostKeyMismatched => ("A server shows another host key", mismatch(link)),
        MailKind::ServerWatchStopped => ("A server lets us in no more", refused(link)),
        MailKind::NewSignIn => (
            "A new sign-in to your account",
            format!(
                "somebody, we hope you, signed in to your account on {until}, with a device or from a \
                 network that it was not used from lately.\n\n\
                 If it was not you, somebody knows your password: choose a new one at once. That signs \
                 everybody else out, and ends your API tokens."
            ),
        ),
        MailKind::ApiTokenIssued => (
            "An API token was issued",
            format!(
                "you, or somebody who is signed in as you, issued an API token in the workspace {link}. \
                 It acts for you until {until}.\n\n\
                 If it was not you, somebody knows your password: choose a new one at once. That ends \
                 the token, unless you keep your API tokens."
            ),
        ),
        MailKind::ApiTokenRotated => (
            "An API token has another secret",
            format!(
                "you, or somebody who is signed in as you, gave an API token in the workspace {link} another \
                 secret. It acts for you until {until}; the secret that it had works for an hour more at most.\n\n\
                 If it was not you, somebody knows your password: choose a new one at once. That ends \
                 the token, unless you keep your API tokens."
            ),
        ),
        MailKind::ServiceTokenIssued => (
            "An API token of a service account was issued",
            format!(
                "you, or somebody who is signed in as you, issued an API token of a service account of the \
                 workspace {link}, or gave it another secret. It works until {until}, whatever becomes of your \
                 account.\n\n\
                 If it was not you, somebody knows your password: choose a new one at once, and then revoke \
                 the token in the workspace."
            ),
        ),
        MailKind::RoleChanged => (
            "You have another role in a workspace",
            format!(
                "your role in the workspace {link} was changed.\n\n\
                 Its owners and admins decide who has which role: ask one of them if you did not expect \
                 it."
            ),
        ),
        MailKind::MemberRemoved => (
            "You have left a workspace",
            format!(
                "you do not belong to the workspace {link} any more, and your API tokens there were \
                 ended.\n\n\
                 If you did not leave it yourself, one of its owners or admins has removed you."
            ),
        ),
        MailKind::OwnershipReceived => (
            "You own a workspace",
            format!(
                "you are an owner of the workspace {link} now: an owner made you one, you have agreed to inherit \
                 it, or we have appointed you.\n\n\
                 If you do not want to be one, make somebody else an owner and leave it."
            ),
        ),
        MailKind::SuccessionAgreed => (
            "Somebody has agreed to inherit a workspace",
            format!(
                "an admin of the workspace {link} has agreed to own it once its last owner is gone.\n\n\
                 If that should not be, change their role or remove them: then they do not inherit it."
            ),
        ),
        MailKind::WorkspaceOwned => (
            "A workspace has another owner",
            format!(
                "the workspace {link} had no owner any more, or its last one goes, and one of its members owns it \
                 now: an admin who has agreed to it, or whom we have appointed. Its list of members says who.\n\n\
                 If that should not be, write to us, and save what you need."
            ),
        ),
        MailKind::WorkspaceRestricted => (
            "A workspace has no owner any more",
            format!(
                "the last owner of the workspace {link} is gone, and nobody had agreed to inherit it. \
                 You can still read it and leave it, and end what runs there; nothing new begins.\n\n\
                 An admin can agree to own it, and then everything goes on. Where there is none, write \
                 to us."
            ),
        ),
        MailKind::WorkspaceDeletionRequested => (
            "A workspace will be deleted",
            format!(
                "the workspace {link}, to which you belong or have belonged lately, will be deleted with \
                 everything in it: an owner asked us to, or nobody is left. It is deleted for good on {until}.\n\n\
                 Save what you need until then. An owner can cancel the deletion until then; where there is none \
                 whom you can ask, write to us."
            ),
        ),
        MailKind::WorkspaceDeletionHastened => (
            "A workspace will be deleted sooner",
            format!(
                "another owner, or we, had the deletion of the workspace {link} come sooner. It is \
                 deleted for good on {until}."
            ),
        ),
        MailKind::WorkspaceDeletionCancelled => (
            "A workspace stays",
            format!("the deletion of the workspace {link} was cancelled. Nothing was lost."),
        ),
        MailKind::AccountUnverified => (
            "Confirm your e-mail address, or your account is erased",
            format!(
                "an account was opened with this address, nobody has confirmed the address, and nobody has used the \
                 account for a while. We will erase it, with everything in it, after {until}.\n\n\
                 Do you want to keep it? Then sign in, and have a link sent to you that confirms the address:\
                 \n\n{link}\n\n\
                 If you did not open an account, or do not need it, you need not do anything: we then forget \
                 this address."
            ),
        ),
        MailKind::Invitation => (
            "You are invited to a workspace",
            format!(
                "somebody invites you to work with them on Lethe. Sign in with this address, or \
                 register it, and follow this link:\n\n{link}\n\n\
                 It works once, until {until}.\n\n\
                 If you do not want to, you need not do anything: we then forget this address."
            ),
        ),
    };
    Text { subject, body: format!("Hello,\n\n{lines}\n\n-- \nLethe\n") }
}

/// The tokens of service accounts that stay, by their ids; empty if there are none.
pub(super) fn staying(tokens: &[ServiceToken]) -> String {
    if tokens.is_empty() {
        return String::new();
    }
    let lines = tokens.iter().map(|token| {
        let ServiceToken { token, workspace, .. } = token;
        format!("\n- the token {token} in the workspace {workspace}")
    });
    let lines = lines.collect::<Vec<_>>().concat();
    format!(
        "\n\n\
         These API tokens of service accounts, which were issued from your account, or whose secret was \
         shown to it, work on:\n{lines}\n\n\
         If somebody else was in your account, revoke them in the workspace, or ask one of its owners or \
         admins to."
    )
}

/// In place of [`staying`].
pub(super) const NOT_KNOWN: &str = "\n\n\
    API tokens of service accounts that were issued from your account, or whose secret was shown to it, work on. \
    It could not be found out now which: look for them in your workspaces, and revoke those that you do not know.";

fn mismatch(server: &str) -> String {
    format!(
        "a server of a workspace that you look after shows another host key than the one that was \
         approved. Nothing connects to it any more.\n\n\
         It is the server {server}.\n\n\
         If somebody set it up anew, compare the fingerprint on the server itself and approve it. \
         If nobody did, somebody may be in between: find out first."
    )
}

fn refused(server: &str) -> String {
    format!(
        "a server of a workspace that you look after has refused its key for hours. We try it no more, so \
         nobody watches the server.\n\n\
         It is the server {server}.\n\n\
         Put the key back into its `authorized_keys`, or attach another one, and check the server: once a \
         check succeeds, it is watched again. If nobody has taken the key away, find out who did."
    )
}
