//! Steps: their request, values, expectations, and what they leave.

use std::sync::OnceLock;
use std::time::Duration;

use drivers::{Code, Purpose, Reach, Scope, Traits, Var};
use load_engine::{StepSpec as EngineStep, ThinkTime};

use super::super::program::{Capture, Poll, Retry, Source, Step, Verb};
use super::super::spec::{CaptureSpec, CodeSpec, RetrySpec, StepSpec};
use super::asked::Asked;
use super::context::{Context, reach_of};
use super::expect;
use super::places::{key_of, placed};
use super::services::Declared;
use crate::scenario::key_path::unknown;
use crate::{KeyPath, SpecError, ThinkSpec};

/// Where a step stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Flow,
    SetUp(Reach),
    TearDown,
}

impl Place {
    fn purpose(self) -> Purpose {
        match self {
            Self::Flow => Purpose::Flow,
            Self::SetUp(_) | Self::TearDown => Purpose::SetUp,
        }
    }

    /// For how much a captured value is one.
    fn reach(self) -> Reach {
        match self {
            Self::Flow => Reach::Iteration,
            Self::SetUp(reach) => reach,
            Self::TearDown => Reach::Run,
        }
    }
}

/// The most requests that `repeat` asks for.
const MOST_REPEATS: u8 = 100;

impl Context<'_> {
    /// Compiles a step. `only` is the name of a flow that has no other step.
    pub(super) fn step(
        &mut self,
        spec: &StepSpec,
        at: &KeyPath,
        only: Option<&str>,
        place: Place,
        scope: &mut Scope,
    ) -> Result<Step, SpecError> {
        let name = self.name(spec, at, only)?;
        self.check_place(spec, at, place)?;
        scope.begin_step(&name);
        let vars: Vec<Var<'_>> = spec
            .vars
            .iter()
            .map(|(name, text)| Var { name, text })
            .collect();
        scope
            .vars(&vars)
            .map_err(|error| placed(&at.then("vars"), error))?;
        let asked = Asked::by_step(spec, place.purpose(), at)?;
        let request = asked.compile(at, self.services, scope)?;
        let declared = &self.services[request.service];
        let expect = expect::compile(spec, declared, at, scope)?;
        let captures = captures(spec, at, place, scope)?;
        let effects = self.effects.of_step(spec, at, scope)?;
        let retry = self.retry(spec, declared, at, &name)?;
        let poll = poll(spec, at)?;
        let repeat = spec.repeat.unwrap_or(1);
        if !(1..=MOST_REPEATS).contains(&repeat) {
            let problem = format!("`repeat` is 1 to {MOST_REPEATS}");
            return Err(SpecError::new(at.then("repeat"), problem));
        }
        Ok(Step {
            spec: EngineStep::named(name, effects.iter().any(|plan| plan.verb != Verb::Reads)),
            request,
            draws: scope.take_draws(),
            expect,
            captures,
            effects,
            retry,
            poll,
            repeat,
            think_time: think_time(spec.think_time, at)?,
            stream_parts: None,
            variants: OnceLock::new(),
        })
    }

    /// The step's name, which no other one has.
    fn name(
        &mut self,
        spec: &StepSpec,
        at: &KeyPath,
        only: Option<&str>,
    ) -> Result<String, SpecError> {
        let (name, at) = match (&spec.name, only) {
            (Some(name), _) => (name.as_str(), at.then("name")),
            (None, Some(flow)) => (flow, at.clone()),
            (None, None) => {
                let problem = "`name` is missing, such as name = \"place\"";
                return Err(SpecError::new(at.clone(), problem));
            }
        };
        let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        if name.is_empty() || !name.chars().all(plain) {
            let problem = "a name has letters, digits, spaces, `-` and `_`";
            return Err(SpecError::new(at, problem));
        }
        if let Some(other) = self.names.get(name) {
            let problem = format!(
                "there is another step `{name}`, at {other}: step names are unique in a file"
            );
            return Err(SpecError::new(at, problem));
        }
        self.names.insert(name.to_owned(), at);
        Ok(name.to_owned())
    }

    fn check_place(&self, spec: &StepSpec, at: &KeyPath, place: Place) -> Result<(), SpecError> {
        let wrong = |key: &str, problem: &str| Err(SpecError::of_key(at.then(key), problem));
        if spec.per.is_some() && !matches!(place, Place::SetUp(_)) {
            return wrong("per", "`per` belongs to [[setup]]");
        }
        if spec.effect.is_some() && place != Place::Flow {
            return wrong("effect", "`effect` belongs to a step of a flow");
        }
        if spec.poll.is_some() && spec.effect.is_some() {
            let problem = "a step that writes is not polled: put the effect into a step before it";
            return wrong("poll", problem);
        }
        if spec.poll.is_some() && spec.repeat.is_some() {
            return wrong("repeat", "a step is polled or repeated: leave one out");
        }
        Ok(())
    }

    fn retry(
        &self,
        spec: &StepSpec,
        declared: &Declared,
        at: &KeyPath,
        name: &str,
    ) -> Result<Option<Retry>, SpecError> {
        let (retry, at) = match (&spec.retry, &declared.spec.retry) {
            (Some(own), _) => (own, at.then("retry")),
            (None, Some(of_service)) => (of_service, declared.at.then("retry")),
            (None, None) => return Ok(None),
        };
        let rerun = match &retry.rerun {
            // Not for the step itself, whose failure would call for itself again.
            Some(rerun) if rerun == name => None,
            Some(rerun) => {
                let known = self.file.flows.setup.iter();
                let known = known.filter(|step| reach_of(step) == Reach::User);
                let names: Vec<&str> = known.filter_map(|step| step.name.as_deref()).collect();
                let number = names.iter().position(|known| known == rerun);
                Some(number.ok_or_else(|| {
                    let problem = unknown("per-user set-up", rerun, names.iter().copied());
                    SpecError::new(at.then("rerun"), problem)
                })?)
            }
            None => None,
        };
        Ok(Some(Retry {
            times: retry.times,
            on: codes(retry),
            delay: retry.delay.map_or(RETRY_DELAY, |time| time.0),
            rerun,
        }))
    }
}

/// How long a retry waits first, unless it says.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// After what a step is tried again, unless it says.
fn retry_on() -> [Code; 6] {
    [
        Code::Timeout,
        Code::Reset,
        Code::Status(429),
        Code::Status(503),
        // Transactions that could not be done beside others: serialization failure, deadlock.
        Code::word("40001"),
        Code::word("40P01"),
    ]
}

fn codes(retry: &RetrySpec) -> Box<[Code]> {
    let Some(on) = &retry.on else {
        return retry_on().into();
    };
    on.iter()
        .map(|code| match code {
            CodeSpec::Status(status) => Code::Status(*status),
            CodeSpec::Word(word) => Code::from_text(word),
        })
        .collect()
}

fn captures(
    spec: &StepSpec,
    at: &KeyPath,
    place: Place,
    scope: &mut Scope,
) -> Result<Box<[Capture]>, SpecError> {
    let at = at.then("capture");
    let mut captures = Vec::new();
    for (name, from) in &spec.capture {
        let at = at.then(name.as_str());
        let from = match from {
            CaptureSpec::Header { header } => Source::Header(header.to_ascii_lowercase().into()),
            CaptureSpec::Path(path) if !path.starts_with('$') => {
                let problem =
                    format!("`capture` takes a JSONPath such as \"$.id\", not \"{path}\"");
                return Err(SpecError::new(at, problem));
            }
            CaptureSpec::Path(path) => Source::Path(expect::path(path, &at)?),
        };
        let slot = scope
            .define(name, place.reach(), Traits::CAPTURED)
            .map_err(|error| key_of(&at, error))?;
        captures.push(Capture {
            name: name.as_str().into(),
            slot,
            from,
        });
    }
    Ok(captures.into())
}

fn poll(spec: &StepSpec, at: &KeyPath) -> Result<Option<Poll>, SpecError> {
    let Some(poll) = &spec.poll else {
        return Ok(None);
    };
    if poll.every.0.is_zero() {
        let problem = "`every` is longer than nothing, such as 200ms";
        return Err(SpecError::new(at.then("poll").then("every"), problem));
    }
    Ok(Some(Poll {
        every: poll.every.0,
        timeout: poll.timeout.0,
    }))
}

fn think_time(spec: Option<ThinkSpec>, at: &KeyPath) -> Result<ThinkTime, SpecError> {
    Ok(match spec {
        None => ThinkTime::None,
        Some(ThinkSpec::Constant(time)) => ThinkTime::Constant(time.0),
        Some(ThinkSpec::Exponential { exponential }) => ThinkTime::Exponential(exponential.0),
        Some(ThinkSpec::Uniform { from, to }) if from <= to => ThinkTime::Uniform {
            from: from.0,
            to: to.0,
        },
        Some(ThinkSpec::Uniform { .. }) => {
            let problem = "`from` must not be longer than `to`";
            return Err(SpecError::new(at.then("think_time"), problem));
        }
    })
}
