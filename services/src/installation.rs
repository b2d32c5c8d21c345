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

#[cfg(test)]
mod tests {
    use infra::postgres::{ConnectOptions, connect_one};

    use super::*;
    use crate::workers::tests::Harness;

    #[tokio::test]
    async fn new_databases_are_paired_by_who_may_make_all_and_older_ones_by_who_serves() {
        for (is_older, creation, pairs) in [
            (false, Creation::All, true),
            (false, Creation::MailFolder, false),
            (false, Creation::Nothing, false),
            (true, Creation::All, true),
            (true, Creation::MailFolder, true),
            (true, Creation::Nothing, false),
        ] {
            let harness = Harness::new().await;
            let databases = harness.databases();
            let (log, keyring) = (&databases.direct, &databases.keyring);
            if is_older {
                pair(log, keyring).await.unwrap();
                let client = connect_one(keyring, &ConnectOptions::default()).await.unwrap();
                let unpaired = "update keyring.copy set has_log = false";
                client.batch_execute(unpaired).await.unwrap();
            }

            open(&databases, creation).await.unwrap();

            let paired = relate(log, keyring).await.unwrap() == Relation::Paired;
            assert_eq!(paired, pairs, "{is_older} {creation:?}");
        }
    }
}
