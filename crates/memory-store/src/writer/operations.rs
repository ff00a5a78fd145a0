//! What can be written, how it is done, and what it means for the derived tiers.

use crate::error::Result;
use crate::metadata::{PreparedMemory, Session};
use crate::model::change::Change;
use crate::model::edge::Edge;
use crate::model::names::{MemoryId, Namespace, Relation, Timestamp};
use crate::model::quota::Quota;
use crate::model::state::StateWrite;

/// What a caller asks to be written.
#[derive(Debug)]
pub(crate) enum Write {
    Remember(Box<PreparedMemory>),
    /// Replaces what is known of a memory.
    Update(MemoryId, Box<PreparedMemory>),
    /// Ends a memory where another one begins.
    Supersede(MemoryId, Box<PreparedMemory>),
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
    /// The new version.
    Updated(u32),
    /// The new memory, and the edges that were written.
    Superseded(MemoryId, Vec<Edge>),
    /// All edges that were written.
    Linked(Vec<Edge>),
    Swept(Vec<(Namespace, MemoryId)>),
    /// A forget, an unlink or an end, and whether there was something to remove or to end.
    Removed(bool),
    EndedEdge(Option<Edge>),
    QuotaSet,
    /// The version of a value, or the number of a checkpoint.
    State(u64),
}

pub(super) fn apply(session: &mut Session, write: &Write) -> Result<Written> {
    match write {
        Write::Remember(prepared) => session.remember(prepared).map(Written::Remembered),
        Write::Update(id, prepared) => session.update(*id, prepared).map(Written::Updated),
        Write::Supersede(id, prepared) => session
            .supersede(*id, prepared)
            .map(|(id, edges)| Written::Superseded(id, edges)),
        Write::End {
            namespace,
            id,
            until,
            recorded_at,
        } => session
            .end(namespace, *id, *until, *recorded_at)
            .map(Written::Removed),
        Write::Sweep { moment, limit } => session.sweep(*moment, *limit).map(Written::Swept),
        Write::Forget { namespace, id } => session.forget(namespace, *id).map(Written::Removed),
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
        (Write::Update(id, prepared), Written::Updated(_)) => visit(Change::Updated {
            namespace: prepared.memory.namespace,
            id,
            unit: prepared.unit,
        }),
        (Write::Supersede(old, prepared), Written::Superseded(id, edges)) => {
            let namespace = prepared.memory.namespace.clone();
            visit(remembered(*prepared, *id));
            visit(Change::Ended { namespace, id: old });
            edges
                .iter()
                .cloned()
                .for_each(|edge| visit(Change::Linked(edge)));
        }
        (Write::End { namespace, id, .. }, Written::Removed(true)) => {
            visit(Change::Ended { namespace, id });
        }
        (Write::Sweep { .. }, Written::Swept(swept)) => {
            for (namespace, id) in swept.iter().cloned() {
                visit(Change::Forgotten { namespace, id });
            }
        }
        (Write::Forget { namespace, id }, Written::Removed(true)) => {
            visit(Change::Forgotten { namespace, id });
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
        namespace: prepared.memory.namespace,
        id,
        unit: prepared.unit,
    }
}
