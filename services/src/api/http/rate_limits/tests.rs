//! Each limit: how much is let through at once, who else is not limited, and when it is free again.

use std::sync::{Arc, Mutex};

use actix_web::ResponseError;

use super::*;

const RATES: Rates = Rates {
    address_requests_per_second: 1,
    account_requests_per_second: 1,
    operator_requests_per_second: 1,
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

fn token(of: u8) -> TokenId {
    TokenId(uuid::Uuid::from_u128(of.into()))
}

/// What is limited, how many are let through at once, and a request of a caller. Of the two that
/// look at two things, the other one is new in each turn.
type Case = (&'static str, u8, fn(&Limits, u8, u8) -> Result<(), Problem>);

const CASES: [Case; 13] = [
    ("requests of an address", 4, |limits, caller, _| limits.request(ip(caller))),
    ("requests of an account", 4, |limits, caller, _| limits.account(account(caller))),
    ("requests of a token", 4, |limits, caller, _| limits.account(("token", caller))),
    ("requests of an operator", 4, |limits, caller, _| limits.operator(token(caller))),
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
fn each_limit_has_the_rate_of_its_own_setting() {
    let rates = Rates {
        address_requests_per_second: 2,
        account_requests_per_second: 3,
        operator_requests_per_second: 5,
        sign_ins_per_minute: 7,
        registrations_per_hour: 11,
        mails_per_hour: 13,
        checks_per_minute: 17,
    };
    let at_once = CASES.map(|(what, _, ask)| {
        let limits = Limits::by(Box::new(|| Duration::ZERO), rates);
        (what, (0..200).filter(|turn| ask(&limits, 1, *turn).is_ok()).count())
    });

    let expected = [
        ("requests of an address", 4 * 2),
        ("requests of an account", 4 * 3),
        ("requests of a token", 4 * 3),
        ("requests of an operator", 4 * 5),
        ("sign-ins of a network", 7),
        ("sign-ins to an address", 10 * 7),
        ("passwords of an account", 7),
        ("links of a network", 7),
        ("registrations", 11),
        ("mails for a network", 13),
        ("mails to an address", 13),
        ("checks of servers", 17),
        ("searches of an operator", 30),
    ];
    assert_eq!(at_once, expected);
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
        limits.signed_in(ip(own), "ada@home.example");
    }
}

#[test]
fn whoever_signed_in_from_a_network_is_not_locked_out_there_by_others() {
    let clock = Time::default();
    let limits = clock.limits();
    let try_from = |from: IpAddr| limits.sign_in(from, "ada@home.example").is_ok();
    assert!(try_from(ip(1)));
    limits.signed_in(ip(1), "ada@home.example");
    clock.advance(Duration::from_hours(29 * 24));

    let all = (2..100).filter(|other| try_from(ip(*other))).count();

    assert_eq!(all, 20, "they have used up what there is for the address");
    assert!(try_from(ip(1)), "she is known there");
    assert!(!try_from(ip(200)) && limits.sign_in(ip(1), "bob@home.example").is_ok());
    assert!(!try_from(ip(1)), "from there she tries no more often than anybody");
}

#[test]
fn a_network_is_known_for_30_days_after_the_last_sign_in() {
    let clock = Time::default();
    let limits = clock.limits();
    for day in [0, 29] {
        clock.advance(Duration::from_hours(day * 24));
        assert!(limits.sign_in(ip(1), "ada@home.example").is_ok());
        limits.signed_in(ip(1), "ada@home.example");
    }
    clock.advance(Duration::from_hours(29 * 24));
    let others = (2..100).filter(|other| limits.sign_in(ip(*other), "ada@home.example").is_ok());
    assert_eq!(others.count(), 20);

    assert!(limits.sign_in(ip(1), "ada@home.example").is_ok(), "on day 58");
}

#[test]
fn who_has_signed_in_from_a_network_waits_for_no_stranger_there_for_30_days() {
    let clock = Time::default();
    let limits = clock.limits();
    assert_eq!(limits.hash_queue(ip(1)), HashQueue::Strangers);

    limits.make_known(ip(1), account(1));

    assert_eq!(limits.hash_queue(ip(1)), HashQueue::Known);
    assert_eq!(limits.hash_queue(ip(2)), HashQueue::Strangers, "whatever address is tried there");
    clock.advance(Duration::from_hours(29 * 24));
    limits.make_known(ip(1), account(1));
    clock.advance(Duration::from_hours(29 * 24));
    assert_eq!(limits.hash_queue(ip(1)), HashQueue::Known, "on day 58");
    clock.advance(Duration::from_hours(2 * 24));
    assert_eq!(limits.hash_queue(ip(1)), HashQueue::Strangers);
}

#[test]
fn one_account_makes_20_networks_known_in_30_days() {
    let clock = Time::default();
    let limits = clock.limits();
    let known = |networks: std::ops::Range<u8>| {
        networks.filter(|of| limits.hash_queue(ip(*of)) == HashQueue::Known).count()
    };
    for of in (0..100).chain(0..100) {
        limits.make_known(ip(of), account(1));
    }
    assert_eq!(known(0..100), 20);

    limits.make_known(ip(99), account(2));

    assert_eq!(limits.hash_queue(ip(99)), HashQueue::Known, "another account");
    clock.advance(Duration::from_hours(30 * 24));
    for of in 100..110 {
        limits.make_known(ip(of), account(1));
    }
    assert_eq!((known(0..100), known(100..110)), (0, 10));
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
