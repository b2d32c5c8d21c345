//! Which refused sign-ins of an hour are recorded one by one, and how many others there were.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::AccountId;

/// Of one account.
pub const ONE_BY_ONE: u32 = 10;
/// Of all addresses that nobody has.
pub const ONE_BY_ONE_OF_STRANGERS: u32 = 20;
/// About 5 MB. Attempts at further accounts are counted with those of strangers.
const ACCOUNTS_MAX: usize = 65_536;
const HOUR_SECONDS: i64 = 3600;

/// Whose address was tried. `None`: nobody's.
pub type Of = Option<AccountId>;

/// Those that are recorded by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub count: u64,
}

/// The attempts of this hour, of UTC.
#[derive(Default)]
pub struct Counts {
    hour: i64,
    of: HashMap<Of, Attempts>,
}

#[derive(Default)]
struct Attempts {
    one_by_one: u32,
    others: Option<Sum>,
}

impl Counts {
    /// What was counted in an hour that is over. Call it before the next attempt is looked at.
    pub fn take_past(&mut self, now: DateTime<Utc>) -> Vec<(Of, Sum)> {
        let hour = now.timestamp().div_euclid(HOUR_SECONDS);
        if hour == self.hour {
            return Vec::new();
        }
        self.hour = hour;
        self.take()
    }

    /// All that was counted.
    pub fn take(&mut self) -> Vec<(Of, Sum)> {
        let all = std::mem::take(&mut self.of);
        all.into_iter().filter_map(|(of, attempts)| Some((of, attempts.others?))).collect()
    }

    /// Whether the attempt is to be recorded as one; if not, it has been counted.
    pub fn is_one_of_few(&mut self, of: Of, now: DateTime<Utc>) -> bool {
        let max = if of.is_some() { ONE_BY_ONE } else { ONE_BY_ONE_OF_STRANGERS };
        let is_known = self.of.len() < ACCOUNTS_MAX || self.of.contains_key(&of);
        if is_known {
            let attempts = self.of.entry(of).or_default();
            if attempts.one_by_one < max {
                attempts.one_by_one += 1;
                return true;
            }
        }
        self.count(of, now);
        false
    }

    pub fn count(&mut self, of: Of, now: DateTime<Utc>) {
        let is_known = self.of.len() < ACCOUNTS_MAX || self.of.contains_key(&of);
        let attempts = self.of.entry(of.filter(|_| is_known)).or_default();
        let counted = attempts.others.get_or_insert(Sum { from: now, until: now, count: 0 });
        counted.until = counted.until.max(now);
        counted.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;

    const NOBODYS: Of = None;

    fn account(number: u128) -> AccountId {
        AccountId(Uuid::from_u128(number))
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
    }

    #[test]
    fn some_are_recorded_one_by_one_and_the_others_by_their_number() {
        for (of, max) in [(Some(account(1)), ONE_BY_ONE), (NOBODYS, ONE_BY_ONE_OF_STRANGERS)] {
            let mut counts = Counts::default();
            assert_eq!(counts.take_past(at(0)), []);
            let few = (0..500).filter(|_| counts.is_one_of_few(of, at(0))).count();
            assert_eq!(few, usize::try_from(max).unwrap());
            assert!(!counts.is_one_of_few(of, at(9)));

            assert_eq!(counts.take_past(at(9)), [], "the hour goes on");
            let count = 501 - u64::from(max);
            let counted = Sum { from: at(0), until: at(9), count };
            assert_eq!(counts.take_past(at(60)), [(of, counted)]);
            assert!(counts.is_one_of_few(of, at(60)), "in the next hour");
            assert_eq!(counts.take(), []);
        }
    }

    #[test]
    fn accounts_are_told_apart_and_strangers_are_not() {
        let mut counts = Counts::default();
        for number in 0..20 {
            assert!(counts.is_one_of_few(Some(account(number)), at(0)));
            assert!(counts.is_one_of_few(NOBODYS, at(0)));
        }
        assert!(!counts.is_one_of_few(NOBODYS, at(0)));
    }

    #[test]
    fn attempts_at_more_accounts_than_are_told_apart_are_counted_all_the_same() {
        let mut counts = Counts::default();
        let all = 0..70_000_u128;
        let few = all
            .clone()
            .filter(|number| counts.is_one_of_few(Some(account(*number)), at(0)))
            .count();
        assert_eq!(few, ACCOUNTS_MAX);
        let [(NOBODYS, counted)] = counts.take()[..] else { panic!("others are counted as one") };
        assert_eq!(counted.count, 70_000 - 65_536);
    }
}
