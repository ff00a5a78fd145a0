//! Another way to a service.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

/// Where connections go in place of the service's own address, once it is set: to a proxy.
#[derive(Clone, Debug, Default)]
pub struct Detour(Arc<OnceLock<SocketAddr>>);

impl Detour {
    /// Leads every connection from now on to this address. Only the first call counts.
    pub fn set(&self, proxy: SocketAddr) {
        let _ = self.0.set(proxy);
    }

    pub(crate) fn get(&self) -> Option<SocketAddr> {
        self.0.get().copied()
    }
}
