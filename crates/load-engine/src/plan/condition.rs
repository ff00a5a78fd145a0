//! What ends a phase before its time.

use std::fmt;
use std::sync::Arc;

use crate::record::RunRecord;
use crate::threshold::{Ruling, Threshold};

/// A condition that is looked at about twice a second while the load runs.
///
/// ```
/// use load_engine::{Condition, RunRecord, Threshold};
///
/// let recovered: Threshold = "p99(call @ recovery) < 50ms".parse()?;
/// let by_expression = Condition::from(recovered);
/// let by_code = Condition::new(|so_far: &RunRecord| so_far.failed_operations() > 100);
/// # Ok::<(), load_engine::RunError>(())
/// ```
#[derive(Clone)]
pub struct Condition(pub(crate) Kind);

#[derive(Clone)]
pub(crate) enum Kind {
    Held(Threshold),
    Code(Arc<dyn Fn(&RunRecord) -> bool + Send + Sync>),
}

impl Condition {
    /// Code that looks at what is known so far: iterations, latencies and failures of steps and
    /// phases, brought together by the users once a second.
    pub fn new(holds: impl Fn(&RunRecord) -> bool + Send + Sync + 'static) -> Self {
        Self(Kind::Code(Arc::new(holds)))
    }

    pub(crate) fn holds(&self, so_far: &RunRecord) -> bool {
        match &self.0 {
            Kind::Held(threshold) => threshold.judge(so_far, None).ruling == Ruling::Held,
            Kind::Code(holds) => holds(so_far),
        }
    }
}

/// Holds as soon as the threshold does; one whose figure is not there does not.
impl From<Threshold> for Condition {
    fn from(threshold: Threshold) -> Self {
        Self(Kind::Held(threshold))
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Held(threshold) => write!(f, "Condition({threshold})"),
            Kind::Code(_) => f.write_str("Condition(code)"),
        }
    }
}
