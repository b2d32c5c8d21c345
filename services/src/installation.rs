//! The events' database and the keyring's are of one installation, or nothing is done.

use infra::installation::{InstallationError, Relation, pair, relate};

use crate::databases::Databases;
use crate::wiring::Creation;

/// Refuses a log and a keyring that are not of one installation, and pairs those that do not say so yet, as far as
/// the process may make what is not there. Both have the schema of this programme.
///
/// # Errors
/// [`InstallationError`].
pub async fn open(databases: &Databases, creation: Creation) -> Result<(), InstallationError> {
    let (log, keyring) = (&databases.direct, &databases.keyring);
    let pairs = match relate(log, keyring).await? {
        Relation::Paired => false,
        Relation::Related => creation != Creation::Nothing,
        Relation::New => creation == Creation::All,
    };
    if pairs { pair(log, keyring).await } else { Ok(()) }
}
