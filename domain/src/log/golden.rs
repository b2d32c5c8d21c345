//! Each event as the log keeps it.

use super::LogEvent;
use crate::golden;

#[test]
fn every_event_of_the_log_itself_is_kept_as_it_ever_was() {
    golden::check("log", vec![LogEvent::Restored { restore: 2, head: 900, known: 1000 }]);
}
