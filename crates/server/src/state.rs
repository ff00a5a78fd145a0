//! What every handler has: the gate, the tokens, the figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use memory_store::MemoryStore;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::access::rates::Limiter;
use crate::access::tokens::{Tokens, random};
use crate::effective::Effective;
use crate::gate::Gate;
use crate::hooks::call::Calls;
use crate::http::figures::Figures;
use crate::http::lane::Lanes;
use crate::http::problem::{Code, Problem};
use crate::http::sse::Clients;
use crate::inbox::origin::Origins;
use crate::inbox::session::Sessions;
use crate::mcp::tools::Tools;
use crate::records::streams::Streams;
use crate::simulations::forecast::Forecaster;

pub(crate) type App = Arc<AppState>;

pub(crate) struct AppState {
    pub(crate) gate: Gate,
    pub(crate) tokens: Tokens,
    pub(crate) limiter: Limiter,
    pub(crate) streams: Streams,
    /// The transcripts of conversations, one log for each agent.
    pub(crate) chat: Streams,
    pub(crate) memory: MemoryStore,
    pub(crate) forecaster: Arc<Forecaster>,
    pub(crate) sessions: Sessions,
    pub(crate) origins: Origins,
    pub(crate) calls: Calls,
    pub(crate) figures: Figures,
    pub(crate) lanes: Lanes,
    /// Who listens to events.
    pub(crate) clients: Clients,
    /// Calls that wait for something to change.
    pub(crate) waits: Semaphore,
    pub(crate) request_ids: RequestIds,
    /// Set for good once a log refused a write.
    pub(crate) store_failed: AtomicBool,
    pub(crate) is_stopping: AtomicBool,
    /// What `GET /config` and `GET /openapi.json` answer, which does not change.
    pub(crate) effective: Effective,
    pub(crate) openapi: Vec<u8>,
    pub(crate) tools: Tools,
}

impl AppState {
    /// A place among the calls that wait.
    pub(crate) fn wait(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let place = self.waits.try_acquire();
        place.map_err(|_| Problem::new(Code::TooManyWaits, "too many calls wait for a decision"))
    }
}

/// Ids that differ also from those of a run before.
#[derive(Debug)]
pub(crate) struct RequestIds {
    run: String,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        let (run, next) = (random::<6>(), AtomicU64::new(1));
        Self { run, next }
    }

    pub(crate) fn next(&self) -> String {
        format!(
            "q-{}-{}",
            self.run,
            self.next.fetch_add(1, Ordering::Relaxed)
        )
    }
}
