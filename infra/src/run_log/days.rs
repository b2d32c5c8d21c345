//! A table for each day: created ahead, and dropped once the day's key is erased.

use std::sync::atomic::Ordering;

use chrono::{Datelike, Days, NaiveDate};

use super::{RunLogError, RunLogs};
use crate::statement::query_opt;

const MAKE: &str = "select working.create_run_log_partitions($1, $2)";
const DROP: &str = "select working.drop_run_log_partitions($1)";
const DAYS_AHEAD: u64 = 3;

impl RunLogs {
    /// Creates the tables of the next days, and drops those past the retention; returns how many were
    /// dropped. Call it at least daily, on any node.
    pub async fn retain(&self) -> Result<u64, RunLogError> {
        let today = self.today();
        self.make_days(today).await?;
        self.forget_usage(today).await?;
        // The same retention as the day's key.
        let row = query_opt(&self.0.pool, DROP, &[&self.kept_since()]).await?;
        let dropped = row.map_or(Ok(0), |row| row.try_get::<_, i64>(0));
        let dropped = dropped.map_err(|error| RunLogError::Database(error.into()))?;
        u64::try_from(dropped).map_err(|_| RunLogError::Number)
    }

    /// Creates the table of a day unless it is known to exist.
    pub(super) async fn ensure_day(&self, day: NaiveDate) -> Result<(), RunLogError> {
        if self.0.made_until.load(Ordering::Relaxed) >= day.num_days_from_ce() {
            return Ok(());
        }
        self.make_days(day).await
    }

    async fn make_days(&self, since: NaiveDate) -> Result<(), RunLogError> {
        let until = since.checked_add_days(Days::new(DAYS_AHEAD)).ok_or(RunLogError::Number)?;
        query_opt(&self.0.pool, MAKE, &[&since, &until]).await?;
        self.0.made_until.fetch_max(until.num_days_from_ce(), Ordering::Relaxed);
        Ok(())
    }
}
