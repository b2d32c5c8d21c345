//! Rate limits: by network and by account.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use actix_web::http::header;
use domain::{AccountId, TokenId};
use infra::credentials::HashQueue;

use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::quota::{Quota, Slots};

/// What the configuration says of each.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    pub address_requests_per_second: u32,
    pub account_requests_per_second: u32,
    pub operator_requests_per_second: u32,
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

/// A network from which somebody signed in is let through for so long, whatever others guess.
const KNOWN_FOR: Duration = Duration::from_hours(30 * 24);

/// From so many networks in that time one account makes them known, so that nobody makes all of the world's known.
const NETWORKS_OF_AN_ACCOUNT: u32 = 20;

/// Of the mails to one recipient, one sender may cause this part.
const SHARES_OF_A_MAILBOX: u32 = 4;

type Now = Box<dyn Fn() -> Duration + Send + Sync>;

pub struct Limits {
    now: Now,
    address: Limit,
    /// Of accounts, and of operators with a quota of their own: there are few.
    account: Limit,
    operator: Quota,
    sign_in: Limit,
    failed_sign_in: Limit,
    /// Used up by an address and a network from which it was signed in with; by a network; and, a part of it, by
    /// an account for each network.
    known_network: Limit,
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
            operator: Quota::new(rates.operator_requests_per_second, SECOND, 4),
            sign_in: Limit::new(sign_ins),
            failed_sign_in: Limit::new(sign_ins.times(NETWORKS_OF_AN_ADDRESS)),
            known_network: limit(1, KNOWN_FOR, 1),
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

    /// By account, or by the secret of a token that acts for one.
    pub fn account(&self, account: impl Hash) -> Result<(), Problem> {
        self.account.take(account, (self.now)())
    }

    /// By an operator's token.
    pub fn operator(&self, token: TokenId) -> Result<(), Problem> {
        let of = ("operator", token);
        self.account.slots.take(of, self.operator, (self.now)()).map_err(refused)
    }

    /// Passwords are guessed from one network, or for one address from many. It counts as failed until
    /// [`Self::signed_in`].
    pub fn sign_in(&self, from: IpAddr, email: &str) -> Result<(), Problem> {
        let now = (self.now)();
        self.sign_in.take_from(from, now)?;
        let counted = self.failed_sign_in.take(email, now);
        let Limit { slots, quota } = &self.known_network;
        if counted.is_err() && slots.look((network(from), email), *quota, now).is_err() {
            return Ok(());
        }
        counted
    }

    /// The password was right.
    pub fn signed_in(&self, from: IpAddr, email: &str) {
        let Limit { slots, quota } = &self.failed_sign_in;
        slots.give_back(email, *quota);
        let Limit { slots, quota } = &self.known_network;
        // It may be known already, and is then known for as long again.
        slots.give_back((network(from), email), *quota);
        let _ = slots.take((network(from), email), *quota, (self.now)());
    }

    /// The account, whose address is verified, was signed in with from there.
    pub fn make_known(&self, from: IpAddr, account: AccountId) {
        let (now, network) = ((self.now)(), ("network", network(from)));
        let Limit { slots, quota } = &self.known_network;
        let of_account = Quota::new(NETWORKS_OF_AN_ACCOUNT, KNOWN_FOR, 1);
        if slots.look(network, *quota, now).is_err() {
            slots.give_back(network, *quota);
        } else if slots.take(("account", account), of_account, now).is_err() {
            return;
        }
        let _ = slots.take(network, *quota, now);
    }

    /// Where a password from there waits for its hash.
    pub fn hash_queue(&self, from: IpAddr) -> HashQueue {
        let Limit { slots, quota } = &self.known_network;
        match slots.look(("network", network(from)), *quota, (self.now)()) {
            Ok(()) => HashQueue::Strangers,
            Err(_) => HashQueue::Known,
        }
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
mod tests;
