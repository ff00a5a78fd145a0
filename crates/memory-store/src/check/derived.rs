//! The derived tiers against the database.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use action::Timestamp;
use rusqlite::{Connection, params};

use crate::error::{Result, SqliteContext};
use crate::metadata::{
    MEMORY_COLUMNS, for_each_edge, for_each_memory, for_each_vector, languages, memory_from_row,
};
use crate::model::edge::Edge;
use crate::model::language::Language;
use crate::model::memory::Memory;
use crate::model::names::{MemoryId, Namespace, Relation};
use crate::model::report::{CheckReport, Disagreement};
use crate::similarity::unit_vector;
use crate::store::tiers::Tiers;
use crate::text::TextTier;

/// Checks the derived tiers against the database; to be called while nothing is written.
pub(crate) fn check_derived(
    connection: &Connection,
    path: &Path,
    tiers: &Tiers,
    report: &mut CheckReport,
) -> Result<()> {
    check_texts(connection, tiers, report).sqlite("check the texts", path)?;
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

/// Every memory stands in the text tier with its words, labels and times, and nothing else does.
fn check_texts(
    connection: &Connection,
    tiers: &Tiers,
    report: &mut CheckReport,
) -> rusqlite::Result<()> {
    let mut stored = HashSet::new();
    let expected = TextTier::default();
    for (namespace, language) in languages(connection)? {
        expected.create(&namespace, Language::named(&language).unwrap_or_default());
    }
    let found = &mut report.disagreements;
    for_each_memory(connection, None, |memory| {
        let (namespace, id) = (memory.namespace.clone(), memory.id);
        let memory = memory.into();
        expected.insert(id, &memory);
        stored.insert((namespace.clone(), id));
        found.extend(match tiers.text.agrees(id, &memory) {
            None => Some(Disagreement::MissingText { namespace, id }),
            Some(false) => Some(Disagreement::AlteredText { namespace, id }),
            Some(true) => None,
        });
    })?;
    let mut ghosts = 0;
    tiers.text.for_each(|namespace, id| {
        ghosts += u64::from(!stored.contains(&(namespace.clone(), id)));
    });
    if ghosts > 0 {
        found.push(Disagreement::GhostTexts { documents: ghosts });
    }
    // What is wrong with a memory that was named would be told a second time.
    if found.is_empty() {
        let (expected, there) = (expected.postings(), tiers.text.postings());
        let count = |of: &HashMap<Namespace, (u64, u64)>, namespace: &Namespace| {
            of.get(namespace).copied().unwrap_or_default()
        };
        let differs =
            |namespace: &&Namespace| count(&expected, namespace) != count(&there, namespace);
        let surplus = expected.keys().filter(differs).cloned();
        found.extend(surplus.map(|namespace| Disagreement::SurplusWords { namespace }));
    }
    Ok(())
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
