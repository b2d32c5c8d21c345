//! The tables of the keyring that are copied.

use crate::postgres::GenericClient;

use super::super::KeyringError;

const LIST_ALL: &str = include_str!("sql/list_all.sql");
const LIST_CHANGES: &str = include_str!("sql/list_changes.sql");
const FORGET_AHEAD: &str = include_str!("sql/forget_ahead.sql");
const HAS_CHANGES: &str = include_str!("sql/has_changes.sql");
/// Files of this migration and later ones have all that a row needs. A column that is added to a copied table is
/// null in the rows of older files: raise this if it must not be.
pub(super) const OLDEST_SCHEMA: i32 = 9;
/// Rows of one statement and of one frame.
const PAGE: i64 = 1_000;

pub(super) const KEYS: &str = "keys";

/// A table of the schema `keyring`. The list of invalidations is not copied: it is for the memory of
/// nodes that run, and none does during a restore.
pub(super) struct CopiedTable {
    pub name: &'static str,
    /// The columns of its primary key.
    key: &'static str,
    /// A row before every other.
    first: &'static str,
    pub merge: &'static str,
}

/// In the order in which they are read: the shard key of a key that was read is read after it. A restore merges the
/// keys last.
pub(super) const TABLES: [CopiedTable; 5] = [
    CopiedTable {
        name: "roots",
        key: "root_id",
        first: r#"{"changed_by":"0","root_id":-9223372036854775808}"#,
        merge: include_str!("sql/merge_roots.sql"),
    },
    CopiedTable {
        name: "erasures",
        key: "subject, requested_at",
        first: r#"{"changed_by":"0","subject":"00000000-0000-0000-0000-000000000000",
            "requested_at":"-infinity"}"#,
        merge: include_str!("sql/merge_erasures.sql"),
    },
    CopiedTable {
        name: "email_generations",
        key: "generation",
        first: r#"{"changed_by":"0","generation":-9223372036854775808}"#,
        merge: include_str!("sql/merge_email_generations.sql"),
    },
    CopiedTable {
        name: KEYS,
        key: "kind, subject, class, number",
        first: r#"{"changed_by":"0","kind":"","subject":"00000000-0000-0000-0000-000000000000",
            "class":-32768,"number":-9223372036854775808}"#,
        merge: include_str!("sql/merge_keys.sql"),
    },
    CopiedTable {
        name: "shards",
        key: "generation",
        first: r#"{"changed_by":"0","generation":"00000000-0000-0000-0000-000000000000"}"#,
        merge: include_str!("sql/merge_shards.sql"),
    },
];

impl CopiedTable {
    pub fn find(name: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.name == name)
    }

    /// The rows after a row, as JSON, a page at most: all of them, or what `since` does not show.
    pub async fn page(
        &self,
        client: &impl GenericClient,
        after: Option<&str>,
        since: Option<&str>,
    ) -> Result<Page, KeyringError> {
        let after = after.unwrap_or(self.first);
        let rows = match since {
            None => client.query(&self.of(LIST_ALL), &[&after, &PAGE]).await?,
            Some(since) => client.query(&self.of(LIST_CHANGES), &[&after, &PAGE, &since]).await?,
        };
        let rows: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let is_last = i64::try_from(rows.len()).is_ok_and(|count| count < PAGE);
        Ok(Page { rows, is_last })
    }

    fn of(&self, statement: &str) -> String {
        statement.replace("{table}", self.name).replace("{key}", self.key)
    }
}

pub(super) struct Page {
    pub rows: Vec<String>,
    pub is_last: bool,
}

/// Rows that say to be of a later transaction than any so far: the database had another server. They
/// would count as changed for years. Call it before a base, which has every row.
pub(super) async fn forget_ahead(client: &impl GenericClient) -> Result<(), KeyringError> {
    for table in &TABLES {
        while client.execute(&table.of(FORGET_AHEAD), &[]).await? > 0 {}
    }
    Ok(())
}

/// Whether any table has a row that the snapshot does not show.
pub(super) async fn have_changed(
    client: &impl GenericClient,
    since: &str,
) -> Result<bool, KeyringError> {
    let has_changes = client.prepare_cached(HAS_CHANGES).await?;
    Ok(client.query_one(&has_changes, &[&since]).await?.try_get(0)?)
}
