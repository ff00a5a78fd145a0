use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use action::{Action, ActionPath, PathPattern};
use foldhash::fast::RandomState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::run::context::Context;
use crate::run::report::Reversibility;
use crate::run::stop::Stop;

/// A model of what one kind of action does.
///
/// It has nothing but its [`Context`] to act on, which reads the world and keeps the writes in an
/// overlay. A handler must be deterministic: what it writes depends on the context alone.
///
/// ```
/// use forensic_simulator::{Context, Handler, Reversibility, Stop};
///
/// struct Publish;
///
/// impl Handler for Publish {
///     fn simulate(&self, context: &mut Context<'_, '_>) -> Result<(), Stop> {
///         let key = format!("articles/{}/published", context.text("article")?);
///         if context.read(&key).is_some() {
///             return Err(Stop::would_fail("the article is published already"));
///         }
///         context.write(&key, true);
///         Ok(())
///     }
///
///     fn reversibility(&self) -> Reversibility {
///         Reversibility::Reversible
///     }
/// }
/// ```
pub trait Handler: Send + Sync {
    /// Plays the action against the context. What was written before an error is dropped.
    ///
    /// # Errors
    ///
    /// A [`Stop`] where the action would not be done as asked.
    fn simulate(&self, context: &mut Context<'_, '_>) -> Result<(), Stop>;

    /// Whether such an action can be taken back. [`Reversibility::Opaque`] unless it is said.
    fn reversibility(&self) -> Reversibility {
        Reversibility::Opaque
    }

    /// The action that makes up for one that was done, where
    /// [`reversibility`](Handler::reversibility) names its path.
    fn compensation(&self, action: &Action) -> Option<Action> {
        let _ = action;
        None
    }

    /// How such an action may fail although every precondition holds.
    fn failure_modes(&self) -> &[FailureMode] {
        &[FailureMode::NothingDone, FailureMode::DoneUnacknowledged]
    }
}

/// A check of actions that comes before whatever models them.
pub trait Guard: Send + Sync {
    /// Looks at an action. It may read the world and mark the step as unsafe, and should not write.
    ///
    /// # Errors
    ///
    /// A [`Stop`] where the action would not be done as asked.
    fn check(&self, context: &mut Context<'_, '_>) -> Result<(), Stop>;
}

/// How an action fails although every precondition holds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FailureMode {
    /// It has no effect.
    NothingDone,
    /// It stops after half of its changes.
    HalfDone,
    /// It has every effect, and its caller is told of a failure, such as a time-out.
    DoneUnacknowledged,
}

impl FailureMode {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::NothingDone => "it fails without an effect",
            Self::HalfDone => "it fails with half of its changes made",
            Self::DoneUnacknowledged => "it is done, and its caller is told that it failed",
        }
    }
}

/// Which handler models which actions.
#[derive(Clone, Default)]
pub(crate) struct Handlers {
    /// Patterns without a wildcard, by their text: the common case, found at once.
    exact: HashMap<String, Arc<dyn Handler>, RandomState>,
    /// The others, the most specific first.
    wild: Vec<Wild>,
    /// Of the actions that no other handler models, the most specific first.
    fallback: Vec<Wild>,
    guards: Vec<(PathPattern, Arc<dyn Guard>)>,
}

#[derive(Clone)]
struct Wild {
    pattern: PathPattern,
    /// What is before the wildcard, if the only one is a `*` at the end: the common case again.
    prefix: Option<String>,
    handler: Arc<dyn Handler>,
}

impl Wild {
    fn new(pattern: PathPattern, handler: Arc<dyn Handler>) -> Self {
        let prefix = pattern.as_str().strip_suffix('*');
        let prefix = prefix.filter(|prefix| !prefix.contains('*'));
        Self {
            prefix: prefix.map(str::to_owned),
            pattern,
            handler,
        }
    }

    /// The text decides between equals, so that the order of registration never does.
    fn more_specific(a: &Self, b: &Self) -> std::cmp::Ordering {
        let (a, b) = (&a.pattern, &b.pattern);
        let specific = b.specificity().cmp(&a.specificity());
        specific.then_with(|| a.as_str().cmp(b.as_str()))
    }

    fn covers(&self, path: &ActionPath) -> bool {
        match &self.prefix {
            Some(prefix) => {
                let rest = path.as_str().strip_prefix(prefix.as_str());
                rest.is_some_and(|rest| !rest.as_bytes().contains(&b'/'))
            }
            None => self.pattern.matches(path),
        }
    }
}

impl Handlers {
    pub(crate) fn new(all: Vec<(PathPattern, Arc<dyn Handler>)>) -> Result<Self, Error> {
        let mut handlers = Self::default();
        for (pattern, handler) in all {
            handlers.add(pattern, handler)?;
        }
        handlers.wild.sort_by(Wild::more_specific);
        Ok(handlers)
    }

    fn add(&mut self, pattern: PathPattern, handler: Arc<dyn Handler>) -> Result<(), Error> {
        let text = pattern.as_str();
        if self.exact.contains_key(text) || self.wild.iter().any(|other| other.pattern == pattern) {
            return Err(Error::DuplicateHandler { pattern });
        }
        if text.contains('*') {
            self.wild.push(Wild::new(pattern, handler));
        } else {
            self.exact.insert(text.to_owned(), handler);
        }
        Ok(())
    }

    /// Adds handlers of what no other one models, and checks that come before all.
    pub(crate) fn with(
        mut self,
        fallback: Vec<(PathPattern, Arc<dyn Handler>)>,
        guards: Vec<(PathPattern, Arc<dyn Guard>)>,
    ) -> Self {
        let wild = fallback
            .into_iter()
            .map(|(pattern, handler)| Wild::new(pattern, handler));
        self.fallback.extend(wild);
        self.fallback.sort_by(Wild::more_specific);
        self.guards = guards;
        self
    }

    /// Asks every guard of the action.
    pub(crate) fn check(&self, context: &mut Context<'_, '_>) -> Result<(), Stop> {
        let path = &context.action().path;
        let mut guards = self
            .guards
            .iter()
            .filter(|(pattern, _)| pattern.matches(path));
        guards.try_for_each(|(_, guard)| guard.check(context))
    }

    pub(crate) fn find(&self, path: &ActionPath) -> Option<&dyn Handler> {
        if let Some(handler) = self.exact.get(path.as_str()) {
            return Some(&**handler);
        }
        let mut wild = self.wild.iter().chain(&self.fallback);
        let wild = wild.find(|wild| wild.covers(path))?;
        Some(&*wild.handler)
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wild = self.wild.iter().map(|wild| wild.pattern.as_str());
        let patterns = self.exact.keys().map(String::as_str).chain(wild);
        f.debug_set().entries(patterns).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Handler for Nothing {
        fn simulate(&self, _: &mut Context<'_, '_>) -> Result<(), crate::run::stop::Stop> {
            Ok(())
        }
    }

    #[test]
    fn the_short_way_covers_what_the_pattern_matches() {
        let paths = ["a", "ab", "a/b", "a/bc", "a/b/c", "b", "a/x/b", "ab/c"];
        for pattern in [
            "*", "a*", "a/*", "a/b*", "a/b/*", "**", "a/**", "*/b", "a/*/b", "*b*",
        ] {
            let pattern = PathPattern::new(pattern).unwrap();
            let wild = Wild::new(pattern.clone(), Arc::new(Nothing));
            for path in paths.map(|path| ActionPath::new(path).unwrap()) {
                assert_eq!(
                    wild.covers(&path),
                    pattern.matches(&path),
                    "{pattern} {path}"
                );
            }
        }
    }
}
