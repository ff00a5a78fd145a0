//! What the owner of a log does with each commit.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sync::OnceLock;
use crate::{Log, Seq};

type Call = Box<dyn Fn(Seq) + Send + Sync>;

/// Called by whoever leads a commit.
#[derive(Default)]
pub(crate) struct Hook(OnceLock<Call>);

impl Hook {
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

impl<T: Serialize + DeserializeOwned> Log<T> {
    /// Has a function called after each commit, with the number of the last record that is then as
    /// durable as the log's level says, and before those who wait for it are woken: for what all of
    /// them would do otherwise, one after the other. Only the first function that is given is kept.
    ///
    /// One thread at a time calls it, and everybody else waits for its end: it must be short, and must
    /// not wait for what a caller of this log may hold meanwhile. A number is not told twice, unless a
    /// full disk gave it to another record.
    pub fn on_commit(&self, call: impl Fn(Seq) + Send + Sync + 'static) {
        let _ = self.committer().hook.0.set(Box::new(call));
    }
}
