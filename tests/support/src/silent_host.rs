//! A host of two addresses on this machine, one of which can go silent.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Until it goes silent, both addresses are as any other of `127.0.0.0/8`.
pub struct SilentHost {
    addresses: [String; 2],
}

impl SilentHost {
    /// Takes root, or `CAP_NET_ADMIN`. Panics without it; `None` where `LETHE_TEST_NO_ROUTE` leaves such
    /// tests out.
    pub fn new() -> Option<Self> {
        // Runs of tests beside each other have addresses of their own.
        let number = (std::process::id() << 3) + (NEXT.fetch_add(1, Ordering::Relaxed) % 4) * 2;
        let address = |number: u32| {
            let [_, second, third, fourth] = number.to_be_bytes();
            format!("127.{second}.{third}.{fourth}")
        };
        let host = Self { addresses: [address(number), address(number + 1)] };
        if host.route("add") && host.route("del") {
            return Some(host);
        }
        let left_out = std::env::var_os("LETHE_TEST_NO_ROUTE").is_some();
        assert!(left_out, "no route is added: run as root with ip, or set LETHE_TEST_NO_ROUTE=1");
        None
    }

    /// That which can go silent, and the other one.
    pub const fn addresses(&self) -> &[String; 2] {
        &self.addresses
    }

    /// From now on every packet to and from the first address is swallowed, also of what is connected.
    /// A new connection to it is refused at once.
    pub fn go_silent(&self) {
        assert!(self.route("add"), "no route is added");
    }

    fn route(&self, verb: &str) -> bool {
        let host = format!("{}/32", self.addresses[0]);
        let ip =
            Command::new("ip").args(["route", verb, "blackhole", &host, "table", "local"]).output();
        ip.is_ok_and(|ended| ended.status.success())
    }
}

impl Drop for SilentHost {
    fn drop(&mut self) {
        self.route("del");
    }
}
