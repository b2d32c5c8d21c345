//! The two databases: of a private server, or of the one that the settings name.

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use infra::failpoint;
use infra::installation::{InstallationError, relate};
use infra::postgres::{
    Cluster, ClusterError, ClusterOptions, DatabaseUrl, Migrated, Migration, PgError, Schema,
    binaries, create_database, database_exists, is_same_database, keyring_schema, log_schema,
    migrate_keyring, refuse_to_break_nodes, running,
};

use crate::config::Config;

pub const LOG: &str = "lethe";
pub const KEYRING: &str = "lethe_keys";

/// The URLs of the databases, and the server that was started for them.
#[derive(Debug)]
pub struct Databases {
    pub log: DatabaseUrl,
    pub keyring: DatabaseUrl,
    /// The events' database without a pooling proxy.
    pub direct: DatabaseUrl,
    pub cluster: Option<Cluster>,
}

#[derive(Debug, thiserror::Error)]
pub enum DatabasesError {
    #[error(transparent)]
    Binaries(#[from] binaries::BinariesError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("the databases are not migrated: {0}")]
    Breaking(PgError),
    #[error("the events' database: {0}")]
    Log(PgError),
    #[error("the keyring's database: {0}")]
    Keyring(PgError),
    #[error("{0}")]
    Schema(String),
    #[error(transparent)]
    Installation(#[from] InstallationError),
    #[error(
        "there are no databases in {} yet: correct data_dir, run `lethe migrate`, or start `lethe serve`",
        .0.display()
    )]
    NoData(PathBuf),
    #[error(
        "there is no database {url} yet: correct {setting}, run `lethe migrate`, or start `lethe serve`"
    )]
    NoDatabase { setting: &'static str, url: String },
    #[error(
        "database_url ({log}) and direct_url ({direct}) lead to two databases: correct database_url, or direct_url, \
         which is the same database without the proxy"
    )]
    TwoDatabases { log: String, direct: String },
    #[error(
        "keyring_url ({0}) leads to the database of the events: keys need a database of their own, since a \
         restored backup of the events must not bring back erased keys"
    )]
    SharedDatabase(String),
    #[error("the folder {0} cannot be made: {1}")]
    Folder(String, std::io::Error),
    #[error("the search for PostgreSQL's binaries ended: {0}")]
    Search(tokio::task::JoinError),
}

impl Databases {
    /// The databases of the settings, else those of a private server, which is started.
    pub async fn own(config: &Config) -> Result<Self, DatabasesError> {
        if let Some(named) = Self::named(config) {
            named.create().await?;
            named.refuse_mixed_up().await?;
            return Ok(named);
        }
        let own = Self::of(Self::start(config).await?)?;
        let made = own.create().await;
        own.or_close(made).await
    }

    /// Makes the databases that are not there, unless the other one says that this one is lost.
    async fn create(&self) -> Result<(), DatabasesError> {
        relate(&self.direct, &self.keyring).await?;
        create_database(&self.direct).await.map_err(DatabasesError::Log)?;
        create_database(&self.keyring).await.map_err(DatabasesError::Keyring)
    }

    /// Starts the private server.
    async fn start(config: &Config) -> Result<Cluster, DatabasesError> {
        let dir = config.cluster_dir();
        std::fs::create_dir_all(&config.data_dir).map_err(|error| {
            DatabasesError::Folder(config.data_dir.display().to_string(), error)
        })?;
        let data = dir.join("data");
        let found = tokio::task::spawn_blocking(move || binaries::find(Some(&data))).await;
        let bin = found.map_err(DatabasesError::Search)??;
        Ok(Cluster::start(&bin, &dir, ClusterOptions::default()).await?)
    }

    fn of(cluster: Cluster) -> Result<Self, DatabasesError> {
        Self::private(&cluster.url(LOG), &cluster.url(KEYRING), Some(cluster))
    }

    fn private(log: &str, keyring: &str, cluster: Option<Cluster>) -> Result<Self, DatabasesError> {
        let log: DatabaseUrl = log.parse().map_err(PgError::from).map_err(DatabasesError::Log)?;
        let keyring = keyring.parse().map_err(PgError::from).map_err(DatabasesError::Keyring)?;
        Ok(Self { direct: log.clone(), log, keyring, cluster })
    }

    /// The same, but uses the private server of a running Lethe, if there is one.
    pub async fn reach(config: &Config) -> Result<Self, DatabasesError> {
        match Self::running(config) {
            Some(running) => running,
            None => Self::own(config).await,
        }
    }

    /// The databases as they are, for a command that creates nothing. A private server that does not run
    /// is started.
    pub async fn existing(config: &Config) -> Result<Self, DatabasesError> {
        let existing = Self::find(config).await?;
        let refused = async {
            existing.refuse_missing().await?;
            existing.refuse_mixed_up().await
        };
        let refused = refused.await;
        existing.or_close(refused).await
    }

    async fn or_close(self, refused: Result<(), DatabasesError>) -> Result<Self, DatabasesError> {
        if let Err(error) = refused {
            self.close().await;
            return Err(error);
        }
        Ok(self)
    }

    /// The same for a restore: the events' database may be missing, and what is before it; the keyring's, too, if it
    /// `makes_keyring`.
    pub async fn for_restore(config: &Config, makes_keyring: bool) -> Result<Self, DatabasesError> {
        let found = Self::find(config).await?;
        if let Err(two @ DatabasesError::TwoDatabases { .. }) = found.refuse_other_proxied().await {
            return found.or_close(Err(two)).await;
        }
        if makes_keyring || database_exists(&found.keyring).await.is_ok_and(|exists| exists) {
            return Ok(found);
        }
        let refused = found.refuse_missing().await;
        found.or_close(refused).await
    }

    async fn refuse_missing(&self) -> Result<(), DatabasesError> {
        let log = database_exists(&self.direct).await.map_err(DatabasesError::Log)?;
        let keyring = database_exists(&self.keyring).await.map_err(DatabasesError::Keyring)?;
        let (setting, url) = match (log, keyring) {
            (true, true) => return Ok(()),
            (false, _) => ("database_url", self.direct.to_string()),
            (true, false) => ("keyring_url", self.keyring.to_string()),
        };
        Err(DatabasesError::NoDatabase { setting, url })
    }

    /// Refuses a proxy to another database, and keys beside the events.
    async fn refuse_mixed_up(&self) -> Result<(), DatabasesError> {
        self.refuse_other_proxied().await?;
        if is_same_database(&self.direct, &self.keyring, false)
            .await
            .map_err(DatabasesError::Keyring)?
        {
            return Err(DatabasesError::SharedDatabase(self.keyring.to_string()));
        }
        Ok(())
    }

    async fn refuse_other_proxied(&self) -> Result<(), DatabasesError> {
        let Self { log, direct, .. } = self;
        if log != direct
            && !is_same_database(direct, log, true).await.map_err(DatabasesError::Log)?
        {
            let (log, direct) = (log.to_string(), direct.to_string());
            return Err(DatabasesError::TwoDatabases { log, direct });
        }
        Ok(())
    }

    async fn find(config: &Config) -> Result<Self, DatabasesError> {
        if let Some(found) = Self::named(config).map(Ok).or_else(|| Self::running(config)) {
            return found;
        }
        let dir = config.cluster_dir();
        if !dir.join("data").exists() {
            return Err(DatabasesError::NoData(dir));
        }
        Self::of(Self::start(config).await?)
    }

    /// Those of the private server of a Lethe that runs.
    fn running(config: &Config) -> Option<Result<Self, DatabasesError>> {
        if config.database_url.is_some() {
            return None;
        }
        let dir = config.cluster_dir();
        let (log, keyring) = running(&dir, LOG).zip(running(&dir, KEYRING))?;
        Some(Self::private(&log, &keyring, None))
    }

    fn named(config: &Config) -> Option<Self> {
        let log = config.database_url.as_ref()?;
        Some(Self {
            log: log.clone(),
            keyring: config.keyring_url.clone()?,
            direct: config.direct_url.as_ref().unwrap_or(log).clone(),
            cluster: None,
        })
    }

    /// What is wrong with the schemas of the two databases, and what to do.
    pub async fn schema_faults(&self) -> Result<Vec<String>, DatabasesError> {
        Ok(self.schemas().await?.iter().filter_map(|(name, schema)| fault(name, schema)).collect())
    }

    /// Refuses databases that were never migrated.
    pub async fn refuse_without_schema(&self) -> Result<(), DatabasesError> {
        let mut schemas = self.schemas().await?.into_iter();
        let missing = schemas.find(|(_, schema)| *schema == Schema::Missing);
        match missing.and_then(|(name, schema)| fault(name, &schema)) {
            Some(fault) => Err(DatabasesError::Schema(fault)),
            None => Ok(()),
        }
    }

    async fn schemas(&self) -> Result<[(&'static str, Schema); 2], DatabasesError> {
        let log = log_schema(&self.direct).await.map_err(DatabasesError::Log)?;
        let keyring = keyring_schema(&self.keyring).await.map_err(DatabasesError::Keyring)?;
        Ok([("the events' database", log), ("the keyring's database", keyring)])
    }

    /// Refuses databases whose schema is not the one of this programme.
    pub async fn check_schema(&self) -> Result<(), DatabasesError> {
        match self.schema_faults().await?.into_iter().next() {
            Some(fault) => Err(DatabasesError::Schema(fault)),
            None => Ok(()),
        }
    }

    /// Returns what was done in the events' database and in the keyring's. A migration that breaks
    /// nodes of an older version is refused while these run, before either database is changed,
    /// unless `force` is true.
    pub async fn migrate(&self, force: bool) -> Result<[Migrated; 2], DatabasesError> {
        relate(&self.direct, &self.keyring).await?;
        // Both locks first: while this waits for another process, an older node may start.
        let log = Migration::of_log(&self.direct).await.map_err(DatabasesError::Log)?;
        let keyring =
            Migration::of_keyring(&self.keyring).await.map_err(DatabasesError::Keyring)?;
        if !force {
            let allowed = refuse_to_break_nodes(&log, &keyring).await;
            allowed.map_err(DatabasesError::Breaking)?;
        }
        let log = log.run().await.map_err(DatabasesError::Log)?;
        failpoint!(LogMigrated);
        let keyring = keyring.run().await.map_err(DatabasesError::Keyring)?;
        Ok([log, keyring])
    }

    /// The same for the keyring's database alone, when no node runs.
    pub async fn migrate_keyring(&self) -> Result<Migrated, DatabasesError> {
        migrate_keyring(&self.keyring).await.map_err(DatabasesError::Keyring)
    }

    /// Resolves when the server that was started for them has ended.
    pub async fn ended(&self) {
        match &self.cluster {
            Some(cluster) => cluster.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Stops the server that was started for them.
    pub async fn close(self) {
        let Some(cluster) = self.cluster else { return };
        if let Err(error) = cluster.stop(Duration::from_secs(30)).await {
            tracing::error!(%error, "the private PostgreSQL did not stop in time");
        }
    }
}

fn fault(database: &str, schema: &Schema) -> Option<String> {
    match schema {
        Schema::Current => None,
        Schema::Missing => Some(format!(
            "{database} has no schema yet: run `lethe migrate`, or start `lethe serve`"
        )),
        Schema::Older { applied, known } => Some(format!(
            "{database} has schema {applied}, and this programme needs {known}: run `lethe migrate`"
        )),
        Schema::OlderFunctions(functions) => Some(format!(
            "{database} lacks functions of this programme, or has older ones ({}): \
             run `lethe migrate`",
            functions.join(", ")
        )),
        Schema::Newer { applied, known } => Some(format!(
            "{database} has schema {applied}, and this programme knows {known}: \
             use a newer programme"
        )),
    }
}
