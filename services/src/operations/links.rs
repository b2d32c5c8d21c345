//! The links that are mailed to people: what they prove, and for how long.

use chrono::TimeDelta;
use domain::account::Proof;
use domain::{CommandId, ProofId};
use infra::ids::derived;

use crate::wiring::App;

/// How long a link works that proves an address at registration.
pub(crate) const VERIFICATION: TimeDelta = TimeDelta::days(3);
/// How long a link works that proves another address.
pub(crate) const EMAIL_CHANGE: TimeDelta = TimeDelta::days(1);
/// How long a link works that sets another password.
pub(crate) const PASSWORD_RESET: TimeDelta = TimeDelta::hours(1);

/// What the link proves that is mailed because of `command`, if it is followed within `lasts`.
pub(crate) fn proof(app: &App, command: CommandId, lasts: TimeDelta) -> Proof {
    Proof { id: ProofId(derived(command, "proof")), until: app.clock.now() + lasts }
}
