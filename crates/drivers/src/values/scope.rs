//! The names that a place in a file may use.

use super::draw::How;
use super::function::Function;
use super::random::name_hash;
use super::{Constants, Draw, Slot, Traits};
use crate::error::SpecError;
use crate::names;
use crate::template::parse::{Piece, Placeholder, What, parse};
use crate::template::{Encoding, Template};

/// For how much a value is one, from the widest: a request that runs once for all cannot use what
/// differs between users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// One value for the whole run.
    Run,
    /// One for each user.
    User,
    /// One for each iteration.
    Iteration,
}

/// One entry of `vars`: a name and the text it is made from.
#[derive(Clone, Copy, Debug)]
pub struct Var<'t> {
    /// Its name.
    pub name: &'t str,
    /// Its text.
    pub text: &'t str,
}

#[derive(Clone, Debug)]
struct Name {
    name: Box<str>,
    slot: Slot,
    reach: Reach,
    traits: Traits,
}

/// The names that a text may use, and the slots of their values.
///
/// One scope serves a whole file: names are [defined](Self::define) as steps bring them, and
/// [forgotten](Self::forget_after) where a flow ends. Functions that stand in a request get slots
/// without a name; [`take_draws`](Self::take_draws) tells how to fill them.
///
/// ```
/// use drivers::{Constants, Reach, Scope, Template, Traits, Value, Values};
///
/// let mut scope = Scope::new(Constants::new("k3v9q2xz"));
/// let order = scope.define("order", Reach::Iteration, Traits::CAPTURED)?;
/// let text = Template::text("order ${order} of run ${run}", &mut scope)?;
///
/// let mut values = Values::default();
/// values.set(order, Value::Int(7));
/// let mut out = Vec::new();
/// text.render(&values, &mut out)?;
/// assert_eq!(out, b"order 7 of run k3v9q2xz");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scope {
    constants: Constants,
    names: Vec<Name>,
    next: u16,
    next_lasting: u16,
    limit: Reach,
    shows_dir: bool,
    takes_schema: bool,
    step: u64,
    drawn: u64,
    draws: Vec<Draw>,
}

/// What a placeholder stands for.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) value: Resolved,
    pub(crate) traits: Traits,
}

#[derive(Clone, Debug)]
pub(crate) enum Resolved {
    Constant(String),
    Slot(Slot),
}

impl Scope {
    /// A scope with Proofload's own names: `id`, `run`, `user`, `iteration`, `env.` and `secret.`.
    #[must_use]
    pub fn new(constants: Constants) -> Self {
        let own = |name: &str, slot, reach, traits| Name {
            name: name.into(),
            slot,
            reach,
            traits: traits | Traits::VARIES,
        };
        let names = vec![
            own("id", Slot::ID, Reach::Run, Traits::NAMES_RUN),
            own("user", Slot::USER, Reach::User, Traits::OF_USER),
            own(
                "iteration",
                Slot::ITERATION,
                Reach::Iteration,
                Traits::default(),
            ),
        ];
        Self {
            constants,
            names,
            next: Slot::FIRST_FREE,
            next_lasting: Slot::FIRST_FREE_LASTING,
            limit: Reach::Iteration,
            shows_dir: false,
            takes_schema: false,
            step: 0,
            drawn: 0,
            draws: Vec::new(),
        }
    }

    /// What is the same during the whole run.
    #[must_use]
    pub fn constants(&self) -> &Constants {
        &self.constants
    }

    /// Adds a name. A value that reaches beyond one iteration gets a slot that lasts.
    ///
    /// A name that is there already keeps its slot: a flow may capture it in two steps.
    ///
    /// # Errors
    ///
    /// A name of Proofload's own.
    pub fn define(&mut self, name: &str, reach: Reach, traits: Traits) -> Result<Slot, SpecError> {
        if is_own(name) {
            let told = format!("`{name}` is a value of Proofload: take another name");
            return Err(SpecError::new(0, told));
        }
        let mut traits = traits | Traits::VARIES;
        if traits.has(Traits::CAPTURED) {
            traits |= Traits::NAMES_RUN;
            if reach == Reach::User {
                traits |= Traits::OF_USER;
            }
        }
        if let Some(known) = self.names.iter_mut().find(|known| &*known.name == name) {
            known.traits |= traits;
            return Ok(known.slot);
        }
        let slot = self.free_slot(reach != Reach::Iteration);
        self.names.push(Name {
            name: name.into(),
            slot,
            reach,
            traits,
        });
        Ok(slot)
    }

    /// Adds the fields of the data set as `data.FIELD`: each user's own for good where set-up asks for
    /// them, the next record's in a flow.
    pub fn define_data<'n>(
        &mut self,
        fields: impl IntoIterator<Item = &'n str>,
        reach: Reach,
    ) -> Vec<Slot> {
        let add = |field| {
            let slot = self.free_slot(reach != Reach::Iteration);
            self.names.push(Name {
                name: format!("data.{field}").into(),
                slot,
                reach,
                traits: Traits::VARIES | Traits::OF_USER,
            });
            slot
        };
        fields.into_iter().map(add).collect()
    }

    /// Adds `key` and `cursor`, which exist where effects are read and deleted.
    pub fn define_key_and_cursor(&mut self) {
        for (name, slot, traits) in [
            ("key", Slot::KEY, Traits::KEY | Traits::NAMES_RUN),
            ("cursor", Slot::CURSOR, Traits::CURSOR),
        ] {
            self.names.push(Name {
                name: name.into(),
                slot,
                reach: Reach::Run,
                traits: traits | Traits::VARIES,
            });
        }
    }

    /// How many names there are, for [`forget_after`](Self::forget_after).
    #[must_use]
    pub fn mark(&self) -> usize {
        self.names.len()
    }

    /// Forgets the names that were added since a mark. Their slots are not given to others.
    pub fn forget_after(&mut self, mark: usize) {
        self.names.truncate(mark);
    }

    /// Refuses what is narrower than this, from here on.
    pub fn limit(&mut self, reach: Reach) {
        self.limit = reach;
    }

    /// Allows `dir`, which only commands and paths know.
    pub fn show_dir(&mut self, shown: bool) {
        self.shows_dir = shown;
    }

    /// Allows `schema()`, which only the arguments of a tool know.
    pub fn take_schema(&mut self, taken: bool) {
        self.takes_schema = taken;
    }

    /// Begins a step: random values are a function of its name, so adding a step changes no other.
    pub fn begin_step(&mut self, name: &str) {
        self.step = name_hash(name);
        self.drawn = 0;
    }

    /// How the values are made that were asked for since the last call, in the order in which they
    /// have to be made.
    pub fn take_draws(&mut self) -> Box<[Draw]> {
        std::mem::take(&mut self.draws).into()
    }

    /// Compiles the `vars` of a step, which may use each other in any order, and defines their names.
    /// How they are made is part of [`take_draws`](Self::take_draws).
    ///
    /// # Errors
    ///
    /// A mistake in one of them, with its name as the way to it.
    pub fn vars(&mut self, vars: &[Var<'_>]) -> Result<(), SpecError> {
        let parsed = vars
            .iter()
            .map(|var| parse(var.text).map_err(|error| error.under(var.name)))
            .collect::<Result<Vec<_>, _>>()?;
        for &index in &order(vars, &parsed)? {
            let var = &vars[index];
            self.var(var, &parsed[index])
                .map_err(|error| error.under(var.name))?;
        }
        Ok(())
    }

    fn var(&mut self, var: &Var<'_>, pieces: &[Piece]) -> Result<(), SpecError> {
        if is_own(var.name) {
            let told = format!("`{}` is a value of Proofload: take another name", var.name);
            return Err(SpecError::new(0, told));
        }
        let (how, traits) = match pieces {
            [Piece::Placeholder(only)] => self.single(only, var.name)?,
            _ => {
                let template = Template::of_pieces(var.text, pieces, self, |_| Encoding::Bytes)?;
                let traits = template.traits();
                (How::Text(template), traits)
            }
        };
        // A set-up's own values last as long as it does, so that steps after it find them.
        let reach = self.limit;
        let slot = self.free_slot(reach != Reach::Iteration);
        self.names.retain(|known| &*known.name != var.name);
        self.names.push(Name {
            name: var.name.into(),
            slot,
            reach,
            traits,
        });
        self.draws.push(Draw { slot, how });
        Ok(())
    }

    /// A var that is exactly one placeholder keeps that value's type.
    fn single(&mut self, only: &Placeholder, var: &str) -> Result<(How, Traits), SpecError> {
        if let What::Call {
            name,
            arguments,
            arguments_at,
        } = &only.what
        {
            let function = self.function(only, name, arguments, *arguments_at)?;
            let traits = function.traits();
            let place = self.step ^ name_hash(var).rotate_left(1);
            return Ok((How::Function(function, place), traits));
        }
        let source = self.resolve(only)?;
        let how = match source.value {
            Resolved::Slot(slot) => How::Copy(slot),
            Resolved::Constant(text) => How::Text(Template::constant_text(&text)),
        };
        Ok((how, source.traits))
    }

    /// What a placeholder stands for. A function gets a slot of its own.
    pub(crate) fn resolve(&mut self, placeholder: &Placeholder) -> Result<Source, SpecError> {
        match &placeholder.what {
            What::Name { name, default } => self
                .named(name, default.as_deref())
                .map_err(|problem| SpecError::new(placeholder.at.start + 2, problem)),
            What::Call {
                name,
                arguments,
                arguments_at,
            } => {
                let function = self.function(placeholder, name, arguments, *arguments_at)?;
                let traits = function.traits();
                let slot = self.free_slot(self.limit != Reach::Iteration);
                self.drawn += 1;
                let place = self.step.wrapping_add(self.drawn);
                self.draws.push(Draw {
                    slot,
                    how: How::Function(function, place),
                });
                Ok(Source {
                    value: Resolved::Slot(slot),
                    traits,
                })
            }
        }
    }

    fn function(
        &self,
        placeholder: &Placeholder,
        name: &str,
        arguments: &[super::Argument],
        arguments_at: usize,
    ) -> Result<Function, SpecError> {
        let name_at = placeholder.at.start + 2;
        let function = Function::new(name, arguments).map_err(|problem| {
            let at = match problem.starts_with("there is no") {
                true => name_at,
                false => arguments_at,
            };
            SpecError::new(at, problem)
        })?;
        if function == Function::Schema && !self.takes_schema {
            let told = "`schema()` belongs to the `args` of a `call`";
            return Err(SpecError::new(name_at, told));
        }
        Ok(function)
    }

    fn named(&self, name: &str, default: Option<&str>) -> Result<Source, String> {
        let constant = |value, traits| Source {
            value: Resolved::Constant(value),
            traits,
        };
        if let Some(variable) = name.strip_prefix("env.") {
            let value = self.constants.variable(variable, default)?;
            return Ok(constant(value, Traits::default()));
        }
        if let Some(variable) = name.strip_prefix("secret.") {
            let value = self.constants.variable(variable, default)?;
            // A default stands in the file: it is no secret, and its word may stand elsewhere.
            if default != Some(&*value) {
                self.constants.secrets().add(&value);
            }
            return Ok(constant(value, Traits::SECRET));
        }
        match (name, self.constants.dir()) {
            ("run", _) => {
                return Ok(constant(self.constants.run().to_owned(), Traits::NAMES_RUN));
            }
            ("dir", Some(dir)) if self.shows_dir => {
                return Ok(constant(dir.to_owned(), Traits::NAMES_RUN));
            }
            _ => {}
        }
        let Some(known) = self.names.iter().rev().find(|known| &*known.name == name) else {
            return Err(self.unknown(name));
        };
        if known.reach > self.limit {
            return Err(too_wide(name, known.reach, self.limit));
        }
        Ok(Source {
            value: Resolved::Slot(known.slot),
            traits: known.traits,
        })
    }

    fn unknown(&self, name: &str) -> String {
        match name {
            "dir" => {
                return "`dir` is known in `start`, `restart`, `command` and `path` only".into();
            }
            "key" | "cursor" => {
                return format!("`{name}` is known in `read` and `delete` only");
            }
            _ => {}
        }
        let mut known: Vec<&str> = self.names.iter().map(|known| &*known.name).collect();
        known.insert(1, "run");
        names::unknown("value", name, " here", known)
    }

    fn free_slot(&mut self, lasts: bool) -> Slot {
        let next = match lasts {
            true => &mut self.next_lasting,
            false => &mut self.next,
        };
        let slot = Slot::new(*next, lasts);
        *next += 1;
        slot
    }
}

fn is_own(name: &str) -> bool {
    matches!(
        name,
        // `key` and `cursor` are Proofload's in a `read` and a `delete` only, where no vars are.
        "id" | "run" | "user" | "iteration" | "dir" | "env" | "secret" | "data"
    ) || ["env.", "secret.", "data."]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

fn too_wide(name: &str, reach: Reach, limit: Reach) -> String {
    let one = match reach {
        Reach::Iteration if limit == Reach::User => "one iteration",
        _ => "one user",
    };
    let runs = match limit {
        Reach::User => "this runs once for each user",
        _ => "this runs once for all",
    };
    format!("`{name}` is a value of {one}, and {runs}")
}

/// The vars so that each comes after those it is made of.
fn order(vars: &[Var<'_>], parsed: &[Vec<Piece>]) -> Result<Vec<usize>, SpecError> {
    let mut order = Vec::new();
    let mut way = Vec::new();
    for index in 0..vars.len() {
        visit(index, vars, parsed, &mut order, &mut way)?;
    }
    Ok(order)
}

fn visit(
    index: usize,
    vars: &[Var<'_>],
    parsed: &[Vec<Piece>],
    order: &mut Vec<usize>,
    way: &mut Vec<usize>,
) -> Result<(), SpecError> {
    if order.contains(&index) {
        return Ok(());
    }
    way.push(index);
    for (used, at) in uses(&parsed[index], vars) {
        if way.contains(&used) {
            let (this, other) = (vars[index].name, vars[used].name);
            let told = match index == used {
                true => format!("`{this}` is made of itself"),
                false => format!("`{other}` and `{this}` are made of each other"),
            };
            return Err(SpecError::new(at, told).under(this));
        }
        visit(used, vars, parsed, order, way)?;
    }
    way.pop();
    order.push(index);
    Ok(())
}

/// The vars among the names of a text, and where they stand.
fn uses(pieces: &[Piece], vars: &[Var<'_>]) -> Vec<(usize, usize)> {
    let used = |piece: &Piece| match piece {
        Piece::Placeholder(Placeholder {
            at,
            what: What::Name { name, .. },
        }) => {
            let index = vars.iter().position(|var| *var.name == **name)?;
            Some((index, at.start + 2))
        }
        _ => None,
    };
    pieces.iter().filter_map(used).collect()
}

#[cfg(test)]
#[path = "scope_tests.rs"]
mod tests;
