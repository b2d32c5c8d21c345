//! The system's configuration: `/etc/resolv.conf` and `/etc/hosts`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use hickory_resolver::config::{
    LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup_ip::LookupIp;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use hickory_resolver::{Hosts, TokioResolver};

/// How often a name server is asked: the first time, and again. Each time the one that answers best comes
/// first, so that two that are silent do not matter.
const AGAIN: usize = 2;
/// The share of one time, so that all have an end before the look-up's.
const SHARE: u32 = 4;
const DNS: u16 = 53;

/// Where the configuration is.
#[derive(Clone, Debug)]
pub(super) struct SystemFiles {
    pub(super) servers: PathBuf,
    pub(super) hosts: PathBuf,
    /// Of the name servers.
    pub(super) port: u16,
}

/// When each was changed; `None`: it is not there.
type Changes = [Option<SystemTime>; 2];

/// What the files said when they were read.
pub(super) struct Known {
    changes: Changes,
    hosts: Hosts,
    servers: TokioResolver,
}

impl Default for SystemFiles {
    fn default() -> Self {
        let [servers, hosts] = ["/etc/resolv.conf", "/etc/hosts"].map(PathBuf::from);
        Self { servers, hosts, port: DNS }
    }
}

impl SystemFiles {
    fn changes(&self) -> Changes {
        [&self.servers, &self.hosts]
            .map(|path| fs::metadata(path).and_then(|file| file.modified()).ok())
    }

    fn configured(&self) -> (ResolverConfig, ResolverOpts) {
        let text = fs::read(&self.servers).map_err(|error| error.to_string());
        let read = text.and_then(|text| parse_resolv_conf(text).map_err(|error| error.to_string()));
        read.unwrap_or_else(|error| {
            tracing::warn!(
                error,
                "the name servers of /etc/resolv.conf are not used: 127.0.0.1 is asked"
            );
            local_server()
        })
    }

    /// Reads both, and connects nowhere. `None`: the configuration cannot be used.
    pub(super) fn read(&self, within: Duration) -> Option<Known> {
        let changes = self.changes();
        let mut hosts = Hosts::default();
        if let Ok(text) = fs::read(&self.hosts) {
            // What stands before a line that is not UTF-8 is kept.
            let _ = hosts.read_hosts_conf(text.as_slice());
        }
        let (mut config, mut options) = self.configured();
        for connection in config.name_servers.iter_mut().flat_map(|one| &mut one.connections) {
            connection.port = self.port;
        }
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.num_concurrent_reqs = 1;
        options.attempts = AGAIN;
        options.timeout = within / SHARE;
        let provider = TokioRuntimeProvider::default();
        let servers = TokioResolver::builder_with_config(config, provider).with_options(options);
        Some(Known { changes, hosts, servers: servers.build().ok()? })
    }
}

/// As the C library does without a configuration.
fn local_server() -> (ResolverConfig, ResolverOpts) {
    let server = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
    (ResolverConfig::from_parts(None, vec![], vec![server]), ResolverOpts::default())
}

impl Known {
    /// Whether the files are still those that were read.
    pub(super) fn is_of(&self, files: &SystemFiles) -> bool {
        self.changes == files.changes()
    }

    /// A name that the hosts file has is not asked for elsewhere, of neither kind of address.
    pub(super) fn in_hosts(&self, name: &Name) -> Vec<IpAddr> {
        let kinds = [RecordType::A, RecordType::AAAA];
        let found =
            kinds.map(|kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind)));
        found.into_iter().flatten().flat_map(LookupIp::from).collect()
    }

    /// Both kinds of addresses. `None`: it has none, or no server answers.
    pub(super) async fn look_up(&self, name: Name) -> Option<Vec<IpAddr>> {
        let found = self.servers.lookup_ip(name).await.ok()?;
        Some(found.into_iter().collect())
    }
}
