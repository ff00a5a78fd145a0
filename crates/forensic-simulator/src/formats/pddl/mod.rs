//! Planning domains, problems and plans in PDDL.

mod effect;
pub(crate) mod expression;
mod formula;
mod handler;
mod names;

use std::collections::{BTreeMap, BTreeSet};

use action::{Action, ActionPath, PathPattern};
use serde_json::{Map, Value};

use self::effect::Effect;
use self::expression::Expression;
use self::formula::Formula;
use self::handler::{Goal, Operator, Play};
use self::names::{Names, Typed, typed};
use crate::error::Error;
use crate::plan::workflow::{Step, Workflow};
use crate::run::simulator::SimulatorBuilder;
use crate::world::World;

/// A planning domain in PDDL: types, constants, predicates, and actions with conditions and effects.
///
/// A fact such as `(on a b)` is the key `on/a/b`, which exists where it holds; that an object is of
/// a type is the key `:type/object`. An action is the path `strips/<domain>/<action>`. Deletions
/// come before additions, so what is both deleted and added holds afterwards, and every condition of
/// an effect is looked at in the state before the action.
///
/// The language is described in Ghallab et al., "PDDL, the planning domain definition language"
/// (1998), and Fox and Long, "PDDL2.1" (2003). Of it, `:strips`, `:typing`, `:equality`, `:adl` with its parts
/// (negative, disjunctive and quantified conditions, conditional effects) and `:action-costs` are
/// read.
///
/// ```
/// use forensic_simulator::{StripsDomain, PredictedOutcome, Simulator, Timestamp};
/// let domain = StripsDomain::parse("(define (domain lamp)
///     (:predicates (on ?x) (off ?x))
///     (:action switch :parameters (?x) :precondition (off ?x)
///         :effect (and (on ?x) (not (off ?x)))))")?;
/// let problem = domain.problem("(define (problem p) (:domain lamp)
///     (:objects desk) (:init (off desk)) (:goal (on desk)))")?;
/// let simulator = domain.register(&problem, Simulator::builder()).build()?;
/// let verdict = |plan| -> Result<PredictedOutcome, Box<dyn std::error::Error>> {
///     let plan = simulator.check(domain.plan(plan)?)?;
///     Ok(simulator.simulate(&plan, &problem.world, Timestamp::default()).outcome)
/// };
/// assert_eq!(verdict("(switch desk)")?, PredictedOutcome::Success);
/// assert_eq!(verdict("(switch desk) (switch desk)")?, PredictedOutcome::WouldFail);
/// assert_eq!(verdict("")?, PredictedOutcome::WouldFail); // the goal is not reached
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct StripsDomain {
    name: String,
    names: Names,
    /// By name.
    operators: BTreeMap<String, Operator>,
}

/// The start and the goal of one problem of a [`StripsDomain`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StripsProblem {
    /// What holds at the start.
    pub world: World,
    goal: Formula,
    /// Each object with its types.
    objects: BTreeMap<String, BTreeSet<String>>,
    /// The values of functions at the start, such as `distance/a/b`.
    values: BTreeMap<String, f64>,
}

/// What a domain may require.
const READ: [&str; 10] = [
    ":strips",
    ":typing",
    ":equality",
    ":negative-preconditions",
    ":disjunctive-preconditions",
    ":existential-preconditions",
    ":universal-preconditions",
    ":quantified-preconditions",
    ":conditional-effects",
    ":action-costs",
];

const GOAL: &str = ":goal";

impl StripsDomain {
    /// Reads a domain.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with line and column.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let whole = Expression::parse(text)?;
        let (name, parts) = define(&whole, "domain")?;
        let mut domain = Self {
            name,
            names: Names::default(),
            operators: BTreeMap::new(),
        };
        let mut seen = BTreeSet::new();
        let mut actions = Vec::new();
        for part in parts {
            let (keyword, rest) = part.head()?;
            if keyword != ":action" && !seen.insert(keyword) {
                return Err(part.refuse(format!("there are two sections {keyword}")));
            }
            match keyword {
                ":requirements" => check_requirements(rest)?,
                ":types" => domain.names.add_types(rest)?,
                // What they name may stand in a later section.
                ":constants" | ":predicates" | ":functions" => {}
                ":action" => actions.push((part, rest)),
                other => return Err(part.refuse(format!("{other} is not supported"))),
            }
        }
        for part in parts {
            match part.head()? {
                (":constants", rest) => domain.names.add_objects(rest)?,
                (":predicates", rest) => domain.names.add_predicates(rest)?,
                (":functions", rest) => domain.names.add_functions(rest)?,
                _ => {}
            }
        }
        for (whole, rest) in actions {
            domain.add_action(whole, rest)?;
        }
        Ok(domain)
    }

    fn add_action(&mut self, whole: &Expression, rest: &[Expression]) -> Result<(), Error> {
        let [name, fields @ ..] = rest else {
            return Err(whole.refuse("an action needs a name"));
        };
        let mut parts: BTreeMap<&str, &Expression> = BTreeMap::new();
        for field in fields.chunks(2) {
            let [keyword, value] = field else {
                return Err(field[0].refuse("nothing follows it"));
            };
            let word = keyword.word()?;
            if !matches!(word, ":parameters" | ":precondition" | ":effect") {
                return Err(keyword.refuse(format!("{word} is not supported")));
            }
            if parts.insert(word, value).is_some() {
                return Err(keyword.refuse(format!("there are two {word} in one action")));
            }
        }
        let parameters = match parts.get(":parameters") {
            Some(list) => typed(list.list()?)?,
            None => Vec::new(),
        };
        self.names.check_types(&parameters, whole)?;
        let scope: Vec<Typed> = parameters.clone();
        let precondition = match parts.get(":precondition") {
            Some(formula) => Formula::parse(formula, &self.names, &scope)?,
            None => Formula::And(Vec::new()),
        };
        let effect = match parts.get(":effect") {
            Some(effect) => Effect::parse(effect, &self.names, &scope)?,
            None => Effect::default(),
        };
        let operator = Operator {
            parameters,
            precondition,
            effect,
        };
        if self
            .operators
            .insert(name.word()?.to_owned(), operator)
            .is_some()
        {
            return Err(name.refuse("there are two actions of this name"));
        }
        Ok(())
    }

    /// Reads a problem: objects, what holds at the start, and the goal.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with line and column.
    pub fn problem(&self, text: &str) -> Result<StripsProblem, Error> {
        let whole = Expression::parse(text)?;
        let (_, parts) = define(&whole, "problem")?;
        let mut names = self.names.clone();
        let mut problem = StripsProblem {
            world: World::new(),
            goal: Formula::And(Vec::new()),
            objects: BTreeMap::new(),
            values: BTreeMap::new(),
        };
        let mut seen = BTreeSet::new();
        for part in parts {
            let (keyword, rest) = part.head()?;
            if !seen.insert(keyword) {
                return Err(part.refuse(format!("there are two sections {keyword}")));
            }
            match (keyword, rest) {
                (":domain", [name]) if name.word()? == self.name => {}
                (":domain", _) => {
                    return Err(part.refuse(format!("it is not of domain {:?}", self.name)));
                }
                (":objects", objects) => names.add_objects(objects)?,
                (":requirements", required) => check_requirements(required)?,
                (":init" | ":metric", _) | (":goal", [_]) => {}
                (other, _) => return Err(part.refuse(format!("{other} is not supported"))),
            }
        }
        for (object, kinds) in &names.objects {
            let types = names.types_of(kinds);
            for kind in &types {
                problem.world.insert(format!(":{kind}/{object}"), true);
            }
            problem.objects.insert(object.clone(), types);
        }
        for part in parts {
            match part.head()? {
                (":init", facts) => facts
                    .iter()
                    .try_for_each(|fact| problem.begin(fact, &names))?,
                (":goal", [goal]) => problem.goal = Formula::parse(goal, &names, &[])?,
                _ => {}
            }
        }
        Ok(problem)
    }

    /// Adds what the actions do, and a last action `strips/<domain>/:goal` that needs the goal to
    /// hold.
    #[must_use]
    pub fn register(&self, problem: &StripsProblem, builder: SimulatorBuilder) -> SimulatorBuilder {
        let mut builder = builder;
        for (name, operator) in &self.operators {
            if let Ok(pattern) = PathPattern::new(format!("strips/{}/{name}", self.name)) {
                let play = Play::new(operator.clone(), &problem.objects, &problem.values);
                builder = builder.handler(pattern, play);
            }
        }
        match PathPattern::new(format!("strips/{}/{GOAL}", self.name)) {
            Ok(pattern) => {
                builder.handler(pattern, Goal::new(problem.goal.clone(), &problem.objects))
            }
            Err(_) => builder,
        }
    }

    /// Reads a plan: one `(action object …)` after the other. Its last step checks the goal.
    /// Times before and durations behind an action, as some planners write them, are left out.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with line and column; also for an action that the domain does not have.
    pub fn plan(&self, text: &str) -> Result<Workflow, Error> {
        let mut workflow = Workflow::new(self.name.clone());
        let mut add = |name: &str, parameters: Map<String, Value>| {
            let number = workflow.steps.len();
            let mut action = Action::new(self.path(name)?, name);
            action.parameters = parameters;
            workflow.steps.push(Step {
                id: number.to_string().into(),
                action,
                depends_on: Vec::from_iter(number.checked_sub(1).map(|n| n.to_string().into())),
            });
            Ok::<_, Error>(())
        };
        for step in &Expression::parse_all(text)? {
            if step.is_time() {
                continue;
            }
            let (name, objects) = step.head()?;
            let Some(operator) = self.operators.get(name) else {
                return Err(step.refuse(format!("the domain has no action {name:?}")));
            };
            let mut parameters = Map::new();
            for (index, object) in objects.iter().enumerate() {
                // One too many is passed on under a name that no action has.
                let name = operator.parameters.get(index);
                let name = name.map_or_else(|| format!(":{index}"), |typed| typed.name.clone());
                parameters.insert(name, object.word()?.into());
            }
            add(name, parameters)?;
        }
        add(GOAL, Map::new())?;
        Ok(workflow)
    }

    fn path(&self, action: &str) -> Result<ActionPath, Error> {
        let path = ActionPath::new(format!("strips/{}/{action}", self.name));
        path.map_err(|error| refuse(format!("action {action}"), error))
    }
}

impl StripsProblem {
    /// Takes in one element of `:init`.
    fn begin(&mut self, fact: &Expression, names: &Names) -> Result<(), Error> {
        if let ("=", [function, value]) = fact.head()? {
            let (function, arguments) = function.head()?;
            let arguments: Result<Vec<_>, _> = arguments.iter().map(Expression::word).collect();
            let key = std::iter::once(function)
                .chain(arguments?)
                .collect::<Vec<_>>()
                .join("/");
            let value = value.word()?.parse();
            let value = value.map_err(|_| fact.refuse("expected a number"))?;
            self.values.insert(key, value);
            return Ok(());
        }
        match Formula::parse(fact, names, &[])? {
            Formula::Atom(atom) => drop(self.world.insert(atom.key(&[]), true)),
            Formula::Not(_) => {}
            _ => return Err(fact.refuse("expected a fact")),
        }
        Ok(())
    }
}

fn refuse(place: String, reason: impl ToString) -> Error {
    Error::Import {
        format: "PDDL",
        place,
        reason: reason.to_string(),
    }
}

/// The name and the parts of `(define (kind name) …)`.
fn define<'a>(whole: &'a Expression, kind: &str) -> Result<(String, &'a [Expression]), Error> {
    if let ("define", [name, parts @ ..]) = whole.head()?
        && let (found, [name]) = name.head()?
        && found == kind
    {
        return Ok((name.word()?.to_owned(), parts));
    }
    Err(whole.refuse(format!("expected (define ({kind} …) …)")))
}

fn check_requirements(names: &[Expression]) -> Result<(), Error> {
    for name in names {
        let word = name.word()?;
        if word != ":adl" && !READ.contains(&word) {
            return Err(name.refuse(format!("only {}, :adl are supported", READ.join(", "))));
        }
    }
    Ok(())
}
