//! The two databases: of a private server, or of the one that the settings name.

use std::path::PathBuf;
use std::time::Duration;

use infra::failpoint;
use infra::postgres::{
    Cluster, ClusterError, ClusterOptions, ConnectOptions, Migrated, Migration, PgError, Schema,
    binaries, connect_one, keyring_schema, log_schema, refuse_to_break_nodes, running,
};

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
    #[error("the databases are not migrated: {0}")]
    Breaking(PgError),
    #[error("the events' database: {0}")]
    Log(PgError),
    #[error("the keyring's database: {0}")]
    Keyring(PgError),
    #[error("{0}")]
    Schema(String),
    #[error(
        "there are no databases in {} yet: run `lethe migrate`, or start `lethe serve`",
        .0.display()
    )]
    NoData(PathBuf),
    #[error("the folder {0} cannot be made: {1}")]
    Folder(String, std::io::Error),
    #[error("the search for PostgreSQL's binaries ended: {0}")]
    Search(tokio::task::JoinError),
}

impl Databases {
    /// The databases of the settings, else those of a private server, which is started.
    pub async fn own(config: &Config) -> Result<Self, DatabasesError> {
        if let Some(named) = Self::named(config) {
            create(&named.direct).await.map_err(DatabasesError::Log)?;
            create(&named.keyring).await.map_err(DatabasesError::Keyring)?;
            return Ok(named);
        }
        let cluster = Self::start(config).await?;
        cluster.create_database(LOG).await.map_err(DatabasesError::Log)?;
        cluster.create_database(KEYRING).await.map_err(DatabasesError::Keyring)?;
        Ok(Self::of(cluster))
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

    fn of(cluster: Cluster) -> Self {
        let log = cluster.url(LOG);
        Self { direct: log.clone(), log, keyring: cluster.url(KEYRING), cluster: Some(cluster) }
    }

    /// The same, but uses the private server of a running Lethe, if there is one.
    pub async fn reach(config: &Config) -> Result<Self, DatabasesError> {
        match Self::running(config) {
            Some(running) => Ok(running),
            None => Self::own(config).await,
        }
    }

    /// The databases as they are, for a command that creates and migrates nothing. A private
    /// server that does not run is started.
    pub async fn existing(config: &Config) -> Result<Self, DatabasesError> {
        if let Some(existing) = Self::named(config).or_else(|| Self::running(config)) {
            return Ok(existing);
        }
        let dir = config.cluster_dir();
        if !dir.join("data").exists() {
            return Err(DatabasesError::NoData(dir));
        }
        Ok(Self::of(Self::start(config).await?))
    }

    /// Those of the private server of a Lethe that runs.
    fn running(config: &Config) -> Option<Self> {
        if config.database_url.is_some() {
            return None;
        }
        let dir = config.cluster_dir();
        let (log, keyring) = running(&dir, LOG).zip(running(&dir, KEYRING))?;
        Some(Self { direct: log.clone(), log, keyring, cluster: None })
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

    /// What is wrong with the schemas of the two databases, and what to do.
    pub async fn schema_faults(&self) -> Result<Vec<String>, DatabasesError> {
        let log = log_schema(&self.direct).await.map_err(DatabasesError::Log)?;
        let keyring = keyring_schema(&self.keyring).await.map_err(DatabasesError::Keyring)?;
        let faults = [("the events' database", log), ("the keyring's database", keyring)];
        Ok(faults.iter().filter_map(|(name, schema)| fault(name, schema)).collect())
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

/// Creates the database of `url` if it does not exist.
async fn create(url: &str) -> Result<(), PgError> {
    let options = ConnectOptions::default();
    let missing = match connect_one(url, &options).await {
        Ok(_) => return Ok(()),
        Err(missing @ PgError::NoDatabase(_)) => missing,
        Err(error) => return Err(error),
    };
    let parsed: tokio_postgres::Config = url.parse().map_err(|_| PgError::Url)?;
    let name = parsed.get_dbname().ok_or(missing)?.replace('"', "\"\"");
    let admin = connect_one(&with_database(url, "postgres"), &options).await?;
    admin.batch_execute(&format!("create database \"{name}\"")).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_support::databases;

    /// A database that is there and refuses the login role is not one that is missing, whatever
    /// stands in the text of the error.
    #[tokio::test]
    async fn a_database_that_refuses_a_role_is_not_created() {
        let databases = databases().await.unwrap();
        let admin = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
        let prepare = r#"create database "refusing_3D000""#;
        admin.batch_execute(prepare).await.unwrap();
        let refuse = r#"create role visitor login;
            revoke connect on database "refusing_3D000" from public"#;
        admin.batch_execute(refuse).await.unwrap();
        let url = format!("{} user=visitor dbname='refusing_3D000'", databases.log_url);

        let refused = create(&url).await.unwrap_err().to_string();

        assert!(refused.contains("permission denied for database"), "{refused}");
    }

    /// What is left of the history of migrations is that of the older version: enough to ask, not
    /// enough to migrate.
    #[tokio::test]
    async fn a_breaking_migration_is_refused_while_a_node_runs_unless_it_is_forced() {
        let pair = databases().await.unwrap();
        let log = connect_one(&pair.log_url, &ConnectOptions::default()).await.unwrap();
        let older = "delete from refinery_schema_history where version >= 9;
            insert into working.nodes (node, part, serves, lease_until)
            values ('00000000-0000-0000-0000-00000000000b', 'readers', '{}', 'infinity')";
        log.batch_execute(older).await.unwrap();
        let (log, keyring) = (pair.log_url.clone(), pair.keyring_url.clone());
        let databases = Databases { direct: log.clone(), log, keyring, cluster: None };

        let refused = databases.migrate(false).await.unwrap_err().to_string();
        let forced = databases.migrate(true).await.unwrap_err();

        let start = "the databases are not migrated: V9__plain_words, V11__cluster would break";
        assert!(refused.starts_with(start), "{refused}");
        assert!(refused.contains("node 00000000-0000-0000-0000-00000000000b"), "{refused}");
        // It has begun: the tables of V9 are there already.
        assert!(matches!(forced, DatabasesError::Log(PgError::Migration(_))), "{forced}");
    }

    /// Another process migrates meanwhile, or an operator holds the lock.
    #[tokio::test]
    async fn a_node_that_starts_while_a_migration_waits_for_its_turn_is_seen() {
        let pair = databases().await.unwrap();
        let log = connect_one(&pair.log_url, &ConnectOptions::default()).await.unwrap();
        let lock = "delete from refinery_schema_history where version >= 9;
            select pg_advisory_lock(hashtextextended('lethe.migrate', 0))";
        log.batch_execute(lock).await.unwrap();
        let (url, keyring) = (pair.log_url.clone(), pair.keyring_url.clone());
        let databases = Databases { direct: url.clone(), log: url, keyring, cluster: None };
        let migrating = tokio::spawn(async move { databases.migrate(false).await });
        test_support::until("the migration waits", async || {
            let waits = "select exists (select from pg_locks join pg_database d on d.oid = database
                where locktype = 'advisory' and not granted and datname = current_database())";
            log.query_one(waits, &[]).await.unwrap().get::<_, bool>(0)
        })
        .await;

        let start = "insert into working.nodes (node, part, serves, lease_until)
            values ('00000000-0000-0000-0000-00000000000b', 'readers', '{}', 'infinity');
            select pg_advisory_unlock(hashtextextended('lethe.migrate', 0))";
        log.batch_execute(start).await.unwrap();

        let refused = migrating.await.unwrap().unwrap_err().to_string();
        assert!(refused.contains("node 00000000-0000-0000-0000-00000000000b"), "{refused}");
    }

    #[tokio::test]
    async fn a_database_that_is_missing_is_created() {
        let databases = databases().await.unwrap();
        let url = format!("{} dbname='made_by_create'", databases.log_url);

        create(&url).await.unwrap();

        connect_one(&url, &ConnectOptions::default()).await.unwrap();
    }
}
