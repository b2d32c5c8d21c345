//! Who does what, from which beginning.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    Owner,
    Thief,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mailbox {
    /// That of the registration. The owner reads it; whether the thief does, too, is the start's.
    First,
    Owners,
    Thiefs,
}

/// How it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The owner registered, and the thief knows the password.
    PasswordStolen,
    /// The thief registered the owner's address.
    AddressTaken,
    /// The owner registered, and the thief reads the mailbox.
    MailboxStolen,
}

impl Start {
    pub const ALL: &'static [Self] =
        &[Self::PasswordStolen, Self::AddressTaken, Self::MailboxStolen];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    AskReset,
    FollowReset,
    AskChange,
    FollowChange,
    FollowVerification,
    CancelChange,
    ChangePassword,
    SignIn,
    IssueToken,
    RevokeToken,
    SignOutEverywhere,
    AskErasure,
    CancelErasure,
    DayPasses,
}

impl Move {
    pub const ALL: &'static [Self] = &[
        Self::AskReset,
        Self::FollowReset,
        Self::AskChange,
        Self::FollowChange,
        Self::FollowVerification,
        Self::CancelChange,
        Self::ChangePassword,
        Self::SignIn,
        Self::IssueToken,
        Self::RevokeToken,
        Self::SignOutEverywhere,
        Self::AskErasure,
        Self::CancelErasure,
        Self::DayPasses,
    ];

    /// Whether it needs a session.
    pub const fn is_signed_in(self) -> bool {
        matches!(
            self,
            Self::AskChange
                | Self::CancelChange
                | Self::ChangePassword
                | Self::IssueToken
                | Self::RevokeToken
                | Self::SignOutEverywhere
                | Self::AskErasure
                | Self::CancelErasure
        )
    }

    /// Whether it needs the password, once more.
    pub const fn is_stepped_up(self) -> bool {
        matches!(self, Self::AskChange | Self::ChangePassword | Self::AskErasure)
    }
}
