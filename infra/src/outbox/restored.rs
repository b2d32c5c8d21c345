//! Mails after a restore of the log: whether they have gone since is not known.

use crate::postgres::Transaction;
use domain::EventId;

use super::Outbox;
use crate::postgres::PgError;
use crate::statement::execute;

const GIVE_UP_ALL: &str = include_str!("give_up_all.sql");
const GIVE_UP: &str = "update working.outbox set state = 'unknown', finished_at = $2, \
    trouble = $3 where cause = $1 and state = 'queued'";
const GIVE_UP_AT_ONCE: i64 = 1000;

impl Outbox {
    /// The mails of a cause that was read again after a restore of the log, or after a failover, may have
    /// gone before: they are unknown, and not sent. `why` is a sentence without values. In the reader's
    /// transaction.
    pub async fn give_up(
        &self,
        tx: &Transaction<'_>,
        cause: EventId,
        why: &str,
    ) -> Result<u64, PgError> {
        Ok(tx.execute(GIVE_UP, &[&cause.0, &self.clock.now(), &why]).await?)
    }

    /// The same of every mail that is not finished: after a restore of the log. Returns how many.
    pub async fn give_up_all(&self) -> Result<u64, PgError> {
        let mut unknown = 0;
        loop {
            let now = self.clock.now();
            match execute(&self.pool, GIVE_UP_ALL, &[&now, &GIVE_UP_AT_ONCE]).await? {
                0 => return Ok(unknown),
                some => unknown += some,
            }
        }
    }
}
