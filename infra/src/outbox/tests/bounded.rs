//! How many notices a person gets in a day: the last one is always sent.

use domain::{ServerId, WorkspaceId};

use super::*;
use crate::outbox::kind::NOTICES_A_DAY_MAX;

const fn of(workspace: u128) -> MailReference {
    MailReference::Workspace(WorkspaceId(Uuid::from_u128(workspace)))
}

fn notice() -> MailRequest {
    MailRequest { kind: MailKind::RoleChanged, reference: Some(of(7)), ..request() }
}

/// Of another event.
fn another(request: &MailRequest) -> MailRequest {
    MailRequest { cause: EventId(Ids::system().uuid()), ..request.clone() }
}

impl Harness {
    /// As many as a person gets in a day, each of which is sent.
    async fn use_up(&self, notice: &MailRequest, count: i64) {
        for _ in 0..count {
            assert!(self.put(&another(notice)).await);
        }
        for mail in self.outbox.claim(NODE, Via::Smtp, count).await.unwrap().mails {
            self.outbox.mark(&mail, &SendOutcome::Accepted).await.unwrap();
        }
    }

    async fn due(&self) -> Vec<EventId> {
        self.claim(NODE, Via::Smtp).await.iter().map(|mail| mail.request.cause).collect()
    }
}

#[tokio::test]
async fn of_more_than_a_few_notices_in_a_day_the_last_comes_at_its_end() {
    let given = given().await;
    let notice = notice();
    given.use_up(&notice, NOTICES_A_DAY_MAX).await;
    let (middle, last) = (another(&notice), another(&notice));

    given.clock.advance(TimeDelta::hours(1));
    for request in [&middle, &last] {
        assert!(given.put(request).await);
        assert!(!given.put(request).await);
        assert_eq!(given.due().await, []);
    }

    given.clock.advance(TimeDelta::hours(23));
    assert_eq!(given.due().await, [last.cause]);
    assert_eq!(given.states().await, [("sending".to_owned(), 1), ("sent".to_owned(), 5)]);
    let next = another(&notice);
    assert!(given.put(&next).await);
    assert_eq!(given.due().await, [next.cause], "a new day has begun");
}

#[tokio::test]
async fn another_kind_thing_or_person_has_its_own_number() {
    let given = given().await;
    let notice = notice();
    given.use_up(&notice, NOTICES_A_DAY_MAX).await;

    let removed = MailRequest { kind: MailKind::MemberRemoved, ..another(&notice) };
    let elsewhere = MailRequest { reference: Some(of(8)), ..another(&notice) };
    let to_another = super::bounded::notice();
    for other in [removed, elsewhere, to_another] {
        assert!(given.put(&other).await);
        assert_eq!(given.due().await, [other.cause]);
    }
    let sign_in = MailRequest { kind: MailKind::NewSignIn, reference: None, ..request() };
    given.use_up(&sign_in, NOTICES_A_DAY_MAX).await;
    assert!(given.put(&another(&sign_in)).await);
    assert_eq!(given.due().await, [], "what names nothing is counted as well");
}

#[tokio::test]
async fn all_servers_together_have_one_number() {
    let given = given().await;
    let of = |server| Some(MailReference::Server(ServerId(Uuid::from_u128(server))));
    for kind in [MailKind::HostKeyMismatched, MailKind::ServerWatchStopped] {
        let person = request();
        for server in 0..20 {
            given.use_up(&MailRequest { kind, reference: of(server), ..person.clone() }, 1).await;
        }

        assert!(given.put(&another(&MailRequest { kind, reference: of(99), ..person })).await);

        assert_eq!(given.due().await, [], "{kind:?}");
    }
}

#[tokio::test]
async fn a_mail_of_a_kind_that_only_a_newer_node_knows_is_left_to_that() {
    let given = given().await;
    let (known, newer) = (request(), request());
    given.put(&known).await;
    given.put(&newer).await;
    let rename = "update working.outbox set kind = 'of_tomorrow' where cause = $1";
    let client = given.pool.get().await.unwrap();
    assert_eq!(client.execute(rename, &[&newer.cause.0]).await.unwrap(), 1);

    assert_eq!(given.due().await, [known.cause]);

    assert_eq!(given.states().await, [("queued".to_owned(), 1), ("sending".to_owned(), 1)]);
}
