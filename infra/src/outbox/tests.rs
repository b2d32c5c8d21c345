mod bounded;
mod failover;

use domain::{ProofId, SealedId};

use super::*;
use crate::ids::Ids;
use crate::postgres::{ConnectOptions, connect};
use test_support::{Databases, databases};

const NODE: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

struct Harness {
    _databases: Databases,
    clock: Clock,
    pool: Pool,
    outbox: Outbox,
}

async fn given() -> Harness {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let outbox = Outbox::new(pool.clone(), clock.clone());
    Harness { _databases: databases, clock, pool, outbox }
}

impl Harness {
    async fn put(&self, request: &MailRequest) -> bool {
        let mut client = self.pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let put = self.outbox.put(&tx, request).await.unwrap();
        tx.commit().await.unwrap();
        put
    }

    async fn claim(&self, node: Uuid, via: Via) -> Vec<ClaimedMail> {
        self.outbox.claim(node, via, 10).await.unwrap().mails
    }

    /// The leases of the mails that are being sent are over.
    async fn end_leases(&self) {
        let end =
            "update working.outbox set lease_until = clock_timestamp() where state = 'sending'";
        assert_eq!(self.pool.get().await.unwrap().execute(end, &[]).await.unwrap(), 1);
    }

    async fn states(&self) -> Vec<(String, i64)> {
        let count = "select state, count(*) from working.outbox group by state order by state";
        let rows = self.pool.get().await.unwrap().query(count, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

fn request() -> MailRequest {
    let subject = SubjectId(Ids::system().uuid());
    MailRequest {
        cause: EventId(Ids::system().uuid()),
        kind: MailKind::Verification,
        tenant: TenantId(subject.0),
        subject,
        address: Sealed { id: SealedId(Ids::system().uuid()), envelope: vec![1, 2, 3] },
        reference: Some(MailReference::Proof(ProofId(Ids::system().uuid()))),
        until: None,
    }
}

fn refused() -> SendOutcome {
    let trouble = "connecting: no connection".into();
    SendOutcome::Refused { for_good: false, kind: RefusalKind::Other, trouble }
}

fn unknown() -> SendOutcome {
    SendOutcome::Unknown { trouble: "the connection ended after the mail".into() }
}

#[tokio::test]
async fn a_cause_has_one_mail_of_a_kind() {
    let given = given().await;
    let request = request();

    assert!(given.put(&request).await);
    assert!(!given.put(&request).await);
    assert!(given.put(&MailRequest { kind: MailKind::PasswordReset, ..request.clone() }).await);

    let claimed = given.claim(NODE, Via::Smtp).await;
    assert_eq!(claimed.len(), 2);
    let back = claimed.iter().find(|one| one.request.kind == request.kind).unwrap();
    assert_eq!(format!("{:?}", back.request), format!("{request:?}"));
    assert_eq!(back.request.address, request.address);
}

#[tokio::test]
async fn a_mail_is_claimed_by_one_node() {
    let given = given().await;
    given.put(&request()).await;

    let (one, other) = tokio::join!(given.claim(NODE, Via::Smtp), given.claim(OTHER, Via::Smtp));

    assert_eq!(one.len() + other.len(), 1);
}

#[tokio::test]
async fn a_refused_mail_is_tried_again_later_and_fails_in_the_end() {
    let given = given().await;
    given.put(&request()).await;

    for attempt in 1..=ATTEMPTS_MAX {
        let claimed = given.claim(NODE, Via::Smtp).await;
        let marked = given.outbox.mark(&claimed[0], &refused()).await.unwrap();
        let last = attempt == ATTEMPTS_MAX;
        assert_eq!(marked, if last { MarkOutcome::Failed } else { MarkOutcome::Again });
        assert!(given.claim(NODE, Via::Smtp).await.is_empty());
        given.clock.advance(backoff(attempt));
    }

    assert!(given.claim(NODE, Via::Smtp).await.is_empty());
    assert_eq!(given.states().await, [("failed".to_owned(), 1)]);
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_fails_at_once() {
    let given = given().await;
    given.put(&request()).await;
    let claimed = given.claim(NODE, Via::Smtp).await;
    let trouble = "asking: 550".into();
    let never = SendOutcome::Refused { for_good: true, kind: RefusalKind::Other, trouble };

    assert_eq!(given.outbox.mark(&claimed[0], &never).await.unwrap(), MarkOutcome::Failed);

    assert_eq!(given.states().await, [("failed".to_owned(), 1)]);
}

#[tokio::test]
async fn a_row_says_of_what_kind_the_last_refusal_was() {
    let given = given().await;
    let refusal = async |of: &ClaimedMail| -> Option<String> {
        let read = "select refusal from working.outbox where mail_id = $1";
        given.pool.get().await.unwrap().query_one(read, &[&of.mail]).await.unwrap().get(0)
    };
    for kind in RefusalKind::ALL.iter().copied() {
        given.put(&request()).await;
        let claimed = given.claim(NODE, Via::Smtp).await;
        let never = SendOutcome::Refused { for_good: true, kind, trouble: "550".into() };
        given.outbox.mark(&claimed[0], &never).await.unwrap();
        assert_eq!(refusal(&claimed[0]).await.as_deref(), Some(kind.as_str()));
    }
    given.put(&request()).await;
    let claimed = given.claim(NODE, Via::Smtp).await;
    given.outbox.mark(&claimed[0], &refused()).await.unwrap();
    given.clock.advance(backoff(1));

    let again = given.claim(NODE, Via::Smtp).await;
    given.outbox.mark(&again[0], &SendOutcome::Accepted).await.unwrap();

    assert_eq!(refusal(&again[0]).await, None, "it was accepted in the end");
}

#[tokio::test]
async fn an_unknown_outcome_is_never_sent_again() {
    let given = given().await;
    given.put(&request()).await;
    let claimed = given.claim(NODE, Via::Smtp).await;

    assert_eq!(given.outbox.mark(&claimed[0], &unknown()).await.unwrap(), MarkOutcome::Unknown);

    given.clock.advance(TimeDelta::days(29));
    given.outbox.expire_leases().await.unwrap();
    assert!(given.claim(NODE, Via::Smtp).await.is_empty());
    assert_eq!(given.states().await, [("unknown".to_owned(), 1)]);
}

#[tokio::test]
async fn what_a_dead_node_was_sending_is_unknown_by_smtp() {
    let given = given().await;
    given.put(&request()).await;
    let late = given.claim(NODE, Via::Smtp).await;

    assert_eq!(given.outbox.expire_leases().await.unwrap(), 0);
    given.end_leases().await;
    assert_eq!(given.outbox.expire_leases().await.unwrap(), 1);

    assert!(given.claim(OTHER, Via::Smtp).await.is_empty());
    assert_eq!(given.states().await, [("unknown".to_owned(), 1)]);
    let marked = given.outbox.mark(&late[0], &SendOutcome::Accepted).await.unwrap();
    assert_eq!(marked, MarkOutcome::Sent);
}

#[tokio::test]
async fn what_a_dead_node_was_writing_is_written_again() {
    let given = given().await;
    given.put(&request()).await;
    let late = given.claim(NODE, Via::Folder).await;
    given.end_leases().await;

    assert_eq!(given.outbox.expire_leases().await.unwrap(), 0);

    let again = given.claim(OTHER, Via::Folder).await;
    assert_eq!(again[0].mail, late[0].mail);
    assert_eq!(
        given.outbox.mark(&late[0], &SendOutcome::Accepted).await.unwrap(),
        MarkOutcome::LeaseLost
    );
    assert_eq!(
        given.outbox.mark(&again[0], &SendOutcome::Accepted).await.unwrap(),
        MarkOutcome::Sent
    );
    assert_eq!(
        given.outbox.mark(&late[0], &SendOutcome::Accepted).await.unwrap(),
        MarkOutcome::LeaseLost
    );
}

#[tokio::test]
async fn an_attempt_whose_lease_was_over_says_nothing_of_the_next_one() {
    let given = given().await;
    given.put(&request()).await;
    let late = given.claim(NODE, Via::Folder).await;
    given.end_leases().await;
    given.outbox.expire_leases().await.unwrap();

    let again = given.claim(NODE, Via::Folder).await;

    assert_eq!((late[0].lease.fence, again[0].lease.fence), (1, 2));
    let marked = given.outbox.mark(&late[0], &SendOutcome::Accepted).await.unwrap();
    assert_eq!(marked, MarkOutcome::LeaseLost, "the same node has it under another fence");
    assert_eq!(given.states().await, [("sending".to_owned(), 1)]);
}

#[tokio::test]
async fn an_erased_person_has_no_mail_and_gets_none() {
    let given = given().await;
    let request = request();
    given.put(&request).await;
    let claimed = given.claim(NODE, Via::Folder).await;
    let client = given.pool.get().await.unwrap();
    let longer = "update working.outbox set lease_until = clock_timestamp() + interval '1 hour'";
    assert_eq!(client.execute(longer, &[]).await.unwrap(), 1);
    client.execute("select event_log.fence($1, '{}')", &[&request.subject.0]).await.unwrap();

    assert_eq!(given.outbox.withdraw(request.subject).await.unwrap(), [], "it is being sent");
    given.outbox.delete(&[claimed[0].mail]).await.unwrap();
    assert_eq!(given.outbox.count_of_subject(request.subject).await.unwrap(), 1);
    given.end_leases().await;
    let ended = EndedMail { mail: claimed[0].mail, via: Some(Via::Folder) };
    assert_eq!(given.outbox.withdraw(request.subject).await.unwrap(), [ended]);
    assert_eq!(given.claim(NODE, Via::Folder).await.len(), 0, "nobody sends it any more");
    assert_eq!(
        given.outbox.withdraw(request.subject).await.unwrap(),
        [ended],
        "it is listed until it is deleted"
    );
    given.outbox.delete(&[ended.mail]).await.unwrap();

    assert_eq!(
        given.outbox.mark(&claimed[0], &SendOutcome::Accepted).await.unwrap(),
        MarkOutcome::Deleted
    );
    assert_eq!(given.outbox.existing(&[ended.mail]).await.unwrap(), Vec::<Uuid>::new());
    assert!(!given.put(&request).await);
}

#[tokio::test]
async fn old_mails_are_deleted_and_waiting_ones_are_not() {
    let given = given().await;
    given.put(&request()).await;
    let claimed = given.claim(NODE, Via::Smtp).await;
    given.outbox.mark(&claimed[0], &SendOutcome::Accepted).await.unwrap();
    given.put(&request()).await;
    given.clock.advance(TimeDelta::days(30));

    let old = given.outbox.finished(given.clock.now(), 10).await.unwrap();
    assert_eq!(old, [EndedMail { mail: claimed[0].mail, via: Some(Via::Smtp) }]);
    given.outbox.delete(&[old[0].mail]).await.unwrap();

    assert_eq!(given.states().await, [("queued".to_owned(), 1)]);
}

#[tokio::test]
async fn a_mail_by_smtp_is_leased_for_longer_than_one_for_a_folder() {
    let given = given().await;
    let seconds = async || -> f64 {
        let left = "select extract(epoch from lease_until - clock_timestamp())::float8
            from working.outbox where state = 'sending'";
        given.pool.get().await.unwrap().query_one(left, &[]).await.unwrap().get(0)
    };
    given.put(&request()).await;

    given.claim(NODE, Via::Folder).await;
    let folder = seconds().await;
    assert!(folder <= FOLDER_LEASE.as_secs_f64(), "{folder} s");

    given.end_leases().await;
    given.outbox.expire_leases().await.unwrap();
    given.claim(NODE, Via::Smtp).await;
    let smtp = seconds().await;
    // Half of it may pass on a loaded machine.
    assert!(smtp > SMTP_LEASE.as_secs_f64() / 2.0, "{smtp} s");
}

#[tokio::test]
async fn after_a_restore_of_the_log_no_mail_that_may_have_gone_goes_again() {
    let given = given().await;
    let (sending, queued) =
        (request(), MailRequest { cause: EventId(Uuid::from_u128(77)), ..request() });
    assert!(given.put(&sending).await);
    let node = Uuid::from_u128(1);
    assert_eq!(given.claim(node, Via::Folder).await.len(), 1);
    assert!(given.put(&queued).await);

    assert_eq!(given.outbox.give_up_all().await.unwrap(), 2);

    given.outbox.expire_leases().await.unwrap();
    assert!(given.claim(node, Via::Folder).await.is_empty());
    assert_eq!(given.states().await, [("unknown".to_owned(), 2)]);
    assert_eq!(given.outbox.give_up_all().await.unwrap(), 0);
}

#[tokio::test]
async fn after_a_restore_of_the_log_all_of_many_mails_are_unknown() {
    let given = given().await;
    let fill = "insert into working.outbox
          (mail_id, cause, kind, tenant_id, subject_id, address, state, next_at, created_at)
        select gen_random_uuid(), gen_random_uuid(), 'verification', gen_random_uuid(),
          gen_random_uuid(), '', state, now(), now()
        from generate_series(1, 2500), unnest(array['queued', 'sending']) state";
    given.pool.get().await.unwrap().execute(fill, &[]).await.unwrap();

    assert_eq!(given.outbox.give_up_all().await.unwrap(), 5000);

    assert_eq!(given.states().await, [("unknown".to_owned(), 5000)]);
    assert_eq!(given.outbox.give_up_all().await.unwrap(), 0);
}
