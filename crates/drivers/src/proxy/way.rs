//! What is known of a connection on its way, and the faults that happen to it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::fault::{ActiveFault, Direction, NetworkFault};
use super::turns::Turns;
use crate::net::Address;
use crate::values::Random;

/// How many pieces of a copied request wait to be sent.
const COPIED: usize = 64;

/// Shares are drawn from so many.
const WHOLE: u64 = 1_000_000;

/// What one connection is carried by.
pub(super) struct Carrier {
    pub(super) service: Arc<Address>,
    pub(super) active: watch::Receiver<Vec<ActiveFault>>,
    pub(super) seed: u64,
    /// The number of the connection.
    pub(super) number: u64,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// In good order.
    Closed,
    /// By a reset, which discards what is under way.
    Reset,
}

/// What is known of a connection on its way.
pub(super) struct Way<'c> {
    carrier: &'c Carrier,
    turns: RefCell<Turns>,
    /// Whether the answer to the request under way is lost.
    loses_answer: Cell<bool>,
    /// How many bytes have come since a limit was set, by direction.
    carried: [Cell<u64>; 2],
    /// Takes the bytes of the request under way, if they are sent twice.
    copy: RefCell<Option<mpsc::Sender<Vec<u8>>>>,
    copies: &'c dyn Fn(mpsc::Receiver<Vec<u8>>),
}

impl<'c> Way<'c> {
    /// A connection that carries nothing yet.
    pub(super) fn new(carrier: &'c Carrier, copies: &'c dyn Fn(mpsc::Receiver<Vec<u8>>)) -> Self {
        Self {
            carrier,
            turns: RefCell::default(),
            loses_answer: Cell::new(false),
            carried: Default::default(),
            copy: RefCell::default(),
            copies,
        }
    }

    /// The faults that are on and happen to this connection.
    fn faults(&self) -> Vec<ActiveFault> {
        let active = self.carrier.active.borrow();
        let of_this = active.iter().filter(|fault| self.draws(fault, 0));
        of_this.copied().collect()
    }

    /// Whether a fault happens to the connection, or to one of its requests.
    fn draws(&self, fault: &ActiveFault, request: u64) -> bool {
        let at = [
            self.carrier.seed,
            fault.number,
            self.carrier.number,
            request,
        ];
        (Random::of(&at).below(WHOLE) as f64) < fault.share * WHOLE as f64
    }

    /// The value of the first fault of a kind, in a direction, of the connection.
    fn first<T>(
        &self,
        direction: Direction,
        value: impl Fn(NetworkFault) -> Option<T>,
    ) -> Option<T> {
        let faults = self.faults().into_iter();
        let mut faults = faults.filter(|fault| fault.direction.is_none_or(|of| of == direction));
        faults.find_map(|fault| value(fault.fault))
    }

    /// Whether a fault of a kind happens to a request.
    fn happens(&self, kind: NetworkFault, request: u64) -> bool {
        let active = self.carrier.active.borrow();
        let mut active = active.iter();
        active.any(|fault| fault.fault == kind && self.draws(fault, request))
    }

    /// Bytes have come: how many of them are carried on, and how the connection ends with them if it does.
    pub(super) fn arrived(&self, direction: Direction, bytes: &[u8]) -> (usize, Option<End>) {
        match direction {
            Direction::Requests => {
                if let Some(request) = self.turns.borrow_mut().asked() {
                    self.begin(request);
                }
                if let Some(copy) = &*self.copy.borrow() {
                    // A copy that cannot keep up is none.
                    let _ = copy.try_send(bytes.to_vec());
                }
            }
            Direction::Answers => {
                self.turns.borrow_mut().answered();
                self.copy.take();
                if self.loses_answer.get() {
                    return (0, Some(End::Reset));
                }
            }
        }
        let limit = self.first(direction, |fault| match fault {
            NetworkFault::LimitData(limit) => Some(limit),
            _ => None,
        });
        let carried = &self.carried[direction as usize];
        let Some(limit) = limit else {
            carried.set(0);
            return (bytes.len(), None);
        };
        let left = limit.saturating_sub(carried.get());
        carried.set(carried.get() + bytes.len() as u64);
        match usize::try_from(left) {
            Ok(left) if left < bytes.len() => (left, Some(End::Closed)),
            _ => (bytes.len(), None),
        }
    }

    /// A request begins: what happens to it is drawn.
    fn begin(&self, request: u64) {
        let loses = self.happens(NetworkFault::DropAnswer, request);
        self.loses_answer.set(loses);
        if self.happens(NetworkFault::Duplicate, request) {
            let (sender, bytes) = mpsc::channel(COPIED);
            (self.copies)(bytes);
            self.copy.replace(Some(sender));
        }
    }

    /// When bytes that came now are carried on.
    pub(super) fn due(&self, direction: Direction) -> Instant {
        let latency = self.first(direction, |fault| match fault {
            NetworkFault::Latency(latency) => Some(latency),
            _ => None,
        });
        Instant::now() + latency.unwrap_or_default()
    }

    /// How many bytes a second get through, if they are limited.
    pub(super) fn bandwidth(&self, direction: Direction) -> Option<u64> {
        self.first(direction, |fault| match fault {
            NetworkFault::Bandwidth(rate) => Some(rate),
            _ => None,
        })
    }

    /// Waits while nothing gets through.
    pub(super) async fn is_open(&self, direction: Direction) {
        self.until(|| {
            let closed = self.first(direction, |fault| {
                (fault == NetworkFault::Timeout).then_some(())
            });
            closed.is_none()
        })
        .await;
    }

    /// Waits until the connection is reset.
    pub(super) async fn is_reset(&self) {
        self.until(|| {
            let faults = self.faults();
            let mut faults = faults.iter();
            faults.any(|fault| fault.fault == NetworkFault::ResetPeer)
        })
        .await;
    }

    /// Waits until something holds, which faults that are switched on or off may change.
    async fn until(&self, holds: impl Fn() -> bool) {
        let mut active = self.carrier.active.clone();
        while !holds() {
            if active.changed().await.is_err() {
                // Whoever switches faults is gone, and ends this.
                std::future::pending::<()>().await;
            }
        }
    }
}
