//! What happened to the log as a whole.

events! {
    /// What happened to the log as a whole. `restore` numbers the restores, from 1. The log ended at `head`
    /// when the restore was found, and events up to `known` had been seen: those after `head` are lost, and
    /// perhaps some before it, where others have taken their positions.
    LogEvent {
        "log.restored" 1 => Restored { restore: u64, head: i64, known: i64 }
    }
}
