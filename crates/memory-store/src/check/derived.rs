//! The derived tiers against the database.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use rusqlite::{Connection, ErrorCode, params};

use crate::error::{Result, SqliteContext};
use crate::metadata::{MEMORY_COLUMNS, for_each_edge, for_each_vector, memory_from_row};
use crate::model::edge::Edge;
use crate::model::memory::Memory;
use crate::model::names::{MemoryId, Namespace, Relation, Timestamp};
use crate::model::report::{CheckReport, Disagreement};
use crate::similarity::unit_vector;
use crate::store::tiers::Tiers;

/// Checks the derived tiers against the database; to be called while nothing is written.
pub(crate) fn check_derived(
    connection: &Connection,
    path: &Path,
    tiers: &Tiers,
    report: &mut CheckReport,
) -> Result<()> {
    check_text_content(connection, report).sqlite("check the full text", path)?;
    check_vectors(connection, tiers, report).sqlite("check the vectors", path)?;
    check_relations(connection, tiers, report).sqlite("check the relations", path)?;
    check_cache(connection, tiers, report).sqlite("check the cache", path)?;
    let counted = tiers.counters().items.get();
    if counted != report.items {
        let what = "memories".to_owned();
        report.disagreements.push(Disagreement::Count {
            what,
            counted,
            stored: report.items,
        });
    }
    Ok(())
}

/// Lets FTS5 compare its index with the texts word by word, unless it was already found to differ.
fn check_text_content(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let is_text = |found: &Disagreement| {
        matches!(
            found,
            Disagreement::MissingText { .. } | Disagreement::GhostTexts { .. }
        )
    };
    if report.disagreements.iter().any(is_text) {
        return Ok(());
    }
    let check = "INSERT INTO memories_text(memories_text, rank) VALUES('integrity-check', 1)";
    match connection.execute(check, []) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            report.disagreements.push(Disagreement::AlteredTexts);
            Ok(())
        }
        other => other.map(drop),
    }
}

fn check_vectors(
    connection: &Connection,
    tiers: &Tiers,
    report: &mut CheckReport,
) -> rusqlite::Result<()> {
    let mut stored = HashSet::new();
    for_each_vector(connection, |namespace, id, vector| {
        // A vector that cannot be compared could not be in the tier either.
        let unit = unit_vector(&vector, String::new).ok();
        let is_same = |derived: &[f32]| unit.as_deref() == Some(derived);
        let found = tiers.similarity.with_vector(&namespace, id, is_same);
        stored.insert((namespace.clone(), id));
        report.disagreements.extend(match found {
            None => Some(Disagreement::MissingVector { namespace, id }),
            Some(false) => Some(Disagreement::AlteredVector { namespace, id }),
            Some(true) => None,
        });
    })?;
    let mut ghosts = BTreeSet::new();
    tiers.similarity.for_each(|namespace, id, _| {
        let key = (namespace.clone(), id);
        if !stored.contains(&key) {
            ghosts.insert(key);
        }
    });
    report.disagreements.extend(
        ghosts
            .into_iter()
            .map(|(namespace, id)| Disagreement::GhostVector { namespace, id }),
    );
    tiers.similarity.for_each_unreachable(|namespace, id| {
        let namespace = namespace.clone();
        report
            .disagreements
            .push(Disagreement::UnreachableVector { namespace, id });
    });
    tiers.similarity.for_each_bad_file(|namespace, detail| {
        let namespace = namespace.clone();
        report
            .disagreements
            .push(Disagreement::IndexFile { namespace, detail });
    });
    Ok(())
}

type EdgeKey = (Namespace, MemoryId, Relation, MemoryId, Timestamp);

fn check_relations(
    connection: &Connection,
    tiers: &Tiers,
    report: &mut CheckReport,
) -> rusqlite::Result<()> {
    let mut derived: BTreeMap<EdgeKey, Edge> = BTreeMap::new();
    tiers.relations.for_each(|edge| {
        derived.insert(edge_key(&edge), edge);
    });
    for_each_edge(connection, |stored| {
        let (namespace, edge) = (stored.namespace.clone(), stored.label());
        report
            .disagreements
            .extend(match derived.remove(&edge_key(&stored)) {
                None => Some(Disagreement::MissingEdge { namespace, edge }),
                Some(derived) if derived != stored => {
                    Some(Disagreement::AlteredEdge { namespace, edge })
                }
                Some(_) => None,
            });
    })?;
    report
        .disagreements
        .extend(derived.into_values().map(|ghost| {
            let edge = ghost.label();
            Disagreement::GhostEdge {
                namespace: ghost.namespace,
                edge,
            }
        }));
    Ok(())
}

fn edge_key(edge: &Edge) -> EdgeKey {
    (
        edge.namespace.clone(),
        edge.source,
        edge.relation.clone(),
        edge.target,
        edge.valid_from,
    )
}

fn check_cache(
    connection: &Connection,
    tiers: &Tiers,
    report: &mut CheckReport,
) -> rusqlite::Result<()> {
    let mut cached = Vec::new();
    tiers.cache.for_each(|memory| cached.push(memory));
    let mut statement = connection.prepare(&format!(
        "SELECT {MEMORY_COLUMNS} FROM memories m JOIN namespaces n ON n.ns = m.ns
         WHERE n.name = ?1 AND m.id = ?2"
    ))?;
    for memory in cached {
        let Memory { namespace, id, .. } = &*memory;
        let mut rows = statement.query(params![namespace.as_str(), id.to_sql()])?;
        let stored = rows
            .next()?
            .map(|row| memory_from_row(row, namespace))
            .transpose()?;
        if stored.as_ref() != Some(&*memory) {
            let (namespace, id) = (namespace.clone(), *id);
            report
                .disagreements
                .push(Disagreement::StaleCache { namespace, id });
        }
    }
    Ok(())
}
