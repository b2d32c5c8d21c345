//! A log as a hosted service has it: people who come, verify, agree, sign in and out, and change.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::account::{Account, AccountCommand, LoginRefusal, Proof};
use domain::privacy::{
    EmailAddress, IpAddress, PersonName, Personal, Purpose, UserAgent, Username,
};
use domain::session::{CloseReason, Session, SessionCommand, SessionKind};
use domain::{AccountId, CommandId, CredentialId, ProofId, SessionId};
use infra::event_store::{Executor, Request, ReservationChange, Step};
use infra::ids::{Ids, derived, hashed};
use infra::keyring::Keyring;
use tokio::task::JoinSet;

/// People who act at once: enough to fill the log's batches.
const CROWD: usize = 192;
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/26.0 Safari/605",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36",
    "lethe-cli/0.1.0 (linux; x86_64)",
];
const NAMES: [&str; 8] = [
    "Ada Novák",
    "Bo Lindqvist",
    "Chidi Okafor",
    "Dana Weiß",
    "Elif Yılmaz",
    "Femke de Vries",
    "Giulia Rossi",
    "Hana Sato",
];

/// A crowd asks for more at once than there is room for; its command ids make it safe to ask again.
macro_rules! again {
    ($call:expr) => {{
        let (mut pause, mut tries) = (tokio::time::interval(PAUSE), 1..TRIES);
        loop {
            match ($call.await, tries.next()) {
                (Ok(answered), _) => break answered,
                (Err(_), Some(_)) => pause.tick().await,
                (Err(error), None) => panic!("{error}"),
            };
        }
    }};
}

/// Appends at least `events` events through the real executor; `report` hears of each hundredth
/// person with how many there are by then.
pub async fn seed(
    executor: &Executor,
    keyring: &Keyring,
    ids: &Ids,
    events: i64,
    report: impl Fn(i64) + Send + Sync + 'static,
) -> i64 {
    let crowd = Arc::new(Crowd {
        executor: executor.clone(),
        keyring: keyring.clone(),
        run: ids.uuid().as_u128(),
        wanted: events,
        people: AtomicU64::new(0),
        appended: AtomicI64::new(0),
        report: Box::new(report),
    });
    let mut tasks = JoinSet::new();
    for _ in 0..CROWD {
        tasks.spawn(Arc::clone(&crowd).live());
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    crowd.appended.load(Ordering::Relaxed)
}

struct Crowd {
    executor: Executor,
    keyring: Keyring,
    run: u128,
    wanted: i64,
    people: AtomicU64,
    appended: AtomicI64,
    report: Box<dyn Fn(i64) + Send + Sync>,
}

impl Crowd {
    async fn live(self: Arc<Self>) {
        while self.appended.load(Ordering::Relaxed) < self.wanted {
            let number = self.people.fetch_add(1, Ordering::Relaxed);
            Person::new(&self, number).live().await;
            if number.is_multiple_of(100) {
                (self.report)(self.appended.load(Ordering::Relaxed));
            }
        }
    }
}

struct Person<'a> {
    crowd: &'a Crowd,
    number: u64,
    account: AccountId,
    /// That of the registration.
    credential: CredentialId,
    now: DateTime<Utc>,
    commands: u64,
}

impl<'a> Person<'a> {
    fn new(crowd: &'a Crowd, number: u64) -> Self {
        let account = hashed(&[&crowd.run.to_be_bytes(), &number.to_be_bytes()]);
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let credential = CredentialId(derived(CommandId(account), "credential"));
        Self { crowd, number, account: AccountId(account), credential, now, commands: 0 }
    }

    /// The same for the same person and question, and otherwise as if drawn.
    fn drawn(&self, of: u64, below: u64) -> u64 {
        let mixed = (self.number << 20 ^ of).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) % below
    }

    async fn live(mut self) {
        self.come().await;
        for purpose in [Purpose::ProductNews, Purpose::UsageAnalysis] {
            if self.drawn(purpose as u64, 2) == 0 {
                self.ask(AccountCommand::GiveConsent { purpose, policy_version: 3 }).await;
            }
        }
        for visit in 0..4 + self.drawn(10, 7) {
            self.visit(visit).await;
        }
        if self.drawn(11, 5) == 0 {
            let username = Username::parse(&format!("user-{}", self.number)).unwrap();
            let username = Some(Personal::Clear(username));
            self.ask(AccountCommand::Rectify { name: None, username }).await;
        }
        if self.drawn(12, 10) == 0 {
            let credential = CredentialId(derived(self.next(), "credential"));
            self.ask(AccountCommand::ChangePassword { credential, keep_api_tokens: true }).await;
        }
        if self.drawn(13, 100) == 0 {
            let due = self.now + TimeDelta::days(7);
            self.ask(AccountCommand::RequestErasure { now: self.now, due }).await;
            self.ask(AccountCommand::CancelErasure { now: self.now }).await;
        }
    }

    async fn come(&mut self) {
        let email = EmailAddress::parse(&format!(
            "person.{}.{:x}@example.org",
            self.number,
            self.crowd.run & 0xffff_ffff
        ));
        let email = email.unwrap();
        let index = again!(self.crowd.keyring.email_index.indexes(&email));
        let owner = self.account.0;
        let take = |(kind, blind_index)| ReservationChange::Take { kind, blind_index, owner };
        let command = self.next();
        let until = self.now + TimeDelta::days(3);
        let proof = Proof { id: ProofId(derived(command, "proof")), until };
        let name = NAMES[usize::try_from(self.drawn(1, 8)).unwrap()];
        let register = AccountCommand::Register {
            email: Personal::Clear(email),
            name: Personal::Clear(PersonName::parse(name).unwrap()),
            username: None,
            credential: self.credential,
            verification: proof,
        };
        let mut request = self.request(command);
        request.reservations = index.into_iter().map(take).collect();
        self.append(request, vec![Step::new::<Account>(owner, register)]).await;
        self.ask(AccountCommand::VerifyEmail { proof: proof.id, now: self.now }).await;
    }

    /// Signs in, perhaps at the second try, and mostly out again.
    async fn visit(&mut self, visit: u64) {
        let from = u32::try_from(self.drawn(100 + visit, u64::from(u32::MAX))).unwrap();
        let ip = || Personal::Clear(IpAddress(std::net::Ipv4Addr::from(from).into()));
        let agent = AGENTS[usize::try_from(self.drawn(200 + visit, 4)).unwrap()];
        let user_agent = || Personal::Clear(UserAgent::cut(agent));
        if self.drawn(300 + visit, 10) == 0 {
            let reason = LoginRefusal::WrongPassword;
            self.ask(AccountCommand::FailLogin { reason, ip: ip(), user_agent: user_agent() })
                .await;
        }
        let command = self.next();
        let session = SessionId(derived(command, "session"));
        let succeed = AccountCommand::SucceedLogin {
            credential: self.credential,
            session,
            ip: ip(),
            user_agent: user_agent(),
        };
        let open = SessionCommand::Open {
            account: self.account,
            kind: SessionKind::Browser,
            ip: ip(),
            user_agent: user_agent(),
        };
        let steps = vec![
            Step::new::<Account>(self.account.0, succeed),
            Step::new::<Session>(session.0, open),
        ];
        self.append(self.request(command), steps).await;
        if self.drawn(400 + visit, 10) < 7 {
            let close = SessionCommand::Close { reason: CloseReason::SignedOut };
            let command = self.next();
            let step = Step::new::<Session>(session.0, close);
            self.append(self.request(command), vec![step]).await;
        }
    }

    async fn ask(&mut self, command: AccountCommand) {
        let id = self.next();
        let step = Step::new::<Account>(self.account.0, command);
        self.append(self.request(id), vec![step]).await;
    }

    fn next(&mut self) -> CommandId {
        self.commands += 1;
        CommandId(hashed(&[self.account.0.as_bytes(), &self.commands.to_be_bytes()]))
    }

    fn request(&self, command: CommandId) -> Request {
        let mut request = Request::new(self.account.into(), command);
        request.actor = Some(self.account.into());
        request
    }

    async fn append(&self, request: Request, steps: Vec<Step>) {
        let receipt = again!(self.crowd.executor.execute(&request, &steps));
        let events = i64::try_from(receipt.events().len()).unwrap();
        self.crowd.appended.fetch_add(events, Ordering::Relaxed);
    }
}
