//! Rate limits: by network and by account.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use actix_web::http::header;
use domain::AccountId;

use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::quota::{Quota, Slots};

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

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// For one address that people sign in with, from all networks: those who guess from one stop nobody else.
const NETWORKS_OF_AN_ADDRESS: u32 = 10;
/// A site has many networks: together they may do so many times as much as one of them. Fewer than
/// [`NETWORKS_OF_AN_ADDRESS`], so that one site locks no owner out.
const NETWORKS_OF_A_SITE: u32 = 8;
/// Of the mails to one recipient, one sender may cause this part.
const SHARES_OF_A_MAILBOX: u32 = 4;

type Now = Box<dyn Fn() -> Duration + Send + Sync>;

pub struct Limits {
    now: Now,
    address: Limit,
    account: Limit,
    sign_in: Limit,
    failed_sign_in: Limit,
    link: Limit,
    registration: Limit,
    mail: Limit,
    mail_share: Limit,
    server_check: Limit,
    account_search: Limit,
}

struct Limit {
    slots: Slots,
    quota: Quota,
}

impl Limits {
    pub fn new(rates: Rates) -> Self {
        let start = Instant::now();
        Self::by(Box::new(move || start.elapsed()), rates)
    }

    fn by(now: Now, rates: Rates) -> Self {
        let limit = |rate, per, burst| Limit::new(Quota::new(rate, per, burst));
        let sign_ins = Quota::new(rates.sign_ins_per_minute, MINUTE, 1);
        Self {
            now,
            address: limit(rates.address_requests_per_second, SECOND, 4),
            account: limit(rates.account_requests_per_second, SECOND, 4),
            sign_in: Limit::new(sign_ins),
            failed_sign_in: Limit::new(sign_ins.times(NETWORKS_OF_AN_ADDRESS)),
            link: Limit::new(sign_ins),
            registration: limit(rates.registrations_per_hour, HOUR, 1),
            mail: limit(rates.mails_per_hour, HOUR, 1),
            mail_share: limit(rates.mails_per_hour.div_ceil(SHARES_OF_A_MAILBOX), HOUR, 1),
            server_check: limit(rates.checks_per_minute, MINUTE, 1),
            account_search: limit(30, MINUTE, 1),
        }
    }

    /// # Errors
    /// Too many requests from this address; likewise below.
    pub fn request(&self, from: IpAddr) -> Result<(), Problem> {
        self.address.take_from(from, (self.now)())
    }

    /// By account, or by the token that acts for one.
    pub fn account(&self, account: impl Hash) -> Result<(), Problem> {
        self.account.take(account, (self.now)())
    }

    /// Passwords are guessed from one network, or for one address from many. It counts as failed until
    /// [`Self::signed_in`].
    pub fn sign_in(&self, from: IpAddr, email: &str) -> Result<(), Problem> {
        let now = (self.now)();
        self.sign_in.take_from(from, now)?;
        self.failed_sign_in.take(email, now)
    }

    /// The password was right.
    pub fn signed_in(&self, email: &str) {
        let Limit { slots, quota } = &self.failed_sign_in;
        slots.give_back(email, *quota);
    }

    /// A step that needs the password again.
    pub fn step_up(&self, account: AccountId) -> Result<(), Problem> {
        self.sign_in.take(account, (self.now)())
    }

    /// A mailed link whose following is as much work as a sign-in.
    pub fn link(&self, from: IpAddr) -> Result<(), Problem> {
        self.link.take_from(from, (self.now)())
    }

    /// Whatever connects to a server, or is as much work.
    pub fn server_check(&self, account: AccountId) -> Result<(), Problem> {
        self.server_check.take(account, (self.now)())
    }

    pub fn account_search(&self, by: impl Hash) -> Result<(), Problem> {
        self.account_search.take(by, (self.now)())
    }

    pub fn registration(&self, from: IpAddr) -> Result<(), Problem> {
        self.registration.take_from(from, (self.now)())
    }

    /// Whatever sends a mail: by the sender's network, and by the recipient, of whose mails one sender gets a
    /// part only. So nobody alone keeps mails from whom they are for.
    pub fn mail(&self, from: IpAddr, to: impl Hash) -> Result<(), Problem> {
        let now = (self.now)();
        self.mail_share.take((subscriber(from), &to), now)?;
        self.mail.take_from(from, now)?;
        self.mail.take(to, now)
    }
}

impl Limit {
    fn new(quota: Quota) -> Self {
        Self { slots: Slots::default(), quota }
    }

    fn take(&self, of: impl Hash, now: Duration) -> Result<(), Problem> {
        self.slots.take(of, self.quota, now).map_err(refused)
    }

    /// By network, and by the site that it belongs to. What is refused to a network is not counted against
    /// its neighbours.
    fn take_from(&self, address: IpAddr, now: Duration) -> Result<(), Problem> {
        let (of_site, quota) = (("site", site(address)), self.quota.times(NETWORKS_OF_A_SITE));
        let is_of_site = of_site.1.is_some();
        if is_of_site {
            self.slots.look(of_site, quota, now).map_err(refused)?;
        }
        self.take(network(address), now)?;
        if is_of_site { self.slots.take(of_site, quota, now).map_err(refused) } else { Ok(()) }
    }
}

fn refused(wait: Duration) -> Problem {
    Problem::of(ProblemKind::TooManyRequests)
        .with_header(header::RETRY_AFTER, wait.as_secs().saturating_add(1))
}

/// One subscriber usually has all IPv6 addresses of a /64: they count as one.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// Who is hardly more than one: an IPv4 address, or a site.
pub fn subscriber(address: IpAddr) -> IpAddr {
    site(address).map_or(address, IpAddr::V6)
}

/// A customer of a provider often has a /48 (RFC 6177), with 65,536 networks.
fn site(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Some(Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use actix_web::ResponseError;

    use super::*;

    const RATES: Rates = Rates {
        address_requests_per_second: 1,
        account_requests_per_second: 1,
        sign_ins_per_minute: 2,
        registrations_per_hour: 1,
        mails_per_hour: 1,
        checks_per_minute: 1,
    };

    /// A time that stands still until it is advanced.
    #[derive(Clone, Default)]
    struct Time(Arc<Mutex<Duration>>);

    impl Time {
        fn advance(&self, by: Duration) {
            *self.0.lock().unwrap() += by;
        }

        fn limits(&self) -> Limits {
            let time = self.clone();
            Limits::by(Box::new(move || *time.0.lock().unwrap()), RATES)
        }
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn account(of: u8) -> AccountId {
        AccountId(uuid::Uuid::from_u128(of.into()))
    }

    /// What is limited, how many are let through at once, and a request of a caller. Of the two that
    /// look at two things, the other one is new in each turn.
    type Case = (&'static str, u8, fn(&Limits, u8, u8) -> Result<(), Problem>);

    const CASES: [Case; 12] = [
        ("requests of an address", 4, |limits, caller, _| limits.request(ip(caller))),
        ("requests of an account", 4, |limits, caller, _| limits.account(account(caller))),
        ("requests of a token", 4, |limits, caller, _| limits.account(("token", caller))),
        ("sign-ins of a network", 2, |limits, caller, turn| {
            limits.sign_in(ip(caller), &format!("{turn}@home.example"))
        }),
        ("sign-ins to an address", 20, |limits, caller, turn| {
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
        ("searches of an operator", 30, |limits, caller, _| limits.account_search(caller)),
    ];

    #[test]
    fn a_limit_is_reached_says_when_to_come_again_and_is_free_then() {
        for (what, burst, ask) in CASES {
            let clock = Time::default();
            let limits = clock.limits();
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
        let limits = Time::default().limits();
        let refused = (0..22u8).filter(|n| limits.sign_in(ip(*n), "ada@home.example").is_err());
        assert_eq!(refused.count(), 2);
    }

    #[test]
    fn whoever_guesses_from_one_network_or_signs_in_uses_up_nothing_of_others() {
        let limits = Time::default().limits();
        let refused = (0..40).filter(|_| limits.sign_in(ip(1), "ada@home.example").is_err());
        assert_eq!(refused.count(), 38, "from there, only two are let through");
        for own in 2..100 {
            assert!(limits.sign_in(ip(own), "ada@home.example").is_ok(), "{own}");
            limits.signed_in("ada@home.example");
        }
    }

    #[test]
    fn a_site_that_uses_all_its_networks_drains_nobody_elses() {
        let limits = Time::default().limits();
        let of_site = |site: u128, network: u128| {
            IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | site << 80 | network << 64 | 1))
        };
        let registers = |site, network| limits.registration(of_site(site, network)).is_ok();
        // A network that asks again and again costs its neighbours what it was let have.
        assert_eq!((0..1000).filter(|_| registers(1, 0)).count(), 1);

        let let_through = (0..70_000).filter(|of| registers(1, *of % 0x10000)).count();

        assert_eq!(let_through, 7);
        let others = 2..2000;
        assert_eq!(others.clone().filter(|site| registers(*site, 0)).count(), others.count());
        let many = (0..=u16::MAX).filter(|of| {
            let [a, b] = of.to_be_bytes();
            limits.registration(IpAddr::from([10, 1, a, b])).is_ok()
        });
        assert_eq!(many.count(), 0x10000, "each has its own");
    }

    #[test]
    fn whoever_guesses_from_all_networks_of_a_site_locks_no_owner_out() {
        let limits = Time::default().limits();
        for network in 0..1000_u128 {
            let from = IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | network << 64 | 1));
            let _ = limits.sign_in(from, "ada@home.example");
        }
        assert!(limits.sign_in(ip(1), "ada@home.example").is_ok());
    }

    #[test]
    fn no_sender_keeps_mails_from_whom_they_are_for() {
        let rates = Rates { mails_per_hour: 20, ..RATES };
        let limits = Limits::by(Box::new(|| Duration::ZERO), rates);
        let sends = |from: IpAddr| limits.mail(from, "ada@home.example").is_ok();
        assert_eq!((0..100).filter(|_| sends(ip(1))).count(), 5);
        let of_site = (0..100_u128).filter(|network| {
            let bits = 0x2001_0db8 << 96 | network << 64 | 1;
            sends(IpAddr::V6(Ipv6Addr::from_bits(bits)))
        });
        assert_eq!(of_site.count(), 5);

        assert!(sends(ip(2)), "the owner, from elsewhere");
        assert!(limits.mail(ip(1), "bob@home.example").is_ok(), "to somebody else");
        let all = (3..100).filter(|from| sends(ip(*from))).count();
        assert_eq!(all, 9, "a mailbox gets so many in an hour, whoever sends them");
    }

    #[test]
    fn one_ipv6_network_is_one_caller() {
        let one = network("2001:db8::1".parse().unwrap());
        assert_eq!(one, network("2001:db8::ffff:1".parse().unwrap()));
        assert_ne!(one, network("2001:db8:0:1::1".parse().unwrap()));
    }
}
