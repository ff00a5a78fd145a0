//! What becomes of a request, by its answer's status and by how the answer failed.

use std::sync::OnceLock;
use std::time::Duration;

use crate::net::Broken;
use crate::outcome::{Code, Failure, Outcome, Reason};

/// An answer that is not HTTP.
pub(super) type Malformed = Failure;

pub(super) fn malformed(problem: &str) -> Malformed {
    Failure::new(&format!("malformed answer: {problem}"))
}

/// How far an answer had come when the connection broke.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Progress {
    Nothing,
    Head,
    Body,
}

pub(super) fn broken(broken: Broken, progress: Progress, within: Duration) -> Failure {
    match (broken, progress) {
        (Broken::Timeout, Progress::Nothing) => {
            Failure::with_code(&format!("no answer within {within:?}"), Code::Timeout)
        }
        (Broken::Timeout, _) => {
            let told = format!("the answer was not complete within {within:?}");
            Failure::with_code(&told, Code::Timeout)
        }
        (Broken::Closed, Progress::Nothing) => reset("the connection was closed before an answer"),
        (Broken::Reset, Progress::Nothing) => reset("the connection was reset before an answer"),
        (Broken::Closed, Progress::Head) => reset("the answer was cut in its head"),
        (Broken::Closed, Progress::Body) => reset("the answer was cut in its body"),
        (Broken::Reset, Progress::Head | Progress::Body) => {
            reset("the connection was reset within the answer")
        }
    }
}

pub(super) fn reset(told: &str) -> Failure {
    Failure::with_code(told, Code::Reset)
}

/// What a status says: 2xx is done; 4xx is not, unless the service could not tell in time (408), does
/// not know yet (425) or was asked too often (429), which proxies answer for it; all else may be.
pub(super) fn of_status(status: u16) -> Outcome {
    match status {
        200..300 => Outcome::Acknowledged,
        408 | 425 | 429 => Outcome::Unknown(reason(status)),
        400..500 => Outcome::Refused(reason(status)),
        _ => Outcome::Unknown(reason(status)),
    }
}

/// `HTTP 409`, made once for each status.
fn reason(status: u16) -> Reason {
    static REASONS: [OnceLock<Reason>; 1000] = [const { OnceLock::new() }; 1000];
    let make = || Reason::new(&format!("HTTP {status}"));
    match REASONS.get(usize::from(status)) {
        Some(reason) => *reason.get_or_init(make),
        None => make(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_what_became_of_the_request() {
        for status in [200, 201, 204, 299] {
            assert_eq!(of_status(status), Outcome::Acknowledged);
        }
        for status in [400, 401, 403, 404, 409, 422, 499] {
            assert!(matches!(of_status(status), Outcome::Refused(_)), "{status}");
        }
        for status in [301, 304, 408, 425, 429, 500, 503, 599, 999] {
            let told = format!("HTTP {status}");
            assert_eq!(of_status(status), Outcome::Unknown(Reason::new(&told)));
        }
    }
}
