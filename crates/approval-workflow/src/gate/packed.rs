//! A gate in two words.

use action::Timestamp;

use crate::gate::standing::{Gate, Standing};
use crate::model::permission::DenyReason;

/// A slot's content, as a snapshot keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packed {
    pub(crate) digest: [u8; 32],
    pub(crate) standing: u64,
    pub(crate) since: u64,
}

/// The content of a slot's word: five bits of standing, and above them a time where there is
/// one, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Undecided { until: Timestamp },
    Open { until: Timestamp },
    Shut(DenyReason),
    Beyond,
}

const TAG_BITS: u32 = 5;
const UNDECIDED: u64 = 1;
const OPEN: u64 = 2;
const BEYOND: u64 = 3;
/// The reasons that a gate can be shut for, by their tags.
const SHUT: [(u64, DenyReason); 10] = [
    (4, DenyReason::Denied),
    (5, DenyReason::Expired),
    (6, DenyReason::Lapsed),
    (7, DenyReason::Withdrawn),
    (8, DenyReason::Revoked),
    (9, DenyReason::Claimed),
    (10, DenyReason::PolicyChanged),
    (11, DenyReason::ReviewersChanged),
    (12, DenyReason::DeniedByPolicy),
    (13, DenyReason::Restored),
];

/// A gate as a slot keeps it.
pub(crate) fn pack(gate: &Gate) -> Packed {
    let timed = |tag: u64, until: Timestamp| {
        // 59 bits of microseconds end in the year 20,000. What is later, or before 1970, is asked
        // elsewhere.
        match u64::try_from(until.as_micros()) {
            Ok(micros) if micros < 1 << (u64::BITS - TAG_BITS) => micros << TAG_BITS | tag,
            _ => BEYOND,
        }
    };
    let (standing, since) = match gate.standing {
        Standing::Open { since, until } => (timed(OPEN, until), since.as_micros().cast_unsigned()),
        Standing::Undecided { until } => (timed(UNDECIDED, until), 0),
        Standing::Shut(reason) => {
            let mut tags = SHUT.iter();
            let tag = tags.find_map(|&(tag, of)| (of == reason).then_some(tag));
            (tag.unwrap_or(BEYOND), 0)
        }
    };
    Packed {
        digest: *gate.digest.as_bytes(),
        standing,
        since,
    }
}

pub(crate) fn unpack(word: u64) -> Option<Word> {
    let until = Timestamp::from_micros((word >> TAG_BITS).cast_signed());
    match word & ((1 << TAG_BITS) - 1) {
        UNDECIDED => Some(Word::Undecided { until }),
        OPEN => Some(Word::Open { until }),
        BEYOND => Some(Word::Beyond),
        tag => {
            let reason = SHUT
                .iter()
                .find_map(|&(of, why)| (of == tag).then_some(why));
            reason.map(Word::Shut)
        }
    }
}

impl Packed {
    /// Whether its times do not fit into a slot.
    pub(crate) fn is_beyond(&self) -> bool {
        unpack(self.standing) == Some(Word::Beyond)
    }

    /// Whether another says the same, but for what a policy or a directory of today adds: that a gate
    /// which the events open is shut.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        self.digest == other.digest
            && (self.standing == other.standing || self.may_be_open() && other.may_be_open())
    }

    /// Whether the events open it, whatever the policy and the directory say today.
    fn may_be_open(&self) -> bool {
        matches!(
            unpack(self.standing),
            Some(
                Word::Open { .. }
                    | Word::Beyond
                    | Word::Shut(DenyReason::PolicyChanged | DenyReason::ReviewersChanged)
            )
        )
    }

    /// Whether it holds whatever the policy and the directory say today: nothing opens it again.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            unpack(self.standing),
            Some(Word::Shut(reason))
                if !matches!(reason, DenyReason::PolicyChanged | DenyReason::ReviewersChanged)
        )
    }
}

#[cfg(test)]
mod tests {
    use action::{Action, ActionPath};

    use super::*;

    #[test]
    fn a_gate_survives_its_packing_or_is_beyond() {
        let action = Action::new(ActionPath::new("a/b").unwrap(), "n");
        let digest = action.digest().unwrap();
        let far = Timestamp::from_micros(1 << 59);
        let near = Timestamp::from_micros((1 << 59) - 1);
        let word = |standing| unpack(pack(&Gate { digest, standing }).standing).unwrap();
        let since = near;
        assert_eq!(
            word(Standing::Open { since, until: near }),
            Word::Open { until: near }
        );
        assert_eq!(word(Standing::Open { since, until: far }), Word::Beyond);
        for early in [Timestamp::from_micros(-1), Timestamp::MIN] {
            let before_1970 = Standing::Undecided { until: early };
            assert_eq!(word(before_1970), Word::Beyond);
        }
        let max = Timestamp::MAX;
        assert_eq!(word(Standing::Undecided { until: max }), Word::Beyond);
        assert_eq!(
            word(Standing::Undecided { until: near }),
            Word::Undecided { until: near }
        );
        for (_, reason) in SHUT {
            assert_eq!(word(Standing::Shut(reason)), Word::Shut(reason));
        }
        // Not a reason that a gate is shut for: asked elsewhere rather than told as another one.
        assert_eq!(word(Standing::Shut(DenyReason::ReadsChanged)), Word::Beyond);
        assert_eq!(unpack(0), None);
        assert_eq!(unpack(31), None);
    }
}
