//! The days that an erasure may take, all derived from the one limit that the law sets.

use chrono::TimeDelta;

/// The days from a request for erasure until it must be complete, in backups too. Art. 12(3) GDPR
/// says one month; 30 days are counted, and `PLANNED_DAYS_MAX` keeps a day to spare.
pub const ERASURE_DAYS_MAX: i64 = 30;

/// The days that grace, escrow and rotation may take together: one day is kept to spare.
pub const PLANNED_DAYS_MAX: i64 = ERASURE_DAYS_MAX - 1;

/// The least days that are planned from the erasure of keys until no root is left that wraps them:
/// one until the next rotation of the root, one until the old root is erased.
pub const ROTATION_DAYS_MIN: i64 = 2;

/// The days from the erasure of keys until no root is left that wraps them, where the root is
/// replaced every `rotation_hours`, and an old one is kept for `retention_hours`.
pub const fn rotation_days(rotation_hours: u32, retention_hours: u32) -> i64 {
    let hours = rotation_hours as i64 + retention_hours as i64;
    let days = (hours + 23) / 24;
    if days > ROTATION_DAYS_MIN { days } else { ROTATION_DAYS_MIN }
}

/// An erasure that is open for longer is overdue, and an alarm is raised: the last planned
/// day has begun.
pub const OVERDUE_AFTER: TimeDelta = TimeDelta::days(PLANNED_DAYS_MAX - 1);

/// The longest grace, in days, where old roots stay in escrow for `escrow_days` and a root is gone
/// after [`rotation_days`]. Below zero where no grace is possible.
pub const fn grace_days_max(escrow_days: i64, rotation_days: i64) -> i64 {
    PLANNED_DAYS_MAX - rotation_days - escrow_days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grace_escrow_and_rotation_end_a_day_before_the_limit() {
        for escrow_days in 0..=27 {
            let total = grace_days_max(escrow_days, 2) + escrow_days + 2;
            assert_eq!(total, 29);
        }
        assert_eq!(grace_days_max(7, 2), 20);
        assert_eq!(grace_days_max(7, 4), 18);
        assert!(grace_days_max(28, 2) < 0);
    }

    #[test]
    fn a_part_of_a_day_counts_as_a_day_and_two_days_are_the_least() {
        assert_eq!(rotation_days(24, 24), 2);
        assert_eq!(rotation_days(1, 0), 2);
        assert_eq!(rotation_days(24, 25), 3);
        assert_eq!(rotation_days(24, 72), 4);
        assert_eq!(rotation_days(u32::MAX, u32::MAX), 357_913_942);
    }

    #[test]
    fn an_erasure_is_overdue_when_its_29th_day_begins() {
        assert_eq!(OVERDUE_AFTER, TimeDelta::hours(28 * 24));
        assert!(OVERDUE_AFTER < TimeDelta::days(ERASURE_DAYS_MAX));
    }
}
