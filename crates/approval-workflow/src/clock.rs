//! The one clock of this crate, for one-time codes: all other times are arguments.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use action::Timestamp;

/// Tells the time by which one-time codes are checked.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    pub(crate) fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(system_time))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a one-time code is good for a moment of real time, which no caller may choose"
)]
fn system_time() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // A clock before 1970 is not set: no code is good then.
    since_1970.map_or(Timestamp::MIN, |span| Timestamp::default().after(span))
}
