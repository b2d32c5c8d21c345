//! The two databases: of a private server, or of the one that the settings name.

use infra::postgres::{
    Cluster, ClusterError, ClusterOptions, ConnectOptions, Migrated, PgError, binaries,
    connect_one, migrate_keyring, migrate_log, running,
};
use std::time::Duration;

use crate::config::{Config, with_database};

pub const LOG: &str = "lethe";
pub const KEYRING: &str = "lethe_keys";

/// The URLs of the databases, and the server that was started for them.
#[derive(Debug)]
pub struct Databases {
    pub log: String,
    pub keyring: String,
    /// The events' database without a pooling proxy.
    pub direct: String,
    pub cluster: Option<Cluster>,
}

#[derive(Debug, thiserror::Error)]
pub enum DatabasesError {
    #[error(transparent)]
    Binaries(#[from] binaries::BinariesError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("the events' database: {0}")]
    Log(PgError),
    #[error("the keyring's database: {0}")]
    Keyring(PgError),
    #[error("{0}: {1}")]
    Folder(String, std::io::Error),
}

impl Databases {
    /// The databases of the settings, else those of a private server, which is started.
    pub async fn own(config: &Config) -> Result<Self, DatabasesError> {
        if let Some(named) = Self::named(config) {
            create(&named.direct).await.map_err(DatabasesError::Log)?;
            create(&named.keyring).await.map_err(DatabasesError::Keyring)?;
            return Ok(named);
        }
        let dir = config.cluster_dir();
        std::fs::create_dir_all(&config.data_dir).map_err(|error| {
            DatabasesError::Folder(config.data_dir.display().to_string(), error)
        })?;
        let data = dir.join("data");
        let found = tokio::task::spawn_blocking(move || binaries::find(Some(&data))).await;
        let bin = found.map_err(|error| {
            DatabasesError::Folder("postgres".to_owned(), std::io::Error::other(error))
        })??;
        let cluster = Cluster::start(&bin, &dir, ClusterOptions::default()).await?;
        cluster.create_database(LOG).await.map_err(DatabasesError::Log)?;
        cluster.create_database(KEYRING).await.map_err(DatabasesError::Keyring)?;
        let log = cluster.url(LOG);
        Ok(Self { direct: log.clone(), log, keyring: cluster.url(KEYRING), cluster: Some(cluster) })
    }

    /// The same, but uses the private server of a running Lethe, if there is one.
    pub async fn reach(config: &Config) -> Result<Self, DatabasesError> {
        let dir = config.cluster_dir();
        let running = running(&dir, LOG).zip(running(&dir, KEYRING));
        match (config.database_url.is_none(), running) {
            (true, Some((log, keyring))) => {
                Ok(Self { direct: log.clone(), log, keyring, cluster: None })
            }
            _ => Self::own(config).await,
        }
    }

    fn named(config: &Config) -> Option<Self> {
        let log = config.database_url.as_ref()?;
        Some(Self {
            log: log.expose().to_owned(),
            keyring: config.keyring_url.as_ref()?.expose().to_owned(),
            direct: config.direct_url.as_ref().unwrap_or(log).expose().to_owned(),
            cluster: None,
        })
    }

    /// Returns what was done in the events' database and in the keyring's.
    pub async fn migrate(&self) -> Result<[Migrated; 2], DatabasesError> {
        let log = migrate_log(&self.direct).await.map_err(DatabasesError::Log)?;
        let keyring = migrate_keyring(&self.keyring).await.map_err(DatabasesError::Keyring)?;
        Ok([log, keyring])
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

/// Creates the database of `url` if it does not exist.
async fn create(url: &str) -> Result<(), PgError> {
    let options = ConnectOptions::default();
    let missing = match connect_one(url, &options).await {
        Ok(_) => return Ok(()),
        // 3D000 is invalid_catalog_name.
        Err(PgError::Database(text)) if text.contains("3D000") => PgError::Database(text),
        Err(error) => return Err(error),
    };
    let parsed: tokio_postgres::Config = url.parse().map_err(|_| PgError::Url)?;
    let name = parsed.get_dbname().ok_or(missing)?.replace('"', "\"\"");
    let admin = connect_one(&with_database(url, "postgres"), &options).await?;
    admin.batch_execute(&format!("create database \"{name}\"")).await?;
    Ok(())
}
