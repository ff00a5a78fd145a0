//! Requests of a connection, told by who speaks: one begins when the driver speaks after the service did.

/// Whose turn it is on a connection.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The number of the request that was begun last.
    number: u64,
    is_asking: bool,
}

impl Turns {
    /// The driver speaks: the number of the request that begins with it, if one does.
    pub(super) fn asked(&mut self) -> Option<u64> {
        if std::mem::replace(&mut self.is_asking, true) {
            return None;
        }
        self.number += 1;
        Some(self.number)
    }

    /// The service speaks: whether it begins an answer.
    pub(super) fn answered(&mut self) -> bool {
        std::mem::replace(&mut self.is_asking, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_lasts_until_the_service_speaks() {
        let mut turns = Turns::default();
        assert_eq!(turns.asked(), Some(1));
        assert_eq!(turns.asked(), None, "more of the same request");
        assert!(turns.answered());
        assert!(!turns.answered(), "more of the same answer");
        assert_eq!(turns.asked(), Some(2));
    }
}
