//! What can be written, how it is done, and what it means for the derived tiers.

use action::Timestamp;

use crate::error::Result;
use crate::metadata::{PreparedMemory, Session};
use crate::model::change::{Change, Ended, Forgotten, Superseded};
use crate::model::edge::Edge;
use crate::model::names::{MemoryId, Namespace, Relation};
use crate::model::quota::Quota;
use crate::model::state::StateWrite;

/// What a caller asks to be written.
#[derive(Debug)]
pub(crate) enum Write {
    Remember(Box<PreparedMemory>),
    /// Several memories, all or none.
    RememberAll(Vec<PreparedMemory>),
    /// Replaces what is known of a memory, if it has the expected version.
    Update(MemoryId, Option<u32>, Box<PreparedMemory>),
    /// Ends a memory, if it has the expected version, where another one begins.
    Supersede(MemoryId, Option<u32>, Box<PreparedMemory>),
    End {
        namespace: Namespace,
        id: MemoryId,
        until: Timestamp,
        recorded_at: Timestamp,
    },
    /// Removes some of the memories that have expired by a moment.
    Sweep {
        moment: Timestamp,
        limit: u32,
    },
    Forget {
        namespace: Namespace,
        id: MemoryId,
    },
    Link(Edge),
    Unlink {
        namespace: Namespace,
        source: MemoryId,
        relation: Relation,
        target: MemoryId,
    },
    /// Ends the edge that holds at a moment.
    EndEdge {
        namespace: Namespace,
        source: MemoryId,
        relation: Relation,
        target: MemoryId,
        until: Timestamp,
        recorded_at: Timestamp,
    },
    SetQuota(Namespace, Quota),
    State(StateWrite),
}

/// What became of it.
#[derive(Debug, Clone)]
pub(crate) enum Written {
    Remembered(MemoryId),
    RememberedAll(Vec<MemoryId>),
    /// The new version, and the text that was there before.
    Updated(u32, String),
    Superseded(Superseded),
    /// All edges that were written.
    Linked(Vec<Edge>),
    Swept(Vec<Forgotten>),
    /// What was removed, if it was there.
    Forgotten(Option<Forgotten>),
    /// What was ended, if it had not ended as early.
    Ended(Option<Ended>),
    /// An unlink, and whether there was something to remove.
    Removed(bool),
    EndedEdge(Option<Edge>),
    QuotaSet,
    /// The version of a value, or the number of a checkpoint.
    State(u64),
}

pub(super) fn apply(session: &mut Session, write: &Write) -> Result<Written> {
    match write {
        Write::Remember(prepared) => session.remember(prepared).map(Written::Remembered),
        Write::RememberAll(prepared) => session.remember_all(prepared).map(Written::RememberedAll),
        Write::Update(id, expected, prepared) => session
            .update(*id, *expected, prepared)
            .map(|(version, before)| Written::Updated(version, before)),
        Write::Supersede(id, expected, prepared) => session
            .supersede(*id, *expected, prepared)
            .map(Written::Superseded),
        Write::End {
            namespace,
            id,
            until,
            recorded_at,
        } => session
            .end(namespace, *id, *until, *recorded_at)
            .map(Written::Ended),
        Write::Sweep { moment, limit } => session.sweep(*moment, *limit).map(Written::Swept),
        Write::Forget { namespace, id } => session.forget(namespace, *id).map(Written::Forgotten),
        Write::Link(edge) => session.link(edge).map(Written::Linked),
        Write::Unlink {
            namespace,
            source,
            relation,
            target,
        } => session
            .unlink(namespace, *source, relation, *target)
            .map(Written::Removed),
        Write::EndEdge {
            namespace,
            source,
            relation,
            target,
            until,
            recorded_at,
        } => session
            .end_edge(
                namespace,
                (*source, relation, *target),
                *until,
                *recorded_at,
            )
            .map(Written::EndedEdge),
        Write::SetQuota(namespace, quota) => session
            .set_quota(namespace, *quota)
            .map(|()| Written::QuotaSet),
        Write::State(write) => session.write_state(write).map(Written::State),
    }
}

/// What a committed write means for the derived tiers; nothing if it removed nothing.
pub(super) fn for_each_change(write: Write, written: &Written, mut visit: impl FnMut(Change)) {
    match (write, written) {
        (Write::Remember(prepared), Written::Remembered(id)) => {
            visit(remembered(*prepared, *id));
        }
        (Write::RememberAll(prepared), Written::RememberedAll(ids)) => {
            for (prepared, id) in prepared.into_iter().zip(ids) {
                visit(remembered(prepared, *id));
            }
        }
        (Write::Update(id, _, prepared), Written::Updated(_, before)) => {
            let PreparedMemory { memory, unit, .. } = *prepared;
            visit(Change::Updated {
                id,
                before: before.clone(),
                memory,
                unit,
            });
        }
        (Write::Supersede(_, _, prepared), Written::Superseded(superseded)) => {
            visit(remembered(*prepared, superseded.new));
            let ended = superseded.ended.iter().cloned();
            ended.for_each(|ended| visit(Change::Ended(ended)));
            let edges = superseded.edges.iter().cloned();
            edges.for_each(|edge| visit(Change::Linked(edge)));
        }
        (Write::End { .. }, Written::Ended(Some(ended))) => visit(Change::Ended(ended.clone())),
        (Write::Sweep { .. }, Written::Swept(swept)) => {
            let swept = swept.iter().cloned();
            swept.for_each(|forgotten| visit(Change::Forgotten(forgotten)));
        }
        (Write::Forget { .. }, Written::Forgotten(Some(forgotten))) => {
            visit(Change::Forgotten(forgotten.clone()));
        }
        (Write::Link(_), Written::Linked(edges)) => {
            edges
                .iter()
                .cloned()
                .for_each(|edge| visit(Change::Linked(edge)));
        }
        (Write::EndEdge { .. }, Written::EndedEdge(Some(edge))) => {
            visit(Change::Linked(edge.clone()));
        }
        (
            Write::Unlink {
                namespace,
                source,
                relation,
                target,
            },
            Written::Removed(true),
        ) => visit(Change::Unlinked {
            namespace,
            source,
            relation,
            target,
        }),
        _ => {}
    }
}

fn remembered(prepared: PreparedMemory, id: MemoryId) -> Change {
    Change::Remembered {
        id,
        memory: prepared.memory,
        unit: prepared.unit,
    }
}
