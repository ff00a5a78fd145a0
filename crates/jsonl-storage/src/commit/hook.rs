//! What the owner of a log does with each commit.

use std::fmt;

use crate::format::seq::Seq;
use crate::sync::OnceLock;

type Call = Box<dyn Fn(Seq) + Send + Sync>;

/// Called by whoever leads a commit.
#[derive(Default)]
pub(crate) struct Hook(OnceLock<Call>);

impl Hook {
    /// Only the first function that is given is kept.
    pub(crate) fn set(&self, call: impl Fn(Seq) + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(call));
    }

    pub(crate) fn call(&self, last: Seq) {
        if let Some(call) = self.0.get() {
            call(last);
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_set = self.0.get().is_some();
        f.debug_tuple("Hook").field(&is_set).finish()
    }
}
