//! Erases accounts whose address nobody has verified: a notice by mail comes first, and a week later the request.

use chrono::{DateTime, TimeDelta, Utc};
use domain::account::{Account, LiveAccount};
use domain::log::LOG;
use domain::{AccountId, ActorId, CommandId, EventId};
use infra::event_store::{ExecuteError, LoadError, Request};
use infra::ids::hashed;
use infra::keyring::KeyringError;
use infra::log::{Feed, FeedError, Recorded};
use infra::outbox::{MailKind, MailRequest};
use infra::postgres::PgError;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::operations::erase_account::request_of_unverified;
use crate::operations::owners::{OwnersError, check_nobody_depends};
use crate::operations::request_erasure::RequestErasureError;
use crate::wiring::App;

const UNVERIFIED: &str = include_str!("unverified.sql");
/// In the trail: Lethe itself, since nobody has verified the address. No person and no token has this id.
pub(super) const UNVERIFIED_ACCOUNTS: ActorId =
    ActorId(Uuid::from_u128(0x8000_8000_0000_0000_0002));
/// From the notice to the request. An attempt to give one that failed is followed by another after as long.
const NOTICE: TimeDelta = TimeDelta::days(7);
/// After so many that failed the address takes no mail, and nobody will verify it.
const NOTICES_MAX: i64 = 3;
/// Notices and requests of a turn. Not more erasures than these wait because of it.
pub(super) const AT_A_TURN: i64 = 10;
const AT_ONCE: i64 = 256;

#[derive(Debug, thiserror::Error)]
pub(super) enum UnverifiedError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Request(#[from] RequestErasureError),
}

impl UnverifiedError {
    /// The account stays as it should: others depend on it, or something has happened to it since it was listed.
    const fn keeps(&self) -> bool {
        matches!(
            self,
            Self::Request(
                RequestErasureError::Owners(OwnersError::OwnsWorkspaces | OwnersError::OwnsTooMany)
                    | RequestErasureError::InProgress { .. }
                    | RequestErasureError::Execute(
                        ExecuteError::Refused(_)
                            | ExecuteError::Stale { .. }
                            | ExecuteError::Fenced
                    )
            )
        )
    }

    /// Whether it is about one account; all others can go on.
    const fn is_of_account(&self) -> bool {
        match self {
            Self::Load(error)
            | Self::Request(RequestErasureError::Owners(OwnersError::Load(error))) => {
                error.is_of_stream()
            }
            Self::Request(RequestErasureError::Execute(error)) => error.is_of_stream(),
            Self::Request(RequestErasureError::Earlier(_)) => true,
            Self::Postgres(_) | Self::Keyring(_) | Self::Feed(_) | Self::Request(_) => false,
        }
    }
}

/// An account that nobody has used for long enough.
struct UnverifiedRow {
    account: AccountId,
    version: i64,
    used_at: DateTime<Utc>,
    /// When the period began whose notices count.
    begins: DateTime<Utc>,
    notices: i64,
    is_sent: bool,
    /// A notice, or the request.
    is_due: bool,
}

/// What was done about an account.
#[derive(Clone, Copy)]
enum Turn {
    Noticed,
    Requested,
    Failed,
    Stays,
}

/// Gives the notices that are due, and requests the erasures whose notice is over, those that were unused for longest
/// first. None while as many erasures wait as a turn requests: the eraser goes on with what people have requested.
pub(super) async fn erase_unverified(app: App) -> Result<(), UnverifiedError> {
    let days = app.config.unverified_accounts_days;
    if days == 0 {
        return Ok(());
    }
    let now = app.clock.now();
    let waiting = app.keyring.ledger.due(now, AT_A_TURN, 0).await?;
    let mut left = AT_A_TURN - i64::try_from(waiting.len()).unwrap_or(AT_A_TURN);
    let of = (now - TimeDelta::days(days.into()), restored_at(&app).await?);
    let mut after = (DateTime::UNIX_EPOCH, Uuid::nil());
    while left > 0 {
        let page = list(&app, of, after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = (last.used_at, last.account.0);
        for row in page.iter().filter(|row| row.is_due) {
            if left == 0 {
                break;
            }
            let turn = row.take_turn(&app).await?;
            left -= i64::from(matches!(turn, Turn::Noticed | Turn::Requested));
        }
    }
    Ok(())
}

/// When the log was restored last. What has happened to an account may have been lost by that, a verification too.
async fn restored_at(app: &App) -> Result<Option<DateTime<Utc>>, UnverifiedError> {
    let client = app.pool.get().await.map_err(PgError::from)?;
    let types: &[&str] = &["log.restored"];
    let restores = Feed::newest_of(&client, (LOG, types), 0..i64::MAX, 1).await?;
    Ok(restores.first().map(Recorded::recorded_at))
}

/// A page of those that were unused for longest, from the first after the account that was used last at `used_at`.
async fn list(
    app: &App,
    (since, restored_at): (DateTime<Utc>, Option<DateTime<Utc>>),
    (used_at, account): (DateTime<Utc>, Uuid),
) -> Result<Vec<UnverifiedRow>, PgError> {
    let kind = MailKind::AccountUnverified.as_str();
    let over = app.clock.now() - NOTICE;
    let client = app.pool.get().await?;
    let rows = client
        .query(UNVERIFIED, &[&since, &restored_at, &over, &kind, &used_at, &account, &AT_ONCE])
        .await;
    let rows = match rows {
        // The projection has not created its table yet.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(vec![]),
        rows => rows?,
    };
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<UnverifiedRow, PgError> {
    Ok(UnverifiedRow {
        account: AccountId(row.try_get("account_id")?),
        version: row.try_get("version")?,
        used_at: row.try_get("unverified_used_at")?,
        begins: row.try_get("begins")?,
        notices: row.try_get("number")?,
        is_sent: row.try_get("is_sent")?,
        is_due: row.try_get("is_due")?,
    })
}

impl UnverifiedRow {
    async fn take_turn(&self, app: &App) -> Result<Turn, UnverifiedError> {
        let account = self.account;
        let turn = match self.act(app).await {
            Err(error) if error.keeps() => {
                tracing::debug!(%account, %error, "an account whose address nobody has verified stays");
                Turn::Stays
            }
            Err(error) if error.is_of_account() => {
                tracing::warn!(%account, %error, "an account whose address nobody has verified stays for now: the next turn tries it again");
                Turn::Failed
            }
            turn => turn?,
        };
        let outcome = match turn {
            Turn::Noticed => "noticed",
            Turn::Requested => "requested",
            Turn::Failed => "failed",
            Turn::Stays => return Ok(turn),
        };
        app.metrics.unverified_accounts.with_label_values(&[outcome]).inc();
        Ok(turn)
    }

    async fn act(&self, app: &App) -> Result<Turn, UnverifiedError> {
        let loaded = app.executor.load::<Account>(self.account.into(), self.account.0).await?;
        let Account::Live(live) = &*loaded.state else { return Ok(Turn::Stays) };
        // What the projection has not come to may be a verification, or a sign-in.
        if live.email_verified || loaded.version != self.version {
            return Ok(Turn::Stays);
        }
        if self.is_sent || self.notices >= NOTICES_MAX {
            self.request(app, live).await
        } else {
            self.give_notice(app, live).await
        }
    }

    async fn give_notice(&self, app: &App, live: &LiveAccount) -> Result<Turn, UnverifiedError> {
        let account = self.account;
        check_nobody_depends(app, account).await.map_err(RequestErasureError::from)?;
        let Some(address) = live.email.sealed().cloned() else { return Ok(Turn::Stays) };
        let notice = MailRequest {
            cause: EventId(self.id(b"notice")),
            kind: MailKind::AccountUnverified,
            tenant: account.into(),
            subject: account.into(),
            address,
            reference: None,
            until: Some(app.clock.now() + NOTICE + grace(app)),
        };
        let mut client = app.pool.get().await.map_err(PgError::from)?;
        let tx = client.transaction().await.map_err(PgError::from)?;
        app.outbox.put(&tx, &notice).await?;
        tx.commit().await.map_err(PgError::from)?;
        Ok(Turn::Noticed)
    }

    async fn request(&self, app: &App, live: &LiveAccount) -> Result<Turn, UnverifiedError> {
        let account = self.account;
        let request = Request {
            actor: Some(UNVERIFIED_ACCOUNTS),
            ..Request::new(account.into(), CommandId(self.id(b"request")))
        };
        let of = (live, self.version);
        let requests = request_of_unverified(app, account, of, grace(app), &request);
        Box::pin(requests).await?;
        tracing::info!(%account, "the erasure of an account was requested: nobody has verified its address");
        Ok(Turn::Requested)
    }

    /// Of two nodes that do the same at once, one does it.
    fn id(&self, what: &[u8]) -> Uuid {
        let (begins, notices) = (self.begins.timestamp_micros(), self.notices);
        hashed(&[
            b"account.unverified",
            what,
            self.account.0.as_bytes(),
            &begins.to_be_bytes(),
            &notices.to_be_bytes(),
        ])
    }
}

/// The notice was the time to think it over: no more than the settings ask of every request.
fn grace(app: &App) -> TimeDelta {
    TimeDelta::days(app.config.erasure_grace_days_min.into())
}
