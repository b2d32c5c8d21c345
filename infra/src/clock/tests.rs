//! Clocks that jump, and what is believed.

use test_support::databases;

use super::*;
use crate::postgres::{ConnectOptions, connect};

const DAYS: TimeDelta = TimeDelta::days(3);

fn noon() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What is believed after each comparison, as seconds after noon. Each is made after so many seconds, with
/// the system's clock and the database's off by so much.
fn believed(comparisons: &[(u64, TimeDelta, TimeDelta)]) -> Vec<i64> {
    let mut reference = None;
    let mut believed = vec![];
    for &(after, system, database) in comparisons {
        let right = noon() + to_delta(seconds(after));
        let next =
            Reference::compare(reference, right + system, right + database, seconds(1000 + after));
        reference = Some(next);
        let now = next.bound(right + system, seconds(1000 + after));
        believed.push((now - noon()).num_seconds());
    }
    believed
}

#[test]
fn a_clock_that_is_days_ahead_of_the_databases_is_not_believed() {
    let right = TimeDelta::zero();
    assert_eq!(believed(&[(0, right, right), (10, DAYS, right), (20, right, right)]), [0, 10, 20]);
    assert_eq!(believed(&[(0, DAYS, right), (10, right, right)]), [0, 10], "nor at the start");
    assert_eq!(believed(&[(0, right, DAYS), (10, right, DAYS)]), [0, 10], "nor the database's");
}

#[test]
fn a_jump_between_two_comparisons_is_not_believed() {
    let reference = Reference::compare(None, noon(), noon(), seconds(50));

    assert_eq!(reference.bound(noon() + DAYS, seconds(51)), noon() + TimeDelta::seconds(1));
    assert_eq!(reference.bound(noon() - DAYS, seconds(51)), noon() + TimeDelta::seconds(1));
    let slightly = noon() + TimeDelta::seconds(3);
    assert_eq!(reference.bound(slightly, seconds(51)), slightly);
}

#[test]
fn the_clock_of_the_one_machine_that_has_both_is_believed_after_ten_minutes_and_at_once_when_it_goes_back()
 {
    let right = TimeDelta::zero();
    let both = |after, off| (after, off, off);
    let days = DAYS.num_seconds();
    assert_eq!(
        believed(&[both(0, right), both(10, DAYS), both(300, DAYS), both(320, right)]),
        [0, 10, 300, 320]
    );
    assert_eq!(
        believed(&[both(0, right), both(10, DAYS), both(609, DAYS), both(610, DAYS)]),
        [0, 10, 609, days + 610]
    );
    assert_eq!(
        believed(&[both(0, DAYS), both(10, right)]),
        [days, 10],
        "it was wrong from the start"
    );
}

#[test]
fn of_two_clocks_that_are_ahead_the_earlier_is_believed() {
    let (right, days) = (TimeDelta::zero(), DAYS.num_seconds());
    for (system, database) in [(DAYS, DAYS * 2), (DAYS * 2, DAYS)] {
        let off = |after| (after, system, database);
        assert_eq!(believed(&[(0, right, right), off(10), off(610)]), [0, 10, days + 610]);
    }
}

#[tokio::test]
async fn a_skew_is_said_with_what_is_wrong() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let clock = Clock::system();

    clock.compare(&pool).await.unwrap();
    assert_eq!(clock.skew().fault(), None, "{:?}", clock.skew());

    let reference = Reference::compare(None, noon() + DAYS, noon(), seconds(1));
    let fault = reference.skew(noon() + DAYS, seconds(1)).fault().unwrap();
    assert!(fault.contains("this machine is 259200 s ahead"), "{fault}");
    assert!(!fault.contains("the database is"), "{fault}");
}

#[test]
fn time_since_the_start_of_the_machine_goes_on() {
    let before = since_boot();

    assert!(before > Duration::ZERO && since_boot() >= before);
}
