use load_engine::{Digest, Rng};
use serde::{Deserialize, Serialize};

/// One record of the storage scenario: what an agent did, or waits to do. About 300 bytes of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Unique.
    pub id: String,
    /// Who did it.
    pub agent: u32,
    /// Where.
    pub path: String,
    /// How far it is.
    pub status: Status,
    /// What it said.
    pub note: String,
}

/// How far an [`Operation`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits.
    Pending,
    /// Done.
    Done,
    /// Failed.
    Failed,
}

impl Operation {
    pub(super) fn random(user: u32, index: u64, rng: &mut Rng) -> Self {
        let status = match rng.next_u64() % 10 {
            0..3 => Status::Pending,
            3..9 => Status::Done,
            _ => Status::Failed,
        };
        let note: String = (0..12)
            .map(|_| format!("{:016x}", rng.next_u64()))
            .collect();
        Self {
            id: format!("op-{user:04}-{index:08}"),
            agent: user,
            path: format!("tools/{}/run", rng.next_u64() % 40),
            status,
            note,
        }
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::of_json(self).expect("an operation has only text and numbers")
    }
}
