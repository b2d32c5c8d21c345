//! Errors of the database, described without any value of a row or of a parameter.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::error::{DbError, SqlState};

/// The classes of errors that any write would meet: state of the transaction (read-only), rights and schema,
/// resources (a full disk), input and output.
const OF_SERVER: [&str; 4] = ["25", "42", "53", "58"];

/// Why the database was not reached, or refused. No text holds a value of a row.
#[derive(Clone, Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum PgError {
    #[error("the database URL: {0}")]
    Url(#[from] super::DatabaseUrlError),
    #[error("the root certificate {path} cannot be used: {reason}")]
    RootCertificate { path: PathBuf, reason: String },
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    #[error("not a role name: {0}")]
    Role(&'static str),
    #[error(
        "PostgreSQL at {place} is not reached ({reason}): check the URL (database_url, keyring_url or \
         direct_url), and that the server runs"
    )]
    Unreachable { place: String, reason: String },
    #[error("PostgreSQL: {0}")]
    Database(String),
    /// The database that the URL names is not there (SQLSTATE 3D000).
    #[error("PostgreSQL: {0}")]
    NoDatabase(String),
    #[error(
        "the database {name} is not there, and the role {owner} may not create it: have an \
         administrator run `create database \"{name}\" owner \"{owner}\"`"
    )]
    CreateDatabase { name: String, owner: String },
    #[error(
        "the first migration makes the roles lethe_app and lethe_retention, and the role {0} may not: \
         have an administrator run `alter role \"{0}\" createrole`, and after the migration `alter \
         role \"{0}\" nocreaterole`"
    )]
    CreateRole(String),
    #[error(
        "sessions through the proxy lack settings, which cannot be sent through it: have an \
         administrator run the following, and make the proxy connect anew: {statements}"
    )]
    ProxySettings { statements: String },
    #[error(
        "the proxy loses prepared statements: use PgBouncer 1.21 or later with \
         max_prepared_statements above 0, or let database_url lead to PostgreSQL itself"
    )]
    ProxyLosesStatements,
    #[error("no connection was free in time")]
    Busy,
    #[error("migrations: {0}")]
    Migration(String),
    #[error(
        "the database has another text of revision {revision} of the function {name}, written by \
         another build: raise the revision in infra/src/postgres/functions.rs, or use that build"
    )]
    FunctionDiffers { name: &'static str, revision: i32 },
    #[error(
        "{migrations} would break the nodes of an older version that run: {nodes}. Stop them, then \
         migrate. A node that was killed counts for 5 seconds more. One whose machine was lost \
         counts until PostgreSQL gives up its connection: `select pg_terminate_backend(process)` \
         ends it. `lethe migrate --force` migrates all the same"
    )]
    NodesRunning { migrations: String, nodes: String },
}

/// Why a private server did not start or stop.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum ClusterError {
    #[error("{0} is in use by another Lethe: stop that one, or choose another data folder")]
    InUse(PathBuf),
    #[error(
        "PostgreSQL does not run as root, and the account it runs as may not enter {0}: \
         choose a data folder (and PG_BINDIR) that other accounts can reach"
    )]
    Barred(PathBuf),
    #[error(
        "{dir} belongs to {owner}, to whom it would be closed once somebody else has used it: run this as that \
         user (`sudo -u {owner} lethe …`)", dir = .dir.display()
    )]
    Foreign { dir: PathBuf, owner: String },
    #[error(
        "PostgreSQL does not run as root, and the account lethe-postgres was not made for it: {0}. Make it \
         (`useradd --system lethe-postgres`), or run Lethe as another user than root"
    )]
    Account(String),
    #[error("an earlier PostgreSQL (process {0}) still works in the data folder and does not stop")]
    StillRunning(u32),
    #[error("initdb failed:\n{0}")]
    InitDb(String),
    #[error("PostgreSQL stopped while it started; its log ends with:\n{0}")]
    Stopped(String),
    #[error("PostgreSQL did not answer within {0:?}")]
    Slow(Duration),
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    #[error("PostgreSQL is still stopping")]
    StillStopping,
    #[error(transparent)]
    Database(#[from] PgError),
}

impl From<tokio_postgres::Error> for PgError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(&SqlState::INVALID_CATALOG_NAME) => Self::NoDatabase(describe(&error)),
            _ => Self::Database(describe(&error)),
        }
    }
}

impl From<super::PoolError> for PgError {
    fn from(error: super::PoolError) -> Self {
        use super::PoolError;
        match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(_) => Self::Busy,
            error @ (PoolError::Closed
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_)) => Self::Database(error.to_string()),
        }
    }
}

/// Whether the server refuses whatever is written, and not only what this error is about. Memory may be enough for less.
pub(crate) fn is_refusal_of_any_write(code: &SqlState) -> bool {
    OF_SERVER.iter().any(|class| code.code().starts_with(class)) && *code != SqlState::OUT_OF_MEMORY
}

/// Describes an error by its code, message and constraint. Left out are the DETAIL, which quotes rows,
/// and the message of a data exception (class 22), which quotes the value that did not parse.
pub fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return describe_server_error(db);
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        // Other causes, such as a JSON value that does not decode, may quote what they read.
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            text = format!("{text}: {io}");
        }
        source = cause.source();
    }
    text
}

fn describe_server_error(db: &DbError) -> String {
    let code = db.code().code();
    let message = if code.starts_with("22") { "a value was refused" } else { db.message() };
    match db.constraint() {
        Some(constraint) => format!("{message} ({code}, {constraint})"),
        None => format!("{message} ({code})"),
    }
}
