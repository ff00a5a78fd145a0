//! The proxies before services whose network has faults, on a thread of their own.

use std::thread::{Builder, JoinHandle};

use drivers::proxy::FaultProxy;
use load_engine::Failure;
use tokio::runtime;
use tokio::task::LocalSet;

use super::program::Program;

/// The proxies of a run; none where its file has no fault of the network.
#[derive(Default)]
pub(super) struct Proxies {
    /// Service by service.
    proxies: Vec<Option<FaultProxy>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxies {
    /// Puts a proxy before each service whose network has faults, and leads its connections there.
    pub(super) fn start(program: &Program) -> Result<Self, Failure> {
        let needs_one = |number: usize| {
            let mut faults = program.faults.iter();
            faults.any(|fault| fault.service == number && fault.network.is_some())
        };
        if !(0..program.services.len()).any(needs_one) {
            return Ok(Self::default());
        }
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (mut proxies, mut carriers) = (Vec::new(), Vec::new());
        for (number, service) in program.services.iter().enumerate() {
            let address = service.driver.address().filter(|_| needs_one(number));
            let Some(address) = address else {
                proxies.push(None);
                continue;
            };
            let (proxy, carrier) = runtime.block_on(FaultProxy::listen(address, program.seed))?;
            service.detour.set(proxy.address());
            proxies.push(Some(proxy));
            carriers.push(carrier);
        }
        let carry = move || {
            let all = LocalSet::new();
            for carrier in carriers {
                all.spawn_local(carrier.serve());
            }
            runtime.block_on(all);
        };
        let thread = Builder::new()
            .name("harness:proxies".to_owned())
            .spawn(carry)?;
        Ok(Self {
            proxies,
            thread: Some(thread),
        })
    }

    /// The proxy before a service.
    pub(super) fn of(&self, service: usize) -> Option<&FaultProxy> {
        self.proxies.get(service)?.as_ref()
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        // Without its switch a proxy ends.
        self.proxies.clear();
        if let Some(thread) = self.thread.take() {
            // A panic was its own; the load's figures tell of it.
            let _ = thread.join();
        }
    }
}
