//! A proxy on loopback between a driver and its service, whose faults are switched on and off.

mod connection;
mod fault;
mod open;
mod pump;
mod turns;
mod way;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_local};

pub use self::fault::{ActiveFault, Direction, NetworkFault};
use self::open::open;
use self::way::Carrier;
use crate::net::Address;

/// A proxy on loopback between a driver and its service. Without faults it carries every byte as it comes.
///
/// It listens as long as this lives.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    service: Arc<Address>,
    faults: watch::Sender<Vec<ActiveFault>>,
}

impl FaultProxy {
    /// Takes a free port of this machine for connections to a service. What is [served](Listening::serve)
    /// carries them; `seed` says to which of them faults happen.
    ///
    /// # Errors
    ///
    /// There is no port.
    pub async fn listen(service: &Address, seed: u64) -> io::Result<(Self, Listening)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (faults, active) = watch::channel(Vec::new());
        let service = Arc::new(service.clone());
        let proxy = Self {
            address: listener.local_addr()?,
            service: Arc::clone(&service),
            faults,
        };
        let listening = Listening {
            listener,
            service,
            active,
            seed,
        };
        Ok((proxy, listening))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks whether the service takes connections, without the proxy's faults.
    ///
    /// # Errors
    ///
    /// It does not.
    pub async fn reaches(&self) -> io::Result<()> {
        open(&self.service).await.map(drop)
    }

    /// Switches a fault on.
    pub fn begin(&self, fault: ActiveFault) {
        self.faults.send_modify(|active| active.push(fault));
    }

    /// Switches the fault with this number off.
    pub fn end(&self, number: u64) {
        let is_other = |fault: &ActiveFault| fault.number != number;
        self.faults.send_modify(|active| active.retain(is_other));
    }
}

/// The part of a proxy that carries bytes.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    service: Arc<Address>,
    active: watch::Receiver<Vec<ActiveFault>>,
    seed: u64,
}

impl Listening {
    /// Carries connections until the proxy is dropped; in a `LocalSet`.
    pub async fn serve(mut self) {
        let mut connections = JoinSet::new();
        let mut number = 0;
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    // A client that is gone before it is taken wants nothing.
                    let Ok((client, _)) = accepted else { continue };
                    number += 1;
                    let carrier = Carrier {
                        service: Arc::clone(&self.service),
                        active: self.active.clone(),
                        seed: self.seed,
                        number,
                    };
                    connections.spawn_local(carry(client, Rc::new(carrier)));
                }
                Some(_) = connections.join_next() => {}
                over = self.active.changed() => if over.is_err() { return },
            }
        }
    }
}

async fn carry(client: TcpStream, carrier: Rc<Carrier>) {
    // What cannot be carried is reset, as by a host without the service.
    let copies = Rc::clone(&carrier);
    connection::carry(client, carrier, |bytes| {
        spawn_local(connection::copy(Rc::clone(&copies), bytes));
    })
    .await;
}
