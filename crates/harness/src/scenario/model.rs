//! The model of load that a file describes.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use load_engine::{Model, RateStage, Schedule, Spacing, ThinkTime, Until, UserStage};

use super::key_path::{KeyPath, SpecError};
use super::phases::TimedPhase;
use crate::targets::DiskUse;

use super::spec::{ArrivalKind, Course, Executor, ModelKind, ScenarioSpec, ThinkSpec};

/// More threads than this are a slip of the finger.
const MOST_THREADS: u32 = 10_000;

/// As many tasks, of which each costs tens of kilobytes.
const MOST_TASKS: u32 = 100_000;

/// Steps of a course.
const MOST_STEPS: u32 = 1_000;

/// What may be under way at once in an open model unless the file says.
const MAX_IN_FLIGHT: u32 = 100;

pub(super) fn compile(spec: &ScenarioSpec, timed: &[TimedPhase<'_>]) -> Result<Model, SpecError> {
    refuse_the_other_kind(spec)?;
    match spec.model.kind {
        ModelKind::Open => open(spec, timed),
        ModelKind::Closed if timed.is_empty() => closed(spec),
        ModelKind::Closed => staged(spec, timed),
    }
}

fn most_users(spec: &ScenarioSpec) -> u32 {
    match spec.model.executor {
        Executor::Threads => MOST_THREADS,
        Executor::Tokio => MOST_TASKS,
    }
}

/// How many users stand at most.
pub(super) fn users_at_most(model: &Model) -> u32 {
    model.users().get()
}

/// Refuses what belongs to another kind of model than the file's.
fn refuse_the_other_kind(spec: &ScenarioSpec) -> Result<(), SpecError> {
    let model = &spec.model;
    let phased = !spec.phases.is_empty();
    let closed = model.kind == ModelKind::Closed;
    let counted = [
        ("users", model.users.is_some()),
        ("iterations", model.iterations.is_some()),
        ("total_iterations", model.total_iterations.is_some()),
        ("for", model.length.is_some()),
    ];
    for (key, is_set) in counted {
        let problem = if closed {
            "the phases say how many users there are and for how long: leave this out"
        } else {
            "in an open model arrivals come by the phases' `rate`: leave this out"
        };
        if is_set && (phased || !closed) {
            return Err(SpecError::new(KeyPath::to("model").then(key), problem));
        }
    }
    let of_open = [
        ("arrivals", model.arrivals.is_some()),
        ("max_in_flight", model.max_in_flight.is_some()),
        ("max_start_delay", model.max_start_delay.is_some()),
    ];
    for (key, is_set) in of_open {
        if is_set && closed {
            let problem = "this is for arrivals: leave it out, or set kind = \"open\"";
            return Err(SpecError::new(KeyPath::to("model").then(key), problem));
        }
    }
    if model.think_time.is_some() && !closed {
        let problem = "arrivals do not think: leave it out, or set kind = \"closed\"";
        return Err(SpecError::new(
            KeyPath::to("model").then("think_time"),
            problem,
        ));
    }
    for (number, phase) in spec.phases.iter().enumerate() {
        let at = KeyPath::to("phases").then(number);
        if closed && phase.rate.is_some() {
            let problem = "users come in a closed model: take `users`, or set kind = \"open\"";
            return Err(SpecError::new(at.then("rate"), problem));
        }
        if !closed && phase.users.is_some() {
            let problem = "arrivals come in an open model: take `rate`, or set kind = \"closed\"";
            return Err(SpecError::new(at.then("users"), problem));
        }
    }
    Ok(())
}

fn closed(spec: &ScenarioSpec) -> Result<Model, SpecError> {
    let model = &spec.model;
    let (at, most) = (KeyPath::to("model"), most_users(spec));
    let users = model.users.ok_or_else(|| {
        let problem = "say how many users there are: users = 10, or take phases";
        SpecError::new(at.clone(), problem)
    })?;
    let users = NonZeroU32::new(users)
        .filter(|users| users.get() <= most)
        .ok_or_else(|| SpecError::new(at.then("users"), format!("expected 1 to {most} users")))?;
    let until = match (model.iterations, model.total_iterations, model.length) {
        (Some(each), None, None) => Until::Iterations(
            NonZeroU64::new(each)
                .ok_or_else(|| SpecError::new(at.then("iterations"), "expected at least 1"))?,
        ),
        (None, Some(total), None) => Until::Iterations(
            NonZeroU64::new(total.div_ceil(users.get().into())).ok_or_else(|| {
                SpecError::new(at.then("total_iterations"), "expected at least 1")
            })?,
        ),
        (None, None, Some(time)) => Until::Elapsed(time.0),
        (None, None, None) => {
            let problem = "say how long the load is: iterations = 100, or for = \"30s\"";
            return Err(SpecError::new(at, problem));
        }
        (_, _, length) => {
            let problem =
                "the load ends by `iterations`, `total_iterations` or `for`: take one of them";
            let key = if length.is_some() {
                "for"
            } else {
                "total_iterations"
            };
            return Err(SpecError::new(at.then(key), problem));
        }
    };
    Ok(Model::Closed { users, until })
}

fn staged(spec: &ScenarioSpec, timed: &[TimedPhase<'_>]) -> Result<Model, SpecError> {
    let most = most_users(spec);
    let mut stages = Vec::new();
    for phase in timed {
        let at = phase.path();
        let course = phase.spec.users.ok_or_else(|| {
            SpecError::new(at.clone(), "say how many users there are: users = 10")
        })?;
        let at = at.then("users");
        check_course(course, &at)?;
        let whole = |number: f64| -> Result<u32, SpecError> {
            if number.fract() == 0.0 && number <= f64::from(most) {
                return Ok(number as u32);
            }
            let problem = format!("expected whole numbers of users, up to {most}");
            Err(SpecError::new(at.clone(), problem))
        };
        let (from, to) = (whole(course.from)?, whole(course.to)?);
        match course.steps {
            Some(steps) => stages.extend(UserStage::stepped(from, to, steps, phase.length)),
            None => stages.push(UserStage::ramp(from, to, phase.length)),
        }
    }
    if stages.iter().all(|stage| stage.from.max(stage.to) == 0) {
        let problem = "there is no user in any phase: give one some";
        return Err(SpecError::new(KeyPath::to("phases"), problem));
    }
    Ok(Model::staged(stages))
}

fn open(spec: &ScenarioSpec, timed: &[TimedPhase<'_>]) -> Result<Model, SpecError> {
    let model = &spec.model;
    if timed.is_empty() {
        let problem = "an open model needs phases with a `rate`";
        return Err(SpecError::new(KeyPath::to("model").then("kind"), problem));
    }
    let mut stages = Vec::new();
    for phase in timed {
        let at = phase.path();
        let course = phase.spec.rate.ok_or_else(|| {
            SpecError::new(at.clone(), "say how many arrive in a second: rate = 100")
        })?;
        check_course(course, &at.then("rate"))?;
        match course.steps {
            Some(steps) => {
                let stepped = Schedule::stepped(course.from, course.to, steps, phase.length);
                stages.extend(stepped.stages);
            }
            None => stages.push(RateStage {
                from_per_s: course.from,
                to_per_s: course.to,
                duration: phase.length,
            }),
        }
    }
    let schedule = Schedule {
        stages,
        spacing: match model.arrivals.unwrap_or(ArrivalKind::Uniform) {
            ArrivalKind::Uniform => Spacing::Uniform,
            ArrivalKind::Poisson => Spacing::Poisson,
        },
    };
    if schedule.arrivals() == 0 {
        let problem = "no phase has arrivals: set `rate` in at least one phase";
        return Err(SpecError::new(KeyPath::to("phases"), problem));
    }
    let most = most_users(spec);
    let at = KeyPath::to("model").then("max_in_flight");
    let in_flight = NonZeroU32::new(model.max_in_flight.unwrap_or(MAX_IN_FLIGHT))
        .filter(|in_flight| in_flight.get() <= most)
        .ok_or_else(|| SpecError::new(at, format!("expected 1 to {most}")))?;
    Ok(
        match (Model::open(schedule, in_flight), model.max_start_delay) {
            (
                Model::Open {
                    schedule,
                    max_in_flight,
                    ..
                },
                Some(max_start_delay),
            ) => Model::Open {
                schedule,
                max_in_flight,
                max_start_delay: max_start_delay.0,
            },
            (model, _) => model,
        },
    )
}

fn check_course(course: Course, at: &KeyPath) -> Result<(), SpecError> {
    for number in [course.from, course.to] {
        if !(0.0..=1e9).contains(&number) {
            return Err(SpecError::new(
                at.clone(),
                "expected a number that is not negative",
            ));
        }
    }
    if course
        .steps
        .is_some_and(|steps| !(1..=MOST_STEPS).contains(&steps))
    {
        let problem = format!("expected 1 to {MOST_STEPS} steps");
        return Err(SpecError::new(at.then("steps"), problem));
    }
    Ok(())
}

pub(super) fn think_time(spec: &ScenarioSpec) -> Result<ThinkTime, SpecError> {
    Ok(match spec.model.think_time {
        None => ThinkTime::None,
        Some(ThinkSpec::Constant(time)) => ThinkTime::Constant(time.0),
        Some(ThinkSpec::Exponential { exponential }) => ThinkTime::Exponential(exponential.0),
        Some(ThinkSpec::Uniform { from, to }) if from <= to => ThinkTime::Uniform {
            from: from.0,
            to: to.0,
        },
        Some(ThinkSpec::Uniform { .. }) => {
            let at = KeyPath::to("model").then("think_time");
            return Err(SpecError::new(at, "`from` must not be longer than `to`"));
        }
    })
}

/// What the load writes, by a generous estimate: records with their indexes and journals.
pub(super) fn needed_bytes(model: &Model, target: DiskUse) -> u64 {
    const PER_ITERATION: u64 = 8 << 10;
    /// Of users that do what they can: small records as a fast disk takes them in a second.
    const PER_SECOND: u64 = 32 << 20;
    /// A longer load of that kind is not refused for what it might write: a disk that becomes full
    /// ends it, with an error of its own.
    const AT_MOST: u64 = 512 << 20;
    const AT_LEAST: u64 = 16 << 20;
    if target.writes_nothing {
        return AT_LEAST;
    }
    let length: Duration = match model {
        Model::Closed {
            until: Until::Elapsed(time),
            ..
        } => *time,
        Model::Staged { stages } => stages.iter().map(|stage| stage.duration).sum(),
        _ => Duration::ZERO,
    };
    let written = match model.planned_iterations() {
        Some(iterations) => {
            iterations.saturating_mul(PER_ITERATION.saturating_add(target.bytes_per_iteration))
        }
        None => (length.as_secs().saturating_add(1))
            .saturating_mul(PER_SECOND)
            .min(AT_MOST),
    };
    let before = target.records_before.saturating_mul(PER_ITERATION);
    written.saturating_add(before).saturating_add(AT_LEAST)
}
