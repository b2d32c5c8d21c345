//! Rate limits: buckets by address and by account, in memory of a fixed size.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use actix_web::http::header;
use domain::AccountId;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::api::http::problem::{Problem, ProblemKind};

/// What the configuration says of each.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    pub address_requests_per_second: u32,
    pub account_requests_per_second: u32,
    pub sign_ins_per_minute: u32,
    pub registrations_per_hour: u32,
    pub mails_per_hour: u32,
    pub checks_per_minute: u32,
}

/// Two that fall into one slot share its quota, so that memory stays as it is. The hash is keyed
/// anew at each start: nobody can aim at a slot, and nothing shows whose address it was.
pub struct Limits<C: Clock = DefaultClock> {
    hash: RandomState,
    address: Limit<C>,
    account: Limit<C>,
    sign_in: Limit<C>,
    link: Limit<C>,
    registration: Limit<C>,
    mail: Limit<C>,
    server_check: Limit<C>,
}

struct Limit<C: Clock> {
    limiter: RateLimiter<u16, DefaultKeyedStateStore<u16>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
}

impl Limits {
    pub fn new(rates: Rates) -> Self {
        Self::by(&DefaultClock::default(), rates)
    }
}

impl<C: Clock + Clone> Limits<C> {
    fn by(clock: &C, rates: Rates) -> Self {
        let limit = |per, rate, burst| Limit::new(clock, per, rate, burst);
        Self {
            hash: RandomState::new(),
            address: limit(Quota::per_second, rates.address_requests_per_second, 4),
            account: limit(Quota::per_second, rates.account_requests_per_second, 4),
            sign_in: limit(Quota::per_minute, rates.sign_ins_per_minute, 1),
            link: limit(Quota::per_minute, rates.sign_ins_per_minute, 1),
            registration: limit(Quota::per_hour, rates.registrations_per_hour, 1),
            mail: limit(Quota::per_hour, rates.mails_per_hour, 1),
            server_check: limit(Quota::per_minute, rates.checks_per_minute, 1),
        }
    }

    /// # Errors
    /// Too many requests from this address; likewise below.
    pub fn request(&self, from: IpAddr) -> Result<(), Problem> {
        self.address.check(self.slot(network(from)))
    }

    /// By account, or by the token that acts for one.
    pub fn account(&self, account: impl Hash) -> Result<(), Problem> {
        self.account.check(self.slot(account))
    }

    /// Passwords are guessed from one network, or for one address from many.
    pub fn sign_in(&self, from: IpAddr, email: &str) -> Result<(), Problem> {
        self.sign_in.check(self.slot(network(from)))?;
        self.sign_in.check(self.slot(email))
    }

    /// A step that needs the password again.
    pub fn step_up(&self, account: AccountId) -> Result<(), Problem> {
        self.sign_in.check(self.slot(account))
    }

    /// A mailed link whose following is as much work as a sign-in.
    pub fn link(&self, from: IpAddr) -> Result<(), Problem> {
        self.link.check(self.slot(network(from)))
    }

    /// Whatever connects to a server, or is as much work.
    pub fn server_check(&self, account: AccountId) -> Result<(), Problem> {
        self.server_check.check(self.slot(account))
    }

    pub fn registration(&self, from: IpAddr) -> Result<(), Problem> {
        self.registration.check(self.slot(network(from)))
    }

    /// Whatever sends a mail: by the sender's network, and by the recipient.
    pub fn mail(&self, from: IpAddr, to: impl Hash) -> Result<(), Problem> {
        self.mail.check(self.slot(network(from)))?;
        self.mail.check(self.slot(to))
    }

    fn slot(&self, of: impl Hash) -> u16 {
        let [first, second, ..] = self.hash.hash_one(of).to_ne_bytes();
        u16::from_ne_bytes([first, second])
    }
}

impl<C: Clock + Clone> Limit<C> {
    fn new(clock: &C, per: fn(NonZeroU32) -> Quota, rate: u32, burst: u32) -> Self {
        let rate = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
        let burst = rate.saturating_mul(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN));
        let (quota, clock) = (per(rate).allow_burst(burst), clock.clone());
        let store = DefaultKeyedStateStore::default();
        Self { limiter: RateLimiter::new(quota, store, clock.clone()), clock }
    }

    fn check(&self, slot: u16) -> Result<(), Problem> {
        self.limiter.check_key(&slot).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            Problem::of(ProblemKind::TooManyRequests)
                .with_header(header::RETRY_AFTER, wait.as_secs().saturating_add(1))
        })
    }
}

/// One subscriber usually has all IPv6 addresses of a /64: they count as one.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_web::ResponseError;
    use governor::clock::FakeRelativeClock;

    use super::*;

    const RATES: Rates = Rates {
        address_requests_per_second: 1,
        account_requests_per_second: 1,
        sign_ins_per_minute: 2,
        registrations_per_hour: 1,
        mails_per_hour: 1,
        checks_per_minute: 1,
    };

    type Timed = Limits<FakeRelativeClock>;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn account(of: u8) -> AccountId {
        AccountId(uuid::Uuid::from_u128(of.into()))
    }

    /// What is limited, how many are let through at once, and a request of a caller. Of the two that
    /// look at two things, the other one is new in each turn.
    type Case = (&'static str, u8, fn(&Timed, u8, u8) -> Result<(), Problem>);

    const CASES: [Case; 11] = [
        ("requests of an address", 4, |limits, caller, _| limits.request(ip(caller))),
        ("requests of an account", 4, |limits, caller, _| limits.account(account(caller))),
        ("requests of a token", 4, |limits, caller, _| limits.account(("token", caller))),
        ("sign-ins of a network", 2, |limits, caller, turn| {
            limits.sign_in(ip(caller), &format!("{turn}@home.example"))
        }),
        ("sign-ins to an address", 2, |limits, caller, turn| {
            limits.sign_in(ip(turn), &format!("{caller}@home.example"))
        }),
        ("passwords of an account", 2, |limits, caller, _| limits.step_up(account(caller))),
        ("links of a network", 2, |limits, caller, _| limits.link(ip(caller))),
        ("registrations", 1, |limits, caller, _| limits.registration(ip(caller))),
        ("mails for a network", 1, |limits, caller, turn| {
            limits.mail(ip(caller), format!("{turn}@home.example"))
        }),
        ("mails to an address", 1, |limits, caller, turn| {
            limits.mail(ip(turn), format!("{caller}@home.example"))
        }),
        ("checks of servers", 1, |limits, caller, _| limits.server_check(account(caller))),
    ];

    #[test]
    fn a_limit_is_reached_says_when_to_come_again_and_is_free_then() {
        for (what, burst, ask) in CASES {
            let clock = FakeRelativeClock::default();
            let limits = Timed::by(&clock, RATES);
            for turn in 100..100 + burst {
                assert!(ask(&limits, 1, turn).is_ok(), "{what}: {turn}");
            }

            let refused = ask(&limits, 1, 120).unwrap_err().error_response();

            assert_eq!(refused.status(), 429, "{what}");
            let wait = refused.headers().get(header::RETRY_AFTER).unwrap().to_str().unwrap();
            let wait: u64 = wait.parse().unwrap();
            assert!(ask(&limits, 2, 121).is_ok(), "{what}: another caller is not limited");
            assert!(wait >= 2, "{what}: {wait}");
            clock.advance(Duration::from_secs(wait - 2));
            assert!(wait < 3 || ask(&limits, 1, 122).is_err(), "{what}: too early");
            clock.advance(Duration::from_secs(2));
            assert!(ask(&limits, 1, 123).is_ok(), "{what}: after {wait} s");
        }
    }

    #[test]
    fn an_account_is_guarded_from_many_networks_at_once() {
        let limits = Limits::new(RATES);
        let refused = (0..4u8)
            .filter(|n| limits.sign_in(IpAddr::from([192, 0, 2, *n]), "ada@home.example").is_err());
        assert!(refused.count() >= 2);
    }

    #[test]
    fn one_ipv6_network_is_one_caller() {
        let one = network("2001:db8::1".parse().unwrap());
        assert_eq!(one, network("2001:db8::ffff:1".parse().unwrap()));
        assert_ne!(one, network("2001:db8:0:1::1".parse().unwrap()));
    }
}
