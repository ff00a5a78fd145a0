//! What the network between a driver and its service can do.

use std::time::Duration;

/// What a network can do to the bytes that it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkFault {
    /// Bytes arrive so much later.
    Latency(Duration),
    /// So many bytes a second get through.
    Bandwidth(u64),
    /// Nothing gets through; what was sent meanwhile arrives when the fault is over.
    Timeout,
    /// Connections are reset.
    ResetPeer,
    /// A connection is closed after so many bytes.
    LimitData(u64),
    /// A request reaches the service, whose answer does not come back: the connection is reset.
    DropAnswer,
    /// A request reaches the service twice, over two connections; one of the answers comes back.
    Duplicate,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the driver to the service.
    Requests,
    /// From the service to the driver.
    Answers,
}

/// A fault that is switched on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActiveFault {
    /// Tells it from others, also where the share is drawn.
    pub number: u64,
    /// What happens.
    pub fault: NetworkFault,
    /// To which share of connections, of requests if it happens to those: from 0 to 1.
    pub share: f64,
    /// Which way; both if it does not say.
    pub direction: Option<Direction>,
}
