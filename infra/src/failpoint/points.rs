//! The one list of failpoints. `tests` walks it: one that no load reaches fails the test.

macro_rules! failpoints {
    ($($(#[doc = $help:literal])+ $point:ident = $name:literal,)+) => {
        /// A step at which the process can stop itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Failpoint {
            $($(#[doc = $help])+ $point,)+
        }

        impl Failpoint {
            /// Every failpoint.
            pub const ALL: &'static [Self] = &[$(Self::$point),+];

            /// As the setting has it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }
        }
    };
}

failpoints! {
    /// A batch has been sent to the database, and its answer has not been read.
    AppendSent = "append.sent",
    /// The database has answered a batch, and no caller knows of it.
    AppendCommitted = "append.committed",
    /// Some callers of a batch have their answer, and others do not.
    BatchPartlyAnswered = "batch.partly_answered",
    /// Rows and checkpoint are written, and their transaction is open.
    ProjectionWritten = "projection.written",
    /// Rows and checkpoint are committed.
    ProjectionCommitted = "projection.committed",
    /// The view of a projection shows another generation, and whoever asked for that has no answer.
    ReplayPromoted = "replay.promoted",
    /// A worker has acted, and its checkpoint is not committed.
    WorkerReacted = "worker.reacted",
    /// Part of a generation is committed.
    ReplayWritten = "replay.written",
    /// A generation is built, and no reader writes it.
    ReplayBuilt = "replay.built",
    /// The reader writes a generation, and the view shows the one of before.
    ReplayJoined = "replay.joined",
    /// A new root key is in its store, and the database does not know its fingerprint.
    RotationRootWritten = "rotation.root_written",
    /// The new root key is the current one.
    RotationSwitched = "rotation.switched",
    /// Some shard keys are wrapped under the new root key, and others under the old one.
    RotationRewrapped = "rotation.rewrapped",
    /// The shard keys that are to replace others are there, and wrap nothing.
    RotationShardsMade = "rotation.shards_made",
    /// Some keys are under the shard keys that replace theirs, and others are not.
    RotationKeysMoved = "rotation.keys_moved",
    /// The old root key is out of its store, and the database does not know.
    RotationRootErased = "rotation.root_erased",
    /// Addresses are reserved under a new key of the e-mail index, too.
    EmailIndexBegun = "email_index.begun",
    /// Some addresses are reserved under the new key of the e-mail index, and others are not.
    EmailIndexMoved = "email_index.moved",
    /// Addresses are no longer reserved under the old key of the e-mail index.
    EmailIndexSwitched = "email_index.switched",
    /// The reservations under the old key of the e-mail index are deleted, and the key is there.
    EmailReservationsDeleted = "email_index.reservations_deleted",
    /// The old key of the e-mail index is erased, and its generation does not say so.
    EmailKeyErased = "email_index.key_erased",
    /// The events' database is migrated, and the keyring's is not.
    LogMigrated = "migration.log_migrated",
    /// A password hash is stored, and no event names it.
    PasswordHashed = "password.hashed",
    /// The row of a session is written, and its opening is not in the log.
    SessionOpened = "session.opened",
    /// The closing of a session is in the log, and its row is there.
    SessionClosed = "session.closed",
    /// The hash of another password is stored, and no event names it.
    PasswordStored = "password.stored",
    /// Another password is in the log, and the other sessions are open.
    PasswordChanged = "password.changed",
    /// The end of other sessions is in the log, and they are open.
    SessionsEnded = "sessions.ended",
    /// The rows of sessions are deleted, no API token works, and their closings are not in the log.
    SessionsDeleted = "sessions.deleted",
    /// Closings of sessions are in the log, and rows say that they are missing.
    SessionsClosed = "sessions.closed",
    /// A mail is claimed, and nothing of it is sent.
    MailSending = "mail.sending",
    /// A mail is delivered, and its row does not say so.
    MailSent = "mail.sent",
    /// A lease of a seat is in the log, and has no row.
    SeatAcquired = "seat.acquired",
    /// The end of a lease is in the log, and its row is there.
    SeatReleased = "seat.released",
    /// The expiry of a lease is in the log, and the deletion of its row is not committed.
    SeatExpired = "seat.expired",
    /// A take-over is in the log, and the row of the earlier lease is there.
    SeatTakenOver = "seat.taken_over",
    /// The row of a lease that was taken over is deleted, and the later lease has none.
    SeatReplaced = "seat.replaced",
    /// The private key for a server is stored, and no event names it.
    ServerKeyStored = "server_key.stored",
    /// The private key for a server is named in the log, and its caller has no answer.
    ServerKeyAttached = "server_key.attached",
    /// The row of an API token is written, and no event names it.
    ApiTokenStored = "api_token.stored",
    /// An API token is in the log, and its caller has no answer.
    ApiTokenIssued = "api_token.issued",
    /// The row of another secret of an API token is written, and no event names it.
    ApiTokenSecretStored = "api_token.secret_stored",
    /// Another secret of an API token is in the log, and its caller has no answer.
    ApiTokenRotated = "api_token.rotated",
    /// The API tokens of a person are refused, and their revocations are not in the log.
    ApiTokensEnded = "api_tokens.ended",
    /// A run is requested in the log, and its caller has no answer.
    RunRequested = "run.requested",
    /// A task is claimed, and nobody works on it.
    RunClaimed = "run.claimed",
    /// The dispatch of a run is in the log, and the server knows nothing of it.
    RunDispatched = "run.dispatched",
    /// The row says that a start is sent, and it is not.
    RunLaunching = "run.launching",
    /// The server has started a command, and nothing says so here.
    RunLaunched = "run.launched",
    /// The server starts a command no more that is cancelled, and its end is not in the event log.
    RunForbidden = "run.forbidden",
    /// The start of a run is in the log, and its output is not read.
    RunStarted = "run.started",
    /// Some lines of a run's log are stored.
    RunLogStored = "run.log_stored",
    /// The log of a run is sealed, and the run's end is not in the event log.
    RunSealed = "run.sealed",
    /// The end of a run is in the log, and its files on the server and its row are there.
    RunEnded = "run.ended",
    /// An end that is not proven is in the log, and the row has its slot.
    RunLeft = "run.left",
    /// That nothing is left of an attempt is in the log, and its files on the server and its row are there.
    RunProvenGone = "run.proven_gone",
    /// The files of a run are removed from its server, and its row is there.
    RunCleaned = "run.cleaned",
    /// The cancellation of a run is in the log, and its caller has no answer.
    CancelRequested = "cancel.requested",
    /// The command of a cancelled run is killed, and its end is not in the log.
    CancelKilled = "cancel.killed",
    /// An erasure is in the ledger, and its request is not in the log.
    ErasureEntered = "erasure.entered",
    /// The request of an erasure is in the log, and its caller has no claim code.
    ErasureRequested = "erasure.requested",
    /// The cancellation of an erasure is in the log, and the ledger does not say so.
    ErasureCancelled = "erasure.cancelled",
    /// The fence of a subject stands, and the ledger does not say so.
    ErasureFenced = "erasure.fenced",
    /// The keys of a subject are erased, and its rows are there.
    ErasureKeysErased = "erasure.keys_erased",
    /// The keys and rows of a subject are gone, and the ledger does not say so.
    ErasureRowsDeleted = "erasure.rows_deleted",
    /// The completion of an erasure is in the log, and the ledger does not say so.
    ErasureCompleted = "erasure.completed",
    /// The deletion of a workspace is in the log, and the ledger does not say so.
    WorkspaceDeleted = "workspace.deleted",
}
