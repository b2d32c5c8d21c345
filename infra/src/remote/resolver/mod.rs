//! Looks up the addresses of host names: asks name servers itself, since a look-up by the C library keeps a
//! thread of the pool of blocking calls for longer than its caller waits.

mod files;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use domain::WorkspaceId;
use domain::server::ConnectFailure;
use hickory_resolver::proto::rr::Name;
use tokio::sync::{AcquireError, Mutex as AsyncMutex, Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use files::{Known, SystemFiles};

use super::{Address, AddressError, RemoteError};

/// Look-ups at once. Each has up to 6 sockets: for both kinds of addresses, and sent three times.
const LOOKUPS_MAX: usize = 64;
/// Of these for one workspace: its names may never be answered.
const LOOKUPS_OF_ONE_MAX: usize = 8;

const NOT_FOUND: RemoteError = RemoteError::Address(AddressError::NotAllowed);
const NO_PLACE: RemoteError = RemoteError::TimedOut(ConnectFailure::Address);

/// Keeps no answers: an address is looked up for each connection. Clones share the limits.
#[derive(Clone)]
pub(super) struct Resolver(Arc<Shared>);

struct Shared {
    files: SystemFiles,
    within: Duration,
    known: AsyncMutex<Option<Arc<Known>>>,
    all: Semaphore,
    /// By workspace; `None` for addresses that belong to nobody.
    each: Mutex<HashMap<Option<WorkspaceId>, Weak<Semaphore>>>,
}

impl Resolver {
    /// With the system's name servers and its hosts file. A look-up takes no longer than `within`, and
    /// waits no longer for its turn.
    pub(super) fn new(within: Duration) -> Self {
        Self::of(SystemFiles::default(), within)
    }

    fn of(files: SystemFiles, within: Duration) -> Self {
        Self(Arc::new(Shared {
            files,
            within,
            known: AsyncMutex::default(),
            all: Semaphore::new(LOOKUPS_MAX),
            each: Mutex::default(),
        }))
    }

    /// The addresses of a host that is well-formed. One that is an IP address, or that is in the hosts file,
    /// is not asked for.
    ///
    /// # Errors
    /// `Address`: no address was found. `TimedOut`: too many names are looked up.
    pub(super) async fn resolve(&self, address: &Address) -> Result<Vec<IpAddr>, RemoteError> {
        if let Ok(ip) = address.host.parse() {
            return Ok(vec![ip]);
        }
        let name = Name::from_ascii(&address.host).map_err(|_| NOT_FOUND)?;
        let known = self.known().await.ok_or(NOT_FOUND)?;
        let in_hosts = known.in_hosts(&name);
        if !in_hosts.is_empty() {
            return Ok(in_hosts);
        }
        let Shared { within, all, .. } = &*self.0;
        let own = self.places_of(address.workspace);
        let places = timeout(*within, take_places(&own, all)).await;
        let _places = places.map_err(|_| NO_PLACE)?.map_err(|_| NO_PLACE)?;
        timeout(*within, known.look_up(name)).await.ok().flatten().ok_or(NOT_FOUND)
    }

    /// What the files say; they are read again when they have changed.
    async fn known(&self) -> Option<Arc<Known>> {
        let Shared { files, within, known, .. } = &*self.0;
        let mut known = known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.is_of(files)) {
            return Some(Arc::clone(known));
        }
        let (files, within) = (files.clone(), *within);
        let read = spawn_blocking(move || files.read(within)).await.ok().flatten()?;
        Some(Arc::clone(known.insert(Arc::new(read))))
    }

    fn places_of(&self, workspace: Option<WorkspaceId>) -> Arc<Semaphore> {
        let mut each = self.0.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = each.get(&workspace).and_then(Weak::upgrade) {
            return places;
        }
        each.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(LOOKUPS_OF_ONE_MAX));
        each.insert(workspace, Arc::downgrade(&places));
        places
    }
}

/// First one of its own: whoever waits for that is not in the way of others.
async fn take_places<'a>(
    own: &'a Semaphore,
    all: &'a Semaphore,
) -> Result<[SemaphorePermit<'a>; 2], AcquireError> {
    Ok([own.acquire().await?, all.acquire().await?])
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("free", &self.0.all.available_permits()).finish()
    }
}
