//! Each event as the log keeps it.

use chrono::{DateTime, TimeDelta};

use super::StrangersEvent;
use crate::golden;
use crate::privacy::Personal;

#[test]
fn every_event_of_strangers_is_kept_as_it_ever_was() {
    let from = DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap();
    let until = from + TimeDelta::minutes(59);
    golden::check(
        "strangers",
        vec![
            StrangersEvent::SignInRefused { ip: Personal::Apart, user_agent: Personal::Apart },
            StrangersEvent::SignInsRefused { from, until, count: 500 },
        ],
    );
}
