use domain::session::SessionKind;
use secrecy::ExposeSecret;

use super::*;
use crate::ids::Ids;
use crate::postgres::{ConnectOptions, connect};
use test_support::{Databases, databases};

struct Harness {
    _databases: Databases,
    clock: Clock,
    pool: Pool,
    sessions: Sessions,
}

async fn given() -> Harness {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let sessions = Sessions::new(pool.clone(), clock.clone());
    Harness { _databases: databases, clock, pool, sessions }
}

impl Harness {
    async fn opened(&self, account: AccountId) -> (SessionId, String) {
        let token = Sessions::draw_token().unwrap();
        let opening = NewSession {
            session: SessionId(Ids::system().uuid()),
            account,
            account_version: 1,
            kind: SessionKind::Client,
            token: token.hash,
            idle: TimeDelta::minutes(60),
            absolute: TimeDelta::days(30),
        };
        assert!(self.sessions.open(&opening).await.unwrap());
        (opening.session, token.secret.expose_secret().to_owned())
    }

    /// Another node: its cache is its own.
    fn node(&self) -> Sessions {
        Sessions::new(self.pool.clone(), self.clock.clone())
    }
}

fn somebody() -> AccountId {
    AccountId(Ids::system().uuid())
}

#[tokio::test]
async fn a_token_finds_its_session_and_nothing_else_does() {
    let given = given().await;
    let account = somebody();
    let (session, token) = given.opened(account).await;

    let live = given.sessions.find(&token).await.unwrap().unwrap();

    assert_eq!((live.session, live.account, live.kind), (session, account, SessionKind::Client));
    let other = Sessions::draw_token().unwrap();
    let other = other.secret.expose_secret();
    assert!(token.starts_with("ls_") && token.len() == 46);
    for wrong in [other, "", "ls_", "lo_x", &token[..token.len() - 1], &token[3..]] {
        assert_eq!(given.sessions.find(wrong).await.unwrap(), None);
    }
}

#[tokio::test]
async fn only_the_hash_of_a_token_is_kept() {
    let given = given().await;
    let (_, token) = given.opened(somebody()).await;

    let row = "select row_to_json(s)::text from working.sessions s";
    let row: String = given.pool.get().await.unwrap().query_one(row, &[]).await.unwrap().get(0);

    assert!(!row.contains(&token) && !row.contains(&token[3..]));
}

#[tokio::test]
async fn a_row_that_was_left_behind_is_taken_over_and_no_other() {
    let given = given().await;
    let account = somebody();
    let (session, old) = given.opened(account).await;
    let token = Sessions::draw_token().unwrap();
    let opening = |account| NewSession {
        session,
        account,
        account_version: 2,
        kind: SessionKind::Browser,
        token: token.hash,
        idle: TimeDelta::minutes(60),
        absolute: TimeDelta::days(30),
    };
    let now = given.clock.now();
    let after = now + TimeDelta::seconds(1);

    assert!(!given.sessions.take_over(&opening(account), now).await.unwrap(), "it is young");
    assert!(!given.sessions.take_over(&opening(somebody()), after).await.unwrap());
    assert!(given.node().find(&old).await.unwrap().is_some());
    assert!(given.sessions.take_over(&opening(account), after).await.unwrap());

    assert_eq!(given.node().find(&old).await.unwrap(), None);
    let live = given.node().find(token.secret.expose_secret()).await.unwrap().unwrap();
    assert_eq!((live.session, live.kind), (session, SessionKind::Browser));
}

#[tokio::test]
async fn a_session_that_is_opened_again_keeps_its_token() {
    let given = given().await;
    let account = somebody();
    let (session, token) = given.opened(account).await;
    let again = NewSession {
        session,
        account,
        account_version: 1,
        kind: SessionKind::Client,
        token: Sessions::draw_token().unwrap().hash,
        idle: TimeDelta::minutes(60),
        absolute: TimeDelta::days(30),
    };

    assert!(!given.sessions.open(&again).await.unwrap());

    assert!(given.node().find(&token).await.unwrap().is_some());
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used() {
    let given = given().await;
    let (_, token) = given.opened(somebody()).await;

    given.clock.advance(TimeDelta::minutes(59));
    assert!(given.node().find(&token).await.unwrap().is_some());
    given.clock.advance(TimeDelta::minutes(59));
    assert!(given.node().find(&token).await.unwrap().is_some());
    given.clock.advance(TimeDelta::minutes(60));

    assert_eq!(given.node().find(&token).await.unwrap(), None);
}

#[tokio::test]
async fn a_session_ends_however_much_it_is_used() {
    let given = given().await;
    let (_, token) = given.opened(somebody()).await;

    for _ in 0..(30 * 24 * 2 - 1) {
        given.clock.advance(TimeDelta::minutes(30));
        assert!(given.node().find(&token).await.unwrap().is_some());
    }
    given.clock.advance(TimeDelta::minutes(30));

    assert_eq!(given.node().find(&token).await.unwrap(), None);
}

#[tokio::test]
async fn a_cached_answer_does_not_outlive_the_session() {
    let given = given().await;
    let (_, token) = given.opened(somebody()).await;
    assert!(given.sessions.find(&token).await.unwrap().is_some());

    given.clock.advance(TimeDelta::minutes(60));

    assert_eq!(given.sessions.find(&token).await.unwrap(), None);
}

#[tokio::test]
async fn a_closed_session_is_refused_within_a_second_on_every_node() {
    let given = given().await;
    let (session, token) = given.opened(somebody()).await;
    let other = given.node();
    assert!(given.sessions.find(&token).await.unwrap().is_some());
    assert!(other.find(&token).await.unwrap().is_some());

    let closed_at = Instant::now();
    assert!(given.sessions.close(session, CloseReason::SignedOut).await.unwrap());

    assert_eq!(given.sessions.find(&token).await.unwrap(), None);
    loop {
        let asked_after = closed_at.elapsed();
        if other.find(&token).await.unwrap().is_none() {
            break;
        }
        assert!(asked_after.as_millis() < 1000);
        tokio::task::yield_now().await;
    }
    assert!(!given.sessions.close(session, CloseReason::SignedOut).await.unwrap());
}

/// A row stands before its opening event does.
#[tokio::test]
async fn an_event_that_a_sign_in_has_seen_does_not_close_its_session() {
    let given = given().await;
    let account = somebody();
    let (session, token) = given.opened(account).await;
    let close = async |version| {
        let (by, reason) = (ClosedBy { position: 9, version }, CloseReason::PasswordChanged);
        given.sessions.close_opened(account, None, reason, None, by).await.unwrap()
    };

    assert_eq!(close(1).await, []);

    assert!(given.sessions.find(&token).await.unwrap().is_some());
    assert_eq!(close(2).await, [session]);
    assert_eq!(given.sessions.find(&token).await.unwrap(), None);
}

#[tokio::test]
async fn all_sessions_of_an_account_close_but_the_one_that_asked() {
    let given = given().await;
    let account = somebody();
    let (first, first_token) = given.opened(account).await;
    let (asking, asking_token) = given.opened(account).await;
    let (_, stranger_token) = given.opened(somebody()).await;
    let cause = Some(EventId(Ids::system().uuid()));
    let reason = CloseReason::PasswordChanged;

    let closed = given.sessions.close_all(account, Some(asking), reason, cause).await.unwrap();

    assert_eq!(closed, [first]);
    let closings = given.sessions.closings(given.clock.now(), 10).await.unwrap();
    assert_eq!(
        closings,
        [Closing { session: first, account, reason, cause, closed_at: given.clock.now() }]
    );
    assert_eq!(given.sessions.find(&first_token).await.unwrap(), None);
    assert!(given.sessions.find(&asking_token).await.unwrap().is_some());
    assert!(given.sessions.find(&stranger_token).await.unwrap().is_some());
    given.sessions.closed(&closed).await.unwrap();
    assert_eq!(given.sessions.closings(given.clock.now(), 10).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_over_is_closed_with_its_reason() {
    let given = given().await;
    let (idle, _) = given.opened(somebody()).await;
    given.clock.advance(TimeDelta::minutes(60));
    let (_, token) = given.opened(somebody()).await;

    assert_eq!(given.sessions.close_expired(10).await.unwrap(), 1);

    let closings = given.sessions.closings(given.clock.now(), 10).await.unwrap();
    assert_eq!(closings.len(), 1);
    assert_eq!((closings[0].session, closings[0].reason), (idle, CloseReason::Idle));
    assert!(given.sessions.find(&token).await.unwrap().is_some());
}

#[tokio::test]
async fn a_fenced_person_has_no_session_and_opens_none() {
    let given = given().await;
    let account = somebody();
    let (_, token) = given.opened(account).await;
    let client = given.pool.get().await.unwrap();
    client.execute("select event_log.fence($1, '{}')", &[&account.0]).await.unwrap();

    assert_eq!(given.sessions.find(&token).await.unwrap(), None);
    let opening = NewSession {
        session: SessionId(Ids::system().uuid()),
        account,
        account_version: 1,
        kind: SessionKind::Browser,
        token: Sessions::draw_token().unwrap().hash,
        idle: TimeDelta::minutes(1),
        absolute: TimeDelta::minutes(1),
    };
    assert!(!given.sessions.open(&opening).await.unwrap());
}

#[tokio::test]
async fn after_a_restore_nobody_is_signed_in_and_the_ends_are_still_to_be_appended() {
    let given = given().await;
    let mut tokens = vec![];
    for _ in 0..3 {
        tokens.push(given.opened(somebody()).await.1);
    }

    assert_eq!(given.sessions.end_all().await.unwrap(), 3);

    for token in &tokens {
        assert_eq!(given.sessions.find(token).await.unwrap(), None);
    }
    let closings = given.sessions.closings(given.clock.now(), 10).await.unwrap();
    assert_eq!(closings.len(), 3);
    assert_eq!(given.sessions.end_all().await.unwrap(), 0);
}

#[tokio::test]
async fn after_a_restore_all_of_many_sessions_are_ended() {
    let given = given().await;
    let fill = "insert into working.sessions
          (token_hash, session_id, account_id, kind, opened_at, last_used_at, idle_seconds, idle_until,
            absolute_until)
        select sha256(n::text::bytea), gen_random_uuid(), gen_random_uuid(), 'client', now(), now(), 60,
          'infinity', 'infinity'
        from generate_series(1, 2500) n";
    given.pool.get().await.unwrap().execute(fill, &[]).await.unwrap();

    assert_eq!(given.sessions.end_all().await.unwrap(), 2500);

    assert_eq!(given.sessions.end_all().await.unwrap(), 0);
    assert_eq!(given.sessions.closings(given.clock.now(), 5000).await.unwrap().len(), 2500);
}
