//! Effects: what steps do to them, and how they are read back.

use std::collections::{BTreeMap, HashSet};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use drivers::{Reach, Scope, Template, Traits, guard};

use super::super::program::{EffectKind, EffectPlan, ReadPlan, ReadScope, Verb};
use super::super::spec::{AmountSpec, EffectSpec, EffectsSpec, ReadSpec, StepEffectSpec, StepSpec};
use super::asked::Asked;
use super::expect;
use super::places::placed;
use super::services::Declared;
use crate::scenario::key_path::unknown;
use crate::{KeyPath, SpecError};

/// The effects of a file, with what its steps say about them so far.
pub(super) struct Effects<'f> {
    known: Vec<Known<'f>>,
}

struct Known<'f> {
    name: &'f str,
    spec: &'f EffectSpec,
    /// Whether the steps say what is in it; none before one has said.
    has_content: Option<bool>,
    has_captured_keys: bool,
    /// Whether steps add to it; none before one has said.
    is_sum: Option<bool>,
}

/// Methods that are defined not to write (RFC 9110, section 9.2.1).
const SAFE: [&str; 4] = ["GET", "HEAD", "OPTIONS", "TRACE"];

impl<'f> Effects<'f> {
    pub(super) fn of(
        effects: &'f BTreeMap<String, EffectSpec>,
        unverified: bool,
    ) -> Result<Self, SpecError> {
        let mut known = Vec::new();
        for (name, spec) in effects {
            if spec.read.is_none() && !unverified {
                let problem = format!(
                    "nothing would be proved: `{name}` has no `read`. Add one, or run with --unverified"
                );
                let at = KeyPath::to("effects").then(name.as_str());
                return Err(SpecError::of_key(at, problem));
            }
            known.push(Known {
                name,
                spec,
                has_content: None,
                has_captured_keys: false,
                is_sum: None,
            });
        }
        Ok(Self { known })
    }

    /// What a step does to effects.
    pub(super) fn of_step(
        &mut self,
        spec: &StepSpec,
        at: &KeyPath,
        scope: &mut Scope,
    ) -> Result<Box<[EffectPlan]>, SpecError> {
        let at_effect = at.then("effect");
        let plans: Vec<EffectPlan> = match &spec.effect {
            None => Vec::new(),
            Some(EffectsSpec::One(one)) => vec![self.plan(one, &at_effect, scope)?],
            Some(EffectsSpec::Many(many)) => many
                .iter()
                .enumerate()
                .map(|(number, one)| self.plan(one, &at_effect.then(number), scope))
                .collect::<Result<_, _>>()?,
        };
        let method = spec
            .http
            .as_deref()
            .unwrap_or_default()
            .split_whitespace()
            .next();
        if plans.iter().any(|plan| plan.verb != Verb::Reads)
            && let Some(method) = method
            && SAFE.contains(&method)
        {
            let problem = format!(
                "a {method} is not expected to write: name the effect `reads`, or use another method"
            );
            return Err(SpecError::of_key(at_effect, problem));
        }
        Ok(plans.into())
    }

    fn plan(
        &mut self,
        spec: &StepEffectSpec,
        at: &KeyPath,
        scope: &mut Scope,
    ) -> Result<EffectPlan, SpecError> {
        let verbs = [
            ("creates", Verb::Creates, &spec.creates),
            ("updates", Verb::Updates, &spec.updates),
            ("removes", Verb::Removes, &spec.removes),
            ("adds", Verb::Adds, &spec.adds),
            ("reads", Verb::Reads, &spec.reads),
        ];
        let mut named = verbs
            .into_iter()
            .filter_map(|(key, verb, name)| Some((key, verb, name.as_deref()?)));
        let (Some((verb_key, verb, name)), None) = (named.next(), named.next()) else {
            let problem =
                "an effect has one verb: `creates`, `updates`, `removes`, `adds` or `reads`";
            return Err(SpecError::new(at.clone(), problem));
        };
        let effect = self.find(name, &at.then(verb_key))?;
        let text = |key: &str, text: &str, scope: &mut Scope| {
            let at = at.then(key);
            let template = Template::text(text, scope).map_err(|error| placed(&at, error))?;
            guard::check_no_secret(&template, key).map_err(|error| placed(&at, error))?;
            Ok(template)
        };
        let Some(key) = &spec.key else {
            let problem = "`key` is missing, such as key = \"${id}\"";
            return Err(SpecError::new(at.clone(), problem));
        };
        let key = text("key", key, scope)?;
        if verb == Verb::Creates {
            guard::check_created_key(&key).map_err(|error| placed(&at.then("key"), error))?;
        }
        let content = match (verb, &spec.by) {
            (Verb::Adds, None) => Some(("by", "1".to_owned())),
            (Verb::Adds, Some(AmountSpec::Number(by))) => Some(("by", by.to_string())),
            (Verb::Adds, Some(AmountSpec::Text(by))) => Some(("by", by.clone())),
            (_, Some(_)) => {
                let problem = "`by` belongs to `adds`";
                return Err(SpecError::of_key(at.then("by"), problem));
            }
            (_, None) => spec.content.clone().map(|content| ("content", content)),
        };
        let content = content
            .map(|(key, content)| text(key, &content, scope))
            .transpose()?;
        if verb == Verb::Reads {
            if content.is_none() {
                let problem =
                    "`reads` needs the `content` that was read, such as content = \"${value}\"";
                return Err(SpecError::new(at.clone(), problem));
            }
            return Ok(EffectPlan {
                verb,
                effect,
                key,
                content,
            });
        }
        let known = &mut self.known[effect];
        if *known.is_sum.get_or_insert(verb == Verb::Adds) != (verb == Verb::Adds) {
            let problem =
                format!("another step does otherwise to `{name}`: only `adds` goes with `adds`");
            return Err(SpecError::new(at.clone(), problem));
        }
        known.has_captured_keys |= key.traits().has(Traits::CAPTURED);
        if matches!(verb, Verb::Removes | Verb::Adds) {
            if spec.content.is_some() {
                let problem = match verb {
                    Verb::Adds => "`adds` has `by` in place of a content",
                    _ => "what is removed has no content: leave it out",
                };
                return Err(SpecError::of_key(at.then("content"), problem));
            }
        } else if *known.has_content.get_or_insert(content.is_some()) != content.is_some() {
            let problem = format!(
                "another step says what is in `{name}`, and this one does not: give both a `content`, or none"
            );
            return Err(SpecError::new(at.clone(), problem));
        }
        Ok(EffectPlan {
            verb,
            effect,
            key,
            content,
        })
    }

    fn find(&self, name: &str, at: &KeyPath) -> Result<usize, SpecError> {
        let names = self.known.iter().map(|known| known.name);
        names
            .clone()
            .position(|known| known == name)
            .ok_or_else(|| SpecError::new(at.clone(), unknown("effect", name, names)))
    }

    /// Compiles how effects are read back and removed, when all steps are known.
    pub(super) fn compile(
        &self,
        services: &[Declared],
        scope: &mut Scope,
    ) -> Result<Vec<EffectKind>, SpecError> {
        scope.limit(Reach::User);
        let mark = scope.mark();
        scope.define_key_and_cursor();
        let compile = |known| self.kind(known, services, scope);
        let kinds = self.known.iter().map(compile).collect();
        scope.forget_after(mark);
        kinds
    }

    fn kind(
        &self,
        known: &Known<'_>,
        services: &[Declared],
        scope: &mut Scope,
    ) -> Result<EffectKind, SpecError> {
        let at = KeyPath::to("effects").then(known.name);
        let is_sum = known.is_sum.unwrap_or(false);
        let read = known.spec.read.as_ref();
        let read = read
            .map(|read| self.read(read, known, &at.then("read"), services, scope))
            .transpose()?;
        // The values before the load are needed, when neither keys nor users are known.
        if is_sum
            && read
                .as_ref()
                .is_some_and(|read| read.scope != ReadScope::Listing)
        {
            let problem = "a sum is read before the load as well, which needs a listing without \
                           ${key} and values of one user";
            return Err(SpecError::new(at.then("read"), problem));
        }
        let is_listing = |read: &ReadPlan| read.scope != ReadScope::PerKey;
        if known.spec.ordered && !read.as_ref().is_some_and(is_listing) {
            let problem = "an order needs a listing: this `read` asks for one key";
            return Err(SpecError::of_key(at.then("ordered"), problem));
        }
        let together_with = self.together_with(known, &at)?;
        let delete = known.spec.delete.as_ref().map(|delete| {
            let at = at.then("delete");
            scope.begin_step(&format!("delete {}", known.name));
            let request = Asked::by_request(delete, &at)?.compile(&at, services, scope)?;
            no_draws(scope, &at)?;
            let is_of_run = [Traits::KEY, Traits::NAMES_RUN, Traits::OF_USER]
                .into_iter()
                .any(|traits| request.traits.has(traits));
            match is_of_run {
                true => Ok(request),
                false => Err(SpecError::new(
                    at,
                    "`delete` would remove what is not of this run: name ${key}, ${run} or a user's value",
                )),
            }
        });
        Ok(EffectKind {
            name: kept(known.name),
            read,
            delete: delete.transpose()?,
            is_ordered: known.spec.ordered,
            together_with,
            visible_part: None,
            settle: known.spec.settle.map_or(Duration::ZERO, |time| time.0),
            has_content: known.has_content.unwrap_or(false) || is_sum,
            is_sum,
            has_captured_keys: known.has_captured_keys,
        })
    }

    /// The effect with which another one is there or not.
    fn together_with(&self, known: &Known<'_>, at: &KeyPath) -> Result<Option<usize>, SpecError> {
        let Some(name) = &known.spec.together_with else {
            return Ok(None);
        };
        let at = at.then("together_with");
        let other = self.find(name, &at)?;
        let has_read = |known: &Known<'_>| known.spec.read.is_some();
        let is_itself = self.known[other].name == known.name;
        if is_itself || !has_read(known) || !has_read(&self.known[other]) {
            let problem = "both need a `read`, and the same keys";
            return Err(SpecError::new(at, problem));
        }
        Ok(Some(other))
    }

    fn read(
        &self,
        spec: &ReadSpec,
        known: &Known<'_>,
        at: &KeyPath,
        services: &[Declared],
        scope: &mut Scope,
    ) -> Result<ReadPlan, SpecError> {
        scope.begin_step(&format!("read {}", known.name));
        let request = Asked::by_read(spec, at)?.compile(at, services, scope)?;
        no_draws(scope, at)?;
        let scope = ReadScope::of(request.traits);
        let by_key = scope == ReadScope::PerKey;
        let path = |key: &str, text: Option<&String>, default: &str| match text {
            Some(text) => expect::path(text, &at.then(key)),
            None => expect::path(default, &at.then(key)),
        };
        if spec.next.is_some() && !request.traits.has(Traits::CURSOR) {
            let problem = "`next` needs ${cursor} in the request";
            return Err(SpecError::of_key(at.then("next"), problem));
        }
        let key = match (&spec.key, by_key) {
            (None, true) => None,
            (key, _) => Some(path("key", key.as_ref(), "$.key")?),
        };
        let next = spec.next.as_ref();
        let list = spec.rows.as_deref().filter(|_| !by_key);
        let list = list.and_then(|rows| rows.strip_suffix("[*]"));
        let list = list.map(|list| expect::path(list, &at.then("rows")));
        Ok(ReadPlan {
            list: list.transpose()?,
            rows: path(
                "rows",
                spec.rows.as_ref(),
                if by_key { "$" } else { "$[*]" },
            )?,
            key,
            content: path(
                "content",
                spec.content.as_ref(),
                if by_key { "$" } else { "$.content" },
            )?,
            next: next
                .map(|next| expect::path(next, &at.then("next")))
                .transpose()?,
            request,
            scope,
        })
    }
}

/// Refuses functions where nothing is drawn.
fn no_draws(scope: &mut Scope, at: &KeyPath) -> Result<(), SpecError> {
    match scope.take_draws().is_empty() {
        true => Ok(()),
        false => Err(SpecError::new(
            at.clone(),
            "a `read` or `delete` has no functions: it asks for what is there",
        )),
    }
}

/// A name that lives as long as the program, as the ledger's kinds do. Each is kept once.
fn kept(name: &str) -> &'static str {
    static NAMES: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    match names.get(name) {
        Some(kept) => kept,
        None => {
            let kept: &'static str = Box::leak(name.into());
            names.insert(kept);
            kept
        }
    }
}
