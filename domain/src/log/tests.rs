use cqrs_es::test::TestFramework;

use super::{Log, LogCommand, LogError, LogEvent};

type Logs = TestFramework<Log>;

const RECORD: LogCommand = LogCommand::RecordRestore { restore: 2, head: 900, known: 1000 };
const RESTORED: LogEvent = LogEvent::Restored { restore: 2, head: 900, known: 1000 };

#[test]
fn a_restore_is_recorded_once() {
    Logs::with(()).given_no_previous_events().when(RECORD).then_expect_events(vec![RESTORED]);
    Logs::with(()).given(vec![RESTORED]).when(RECORD).then_expect_error(LogError::AlreadyRecorded);
}
