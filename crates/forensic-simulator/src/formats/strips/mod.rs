pub(crate) mod expression;

use std::collections::{BTreeMap, BTreeSet};

use action::{Action, ActionPath};
use serde_json::{Map, Value, json};

use self::expression::Expression;
use crate::error::Error;
use crate::plan::workflow::{Step, Workflow};
use crate::schema::Schema;
use crate::world::World;

/// A planning domain in the STRIPS subset of PDDL: types, predicates, and actions whose
/// preconditions are conjunctions and whose effects add and delete facts.
///
/// A fact such as `(on a b)` is the key `on/a/b`, which exists where it holds; that an object is of
/// a type is the key `:type/object`. An action is the path `strips/<domain>/<action>`. Deletions
/// come before additions, so what is both deleted and added holds afterwards.
///
/// The language is described in Ghallab et al., "PDDL, the planning domain definition language"
/// (1998); of it, `:strips`, `:typing` and `:negative-preconditions` are read.
///
/// ```
/// use forensic_simulator::{PredictedOutcome, Simulator, StripsDomain, Timestamp};
/// let domain = StripsDomain::parse("(define (domain lamp)
///     (:predicates (on ?x) (off ?x))
///     (:action switch :parameters (?x) :precondition (off ?x)
///         :effect (and (on ?x) (not (off ?x)))))")?;
/// let problem = domain.problem("(define (problem p) (:domain lamp)
///     (:objects desk) (:init (off desk)) (:goal (on desk)))")?;
/// let simulator = Simulator::builder().schemas(domain.schemas(&problem)?).build()?;
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
    /// By type, the one above it.
    supertypes: BTreeMap<String, String>,
    /// By name.
    actions: BTreeMap<String, Operator>,
}

/// The start and the goal of one problem of a [`StripsDomain`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StripsProblem {
    /// What holds at the start.
    pub world: World,
    goal: Vec<Literal>,
}

#[derive(Debug, Clone)]
struct Operator {
    parameters: Vec<(String, Option<String>)>, // names and types
    precondition: Vec<Literal>,
    effect: Vec<Literal>,
}

/// A fact, or its negation, with parameters in braces as schemas write them.
#[derive(Debug, Clone)]
struct Literal {
    key: String,
    holds: bool,
}

const ROOT: &str = "object";

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
            supertypes: BTreeMap::new(),
            actions: BTreeMap::new(),
        };
        for part in parts {
            match part.head()? {
                (":requirements", names) => check_requirements(names)?,
                (":types", names) => {
                    for (name, above) in typed(names)? {
                        if let Some(above) = above {
                            domain.supertypes.insert(name, above);
                        }
                    }
                }
                (":predicates", _) => {}
                (":action", rest) => domain.add_action(part, rest)?,
                (other, _) => return Err(part.refuse(format!("{other} is not supported"))),
            }
        }
        Ok(domain)
    }

    fn add_action(&mut self, whole: &Expression, rest: &[Expression]) -> Result<(), Error> {
        let [name, fields @ ..] = rest else {
            return Err(whole.refuse("an action needs a name"));
        };
        let mut operator = Operator {
            parameters: Vec::new(),
            precondition: Vec::new(),
            effect: Vec::new(),
        };
        for field in fields.chunks(2) {
            let [keyword, value] = field else {
                return Err(field[0].refuse("nothing follows it"));
            };
            match keyword.word()? {
                ":parameters" => operator.parameters = typed(value.list()?)?,
                ":precondition" => operator.precondition = conjunction(value)?,
                ":effect" => operator.effect = conjunction(value)?,
                other => return Err(keyword.refuse(format!("{other} is not supported"))),
            }
        }
        if self
            .actions
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
        let mut problem = StripsProblem {
            world: World::new(),
            goal: Vec::new(),
        };
        for part in parts {
            match part.head()? {
                (":domain", [name]) if name.word()? == self.name => {}
                (":domain", _) => {
                    return Err(part.refuse(format!("it is not of domain {:?}", self.name)));
                }
                (":objects", objects) => {
                    for (object, kind) in typed(objects)? {
                        for kind in self.types_of(kind) {
                            problem.world.insert(format!(":{kind}/{object}"), true);
                        }
                    }
                }
                (":init", facts) => {
                    for fact in facts {
                        let Literal { key, holds } = literal(fact)?;
                        if holds {
                            problem.world.insert(key, true);
                        }
                    }
                }
                (":goal", [goal]) => problem.goal = conjunction(goal)?,
                (other, _) => return Err(part.refuse(format!("{other} is not supported"))),
            }
        }
        Ok(problem)
    }

    /// A type and all those above it; the root alone for an object without one.
    fn types_of(&self, kind: Option<String>) -> BTreeSet<String> {
        let mut types = BTreeSet::from([ROOT.to_owned()]);
        let mut next = kind;
        while let Some(kind) = next {
            next = self.supertypes.get(&kind).cloned();
            // A type that is above itself ends here too.
            if !types.insert(kind) {
                break;
            }
        }
        types
    }

    /// What the actions do, and a last action `strips/<domain>/:goal` that needs the goal to hold.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] if an action names a parameter that it does not have.
    pub fn schemas(&self, problem: &StripsProblem) -> Result<Vec<Schema>, Error> {
        let goal = Operator {
            parameters: Vec::new(),
            precondition: problem.goal.clone(),
            effect: Vec::new(),
        };
        let own = self
            .actions
            .iter()
            .map(|(name, operator)| (name.as_str(), operator));
        let mut schemas = Vec::new();
        for (name, operator) in own.chain([(GOAL, &goal)]) {
            let path = self.path(name)?;
            schemas.push(Schema::from_json(&operator.schema(&path))?);
        }
        Ok(schemas)
    }

    /// Reads a plan: one `(action object …)` after the other. Its last step checks the goal.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with line and column.
    pub fn plan(&self, text: &str) -> Result<Workflow, Error> {
        let steps = Expression::parse_all(text)?;
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
        for step in &steps {
            let (name, objects) = step.head()?;
            let declared = self
                .actions
                .get(name)
                .map(|known| known.parameters.as_slice());
            let mut parameters = Map::new();
            for (index, object) in objects.iter().enumerate() {
                // One too many is passed on under a name that no action has.
                let name = declared.and_then(|known| known.get(index));
                let name = name.map_or_else(|| format!(":{index}"), |(name, _)| name.clone());
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

const GOAL: &str = ":goal";

impl Operator {
    /// As the text of a schema has it.
    fn schema(&self, path: &ActionPath) -> Value {
        let parameters = self.parameters.iter();
        let parameters: Map<String, Value> = parameters
            .map(|(name, _)| (name.clone(), json!({"type": "string"})))
            .collect();
        let types = self.parameters.iter().map(|(name, kind)| {
            let kind = kind.as_deref().unwrap_or(ROOT);
            json!({"key": format!(":{kind}/{{{name}}}"), "test": "exists"})
        });
        let facts = self.precondition.iter().map(|literal| {
            let test = if literal.holds { "exists" } else { "absent" };
            json!({"key": literal.key, "test": test})
        });
        let of_kind = |holds| {
            self.effect
                .iter()
                .filter(move |effect| effect.holds == holds)
        };
        let deleted = of_kind(false).map(|fact| json!({"do": "delete", "key": fact.key}));
        let added = of_kind(true).map(|fact| json!({"do": "set", "key": fact.key, "value": true}));
        json!({
            "path": path.as_str(),
            "reversibility": "reversible",
            "parameters": parameters,
            "requires": types.chain(facts).collect::<Vec<_>>(),
            "effects": deleted.chain(added).collect::<Vec<_>>(),
        })
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
    const READ: [&str; 3] = [":strips", ":typing", ":negative-preconditions"];
    for name in names {
        if !READ.contains(&name.word()?) {
            return Err(name.refuse(format!("only {} are supported", READ.join(", "))));
        }
    }
    Ok(())
}

/// A list such as `?a ?b - block ?c`: each name with its type. Question marks are dropped.
fn typed(items: &[Expression]) -> Result<Vec<(String, Option<String>)>, Error> {
    let mut names: Vec<(String, Option<String>)> = Vec::new();
    let mut without_type = 0;
    let mut items = items.iter();
    while let Some(item) = items.next() {
        if item.word()? != "-" {
            names.push((item.word()?.trim_start_matches('?').to_owned(), None));
            continue;
        }
        let kind = items.next().ok_or_else(|| item.refuse("no type follows"))?;
        for (_, of_name) in &mut names[without_type..] {
            *of_name = Some(kind.word()?.to_owned());
        }
        without_type = names.len();
    }
    Ok(names)
}

fn conjunction(expression: &Expression) -> Result<Vec<Literal>, Error> {
    match expression.list()? {
        [] => Ok(Vec::new()),
        [Expression::Word(and, _), rest @ ..] if and == "and" => rest.iter().map(literal).collect(),
        _ => Ok(vec![literal(expression)?]),
    }
}

fn literal(expression: &Expression) -> Result<Literal, Error> {
    const OTHER: [&str; 7] = ["or", "imply", "forall", "exists", "when", "and", "="];
    match expression.head()? {
        ("not", [negated]) => {
            let Literal { key, holds } = literal(negated)?;
            Ok(Literal { key, holds: !holds })
        }
        (word, _) if OTHER.contains(&word) => {
            Err(expression.refuse(format!("{word:?} is not part of STRIPS")))
        }
        (predicate, arguments) => {
            let mut key = predicate.to_owned();
            for argument in arguments {
                key.push('/');
                match argument.word()?.strip_prefix('?') {
                    Some(parameter) => key.push_str(&format!("{{{parameter}}}")),
                    None => key.push_str(argument.word()?),
                }
            }
            Ok(Literal { key, holds: true })
        }
    }
}
