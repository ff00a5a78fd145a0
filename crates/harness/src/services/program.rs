//! What a file is compiled to: services, flows and effects with every name resolved.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use drivers::proxy::ActiveFault;
use drivers::{
    AnyDriver, AnyRequest, Code, Detour, Draw, JsonPath, Secrets, Slot, Template, Traits,
};
use load_engine::{Mix, StepSpec, ThinkTime};

use super::spec::StopSignal;

/// A file, compiled for one run.
pub(super) struct Program {
    /// The run's id.
    pub(super) run: Box<str>,
    pub(super) secrets: Secrets,
    pub(super) services: Vec<Service>,
    pub(super) flows: Vec<Flow>,
    /// Of each phase; of the whole load if there are none.
    pub(super) mixes: Vec<Mix<usize>>,
    pub(super) run_setup: Vec<Step>,
    pub(super) user_setup: Vec<Step>,
    pub(super) teardown: Vec<Step>,
    pub(super) effects: Vec<EffectKind>,
    /// Whether the model is open.
    pub(super) is_open: bool,
    pub(super) seed: u64,
    /// Where programs are started.
    pub(super) folder: PathBuf,
    /// The fields of a record that each user has for good, if its set-up names some.
    pub(super) user_data: Fields,
    pub(super) invariants: Vec<Invariant>,
    /// What happens to services during the load, as it comes.
    pub(super) faults: Vec<Fault>,
    /// The names of the times that are measured beside steps, by their numbers.
    pub(super) parts: Vec<String>,
}

/// A request whose answer is always the same.
pub(super) struct Invariant {
    pub(super) name: Box<str>,
    pub(super) step: Step,
    /// Whether the file says what the answer is; else it is the one before the load.
    pub(super) has_expect: bool,
    pub(super) every: Duration,
}

/// What happens to a service during the load.
pub(super) struct Fault {
    /// Since the load began.
    pub(super) at: Duration,
    pub(super) length: Duration,
    pub(super) kind: FaultKind,
    pub(super) service: usize,
    pub(super) service_name: Box<str>,
    /// What the network does, if it is that: over a proxy.
    pub(super) network: Option<ActiveFault>,
    /// What is told of it besides its kind.
    pub(super) detail: Option<String>,
}

pub(super) use super::spec::FaultKind;

/// The fields of a record of `[data]`, and where their values go; none where nothing names them.
pub(super) type Fields = Box<[(JsonPath, Slot)]>;

/// A service.
pub(super) struct Service {
    pub(super) name: Box<str>,
    pub(super) driver: AnyDriver,
    pub(super) timeout: Duration,
    pub(super) start: Option<Vec<String>>,
    pub(super) restart: Option<Vec<String>>,
    pub(super) stop_signal: StopSignal,
    pub(super) ready: Option<AnyRequest>,
    /// Whether its driver starts it, as a program that all users share.
    pub(super) is_program: bool,
    /// Settings that it has to have.
    pub(super) require: Vec<(String, String)>,
    /// Connections that users share.
    pub(super) pool: Option<PoolPlan>,
    /// Leads its connections to a proxy.
    pub(super) detour: Detour,
    /// The number of the time that connecting takes.
    pub(super) connect_part: usize,
}

/// Connections that users share.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolPlan {
    pub(super) size: NonZeroUsize,
    pub(super) wait: Duration,
    /// The number of the time that waiting takes.
    pub(super) wait_part: usize,
}

impl Service {
    /// Whether it can be restarted: by its commands, or as a program that its driver starts.
    pub(super) fn restarts(&self) -> bool {
        self.start.is_some() || self.restart.is_some() || self.is_program
    }
}

/// What a user does in an iteration.
pub(super) struct Flow {
    pub(super) name: Box<str>,
    pub(super) steps: Vec<Step>,
    /// The fields of a record that each iteration has, if its steps name some.
    pub(super) data: Fields,
}

/// One request, what is expected of its answer, and what it leaves.
pub(super) struct Step {
    pub(super) spec: StepSpec,
    pub(super) request: Request,
    pub(super) draws: Box<[Draw]>,
    pub(super) expect: Expect,
    pub(super) captures: Box<[Capture]>,
    pub(super) effects: Box<[EffectPlan]>,
    pub(super) retry: Option<Retry>,
    pub(super) poll: Option<Poll>,
    pub(super) repeat: u8,
    pub(super) think_time: ThinkTime,
    /// The numbers of the times of a stream.
    pub(super) stream_parts: Option<StreamParts>,
    /// The number of the time of its first variant, once all variants are known.
    pub(super) variants: OnceLock<usize>,
}

/// The numbers of the times of a step whose answer is a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamParts {
    pub(super) first_byte: usize,
    pub(super) first_event: usize,
    pub(super) event_gap: usize,
}

/// A request to one of the services.
pub(super) struct Request {
    pub(super) service: usize,
    pub(super) request: AnyRequest,
    pub(super) traits: Traits,
}

/// What an answer has to be.
#[derive(Default)]
pub(super) struct Expect {
    /// Any of these; none for the protocol's own judgement.
    pub(super) statuses: Vec<u16>,
    pub(super) exists: Vec<JsonPath>,
    pub(super) equals: Vec<(JsonPath, Expected)>,
    /// What some codes mean, before the protocol's own judgement.
    pub(super) outcomes: Vec<(Code, Meaning)>,
    /// Whether a stream of events is expected, of which one has to come.
    pub(super) is_stream: bool,
}

/// What a code means for the effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Acknowledged,
    Refused,
    Unknown,
}

/// The value that is expected at a JSONPath.
pub(super) enum Expected {
    /// This text, whatever the value's type.
    Text(Template),
    /// This JSON, in its canonical form.
    Json(Vec<u8>),
}

/// A value that is taken from an answer.
pub(super) struct Capture {
    pub(super) name: Box<str>,
    pub(super) slot: Slot,
    pub(super) from: Source,
}

/// Where a captured value is.
pub(super) enum Source {
    Path(JsonPath),
    Header(Box<str>),
}

/// What a step does to an effect.
pub(super) struct EffectPlan {
    pub(super) verb: Verb,
    /// Which of the file's effects.
    pub(super) effect: usize,
    pub(super) key: Template,
    /// What is in it; of `adds` how much is added.
    pub(super) content: Option<Template>,
}

/// What can be done to an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Creates,
    Updates,
    Removes,
    Adds,
    Reads,
}

/// What is tried again.
pub(super) struct Retry {
    pub(super) times: u32,
    pub(super) on: Box<[Code]>,
    pub(super) delay: Duration,
    /// The per-user set-up step that runs again first.
    pub(super) rerun: Option<usize>,
}

/// How a step is repeated until its expectation holds.
pub(super) struct Poll {
    pub(super) every: Duration,
    pub(super) timeout: Duration,
}

/// An effect, and how it is read back.
pub(super) struct EffectKind {
    /// It lives as long as the program: the ledger of a run names it in each entry.
    pub(super) name: &'static str,
    pub(super) read: Option<ReadPlan>,
    pub(super) delete: Option<Request>,
    pub(super) settle: Duration,
    /// Whether a listing gives a user's effects in the order of their acknowledgement.
    pub(super) is_ordered: bool,
    /// The effect with which it is there or not.
    pub(super) together_with: Option<usize>,
    /// The number of the time until it is seen, if it may take some.
    pub(super) visible_part: Option<usize>,
    /// Whether steps say what is in it.
    pub(super) has_content: bool,
    /// Whether it is a number that steps add to.
    pub(super) is_sum: bool,
    /// Whether its keys are given by the service, so that a row without the run's id may be this run's.
    pub(super) has_captured_keys: bool,
}

/// How an effect is read back.
pub(super) struct ReadPlan {
    pub(super) request: Request,
    pub(super) scope: ReadScope,
    pub(super) rows: JsonPath,
    /// The list that a listing's rows are in, which its answers have.
    pub(super) list: Option<JsonPath>,
    /// None where the key that is asked for is the row's.
    pub(super) key: Option<JsonPath>,
    pub(super) content: JsonPath,
    pub(super) next: Option<JsonPath>,
}

/// How often a request is made, by what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadScope {
    /// Once.
    Listing,
    /// Once for each user.
    PerUser,
    /// Once for each key.
    PerKey,
}

impl ReadScope {
    /// How often a request that depends on this is made.
    pub(super) fn of(traits: Traits) -> Self {
        if traits.has(Traits::KEY) {
            Self::PerKey
        } else if traits.has(Traits::OF_USER) {
            Self::PerUser
        } else {
            Self::Listing
        }
    }
}

impl Program {
    /// The names of all times beside steps, those of variants after the others: as far as variants are known.
    /// Each step is told where its own begin, when they are all known.
    pub(super) fn all_parts(&self) -> Vec<String> {
        let mut names = self.parts.clone();
        for step in self.timed_steps() {
            let driver = &self.services[step.request.service].driver;
            let variants = driver.variants(&step.request.request);
            step.variants.get_or_init(|| names.len());
            let of_step = |variant| format!("{}.{variant}", step.spec.name);
            names.extend(variants.into_iter().map(of_step));
        }
        names
    }

    /// Whether a step has variants that only its service can tell.
    pub(super) fn has_unknown_variants(&self, step: &Step) -> bool {
        let driver = &self.services[step.request.service].driver;
        driver.has_unknown_variants(&step.request.request)
    }

    /// Every step of every flow and set-up for each user, in the file's order.
    pub(super) fn timed_steps(&self) -> impl Iterator<Item = &Step> {
        let flows = self.flows.iter().flat_map(|flow| &flow.steps);
        self.user_setup.iter().chain(flows)
    }
}
