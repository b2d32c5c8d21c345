//! What strangers did.

use chrono::{DateTime, Utc};

use crate::privacy::{LoginIp, LoginUserAgent, Personal};

events! {
    /// What strangers did. So many attempts an hour are recorded one by one, and the others counted.
    StrangersEvent {
        "strangers.sign_in_refused" 1 => SignInRefused {
            ip: Personal<LoginIp>,
            user_agent: Personal<LoginUserAgent>,
        }
        "strangers.sign_ins_refused" 1 => SignInsRefused {
            from: DateTime<Utc>,
            until: DateTime<Utc>,
            count: u64,
        }
    }
}
