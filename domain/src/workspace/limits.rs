//! How many members, invitations and tokens a workspace may have, and for how long.

/// Invitations that are open are counted with the members.
pub const MEMBERS_MAX: usize = 1000;
/// A link that is mailed can be followed for so long.
pub const INVITATION_DAYS_MAX: i64 = 7;
/// The most invitations that may be open in a workspace at once.
pub const INVITATIONS_MAX: usize = 100;
/// The most service accounts of a workspace.
pub const SERVICE_ACCOUNTS_MAX: usize = 100;
/// The longest that a token may work, in days.
pub const TOKEN_DAYS_MAX: i64 = 365;
/// The longest that a token's former secret works beside the present one, in minutes.
pub const OVERLAP_MINUTES_MAX: i64 = 60;
/// The most tokens of a workspace that may work at once.
pub const TOKENS_MAX: usize = 100;
