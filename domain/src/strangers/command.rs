//! The commands of strangers.

use chrono::{DateTime, Utc};

use crate::privacy::{LoginIp, LoginUserAgent, Personal};

/// What can be recorded of strangers.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields are those of the event that follows")]
pub enum StrangersCommand {
    /// An attempt to sign in with an address that nobody has. The caller limits how many are recorded one
    /// by one.
    RefuseSignIn { ip: Personal<LoginIp>, user_agent: Personal<LoginUserAgent> },
    /// The attempts that were not recorded one by one.
    CountRefusedSignIns { from: DateTime<Utc>, until: DateTime<Utc>, count: u64 },
}
