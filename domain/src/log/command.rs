//! The commands of the log itself.

/// What can be requested of the log itself.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the fields are those of the event that follows")]
pub enum LogCommand {
    /// Refused for a number that was recorded already.
    RecordRestore { restore: u64, head: i64, known: i64 },
}
