//! How often one may ask: buckets by address and by account, in memory of a fixed size.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use actix_web::http::header;
use domain::AccountId;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

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
/// anew at each start: nobody can aim at a slot, and nothing tells whose address it was.
pub struct Limits {
    hash: RandomState,
    address: Limit,
    account: Limit,
    sign_in: Limit,
    registration: Limit,
    mail: Limit,
    server_check: Limit,
}

struct Limit(DefaultKeyedRateLimiter<u16>);

impl Limits {
    pub fn new(rates: Rates) -> Self {
        Self {
            hash: RandomState::new(),
            address: Limit::new(Quota::per_second, rates.address_requests_per_second, 4),
            account: Limit::new(Quota::per_second, rates.account_requests_per_second, 4),
            sign_in: Limit::new(Quota::per_minute, rates.sign_ins_per_minute, 1),
            registration: Limit::new(Quota::per_hour, rates.registrations_per_hour, 1),
            mail: Limit::new(Quota::per_hour, rates.mails_per_hour, 1),
            server_check: Limit::new(Quota::per_minute, rates.checks_per_minute, 1),
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

    /// A step that asks for the password again.
    pub fn step_up(&self, account: AccountId) -> Result<(), Problem> {
        self.sign_in.check(self.slot(account))
    }

    /// Whatever connects to a server, or is as much work.
    pub fn server_check(&self, account: AccountId) -> Result<(), Problem> {
        self.server_check.check(self.slot(account))
    }

    pub fn registration(&self, from: IpAddr) -> Result<(), Problem> {
        self.registration.check(self.slot(network(from)))
    }

    /// Whatever sends a mail: by who asks, and by who gets it.
    pub fn mail(&self, from: IpAddr, to: impl Hash) -> Result<(), Problem> {
        self.mail.check(self.slot(network(from)))?;
        self.mail.check(self.slot(to))
    }

    fn slot(&self, of: impl Hash) -> u16 {
        let [first, second, ..] = self.hash.hash_one(of).to_ne_bytes();
        u16::from_ne_bytes([first, second])
    }
}

impl Limit {
    fn new(per: fn(NonZeroU32) -> Quota, rate: u32, burst: u32) -> Self {
        let rate = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
        let burst = rate.saturating_mul(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN));
        Self(RateLimiter::keyed(per(rate).allow_burst(burst)))
    }

    fn check(&self, slot: u16) -> Result<(), Problem> {
        self.0.check_key(&slot).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Problem::of(ProblemKind::TooManyRequests)
                .with_header(header::RETRY_AFTER, wait.as_secs().saturating_add(1))
        })
    }
}

/// Whoever has one IPv6 address has all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

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

    #[test]
    fn the_third_sign_in_within_a_minute_waits() {
        let limits = Limits::new(RATES);
        let from = "192.0.2.1".parse().unwrap();
        assert!(limits.sign_in(from, "a").is_ok());
        assert!(limits.sign_in(from, "b").is_ok());
        let refused = limits.sign_in(from, "c").unwrap_err().error_response();
        assert_eq!(refused.status(), 429);
        let wait = refused.headers().get(header::RETRY_AFTER).unwrap().to_str().unwrap();
        assert!((1..=31).contains(&wait.parse::<u64>().unwrap()), "{wait}");
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
