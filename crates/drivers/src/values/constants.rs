//! Values that are the same during a whole run.

use std::fmt;
use std::sync::Arc;

use super::Secrets;

/// Tells the value of an environment variable.
type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What is known before anything is started: the run's id, its directory, and the environment.
#[derive(Clone)]
pub struct Constants {
    run: Box<str>,
    dir: Option<Box<str>>,
    environment: Arc<Environment>,
    secrets: Secrets,
}

impl Constants {
    /// The constants of a run with this id, and with the environment of the process.
    #[must_use]
    pub fn new(run: &str) -> Self {
        Self {
            run: run.into(),
            dir: None,
            environment: Arc::new(|name| std::env::var(name).ok()),
            secrets: Secrets::default(),
        }
    }

    /// The same with the run's own directory.
    #[must_use]
    pub fn with_dir(self, dir: &str) -> Self {
        Self {
            dir: Some(dir.into()),
            ..self
        }
    }

    /// The same with another environment.
    #[must_use]
    pub fn with_environment(
        self,
        environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            environment: Arc::new(environment),
            ..self
        }
    }

    /// The id of the run, `${run}`.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The run's own directory, `${dir}`.
    #[must_use]
    pub fn dir(&self) -> Option<&str> {
        self.dir.as_deref()
    }

    /// The secrets that were looked up so far.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The value of an environment variable, or its default.
    pub(crate) fn variable(&self, name: &str, default: Option<&str>) -> Result<String, String> {
        (self.environment)(name)
            .or_else(|| default.map(str::to_owned))
            .ok_or_else(|| {
                format!("the environment variable `{name}` is not set, and has no default here")
            })
    }
}

impl fmt::Debug for Constants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Constants")
            .field("run", &self.run)
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}
