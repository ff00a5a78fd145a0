//! What was known before, and what a namespace holds.

use rusqlite::Connection;

use crate::metadata::{AFTER_MEMORY, MEMORY_COLUMNS, count, memory_from_row, namespace_from_row};
use crate::model::names::{MemoryId, Namespace};
use crate::model::report::{CheckReport, Disagreement};

pub(super) fn check_history(
    connection: &Connection,
    report: &mut CheckReport,
) -> rusqlite::Result<()> {
    check_versions(connection, report)?;
    check_edge_versions(connection, report)?;
    check_overlaps(connection, report)?;
    check_usage(connection, report)
}

fn check_versions(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!(
        "SELECT {MEMORY_COLUMNS}, n.name, m.digest, coalesce(m.version < now.version, 0)
         FROM versions m JOIN namespaces n ON n.ns = m.ns
         LEFT JOIN memories now ON now.ns = m.ns AND now.id = m.id"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let namespace = namespace_from_row(row, AFTER_MEMORY)?;
        let memory = memory_from_row(row, &namespace)?;
        let digest: Vec<u8> = row.get(AFTER_MEMORY + 1)?;
        let is_before: bool = row.get(AFTER_MEMORY + 2)?;
        if !is_before || memory.digest().as_bytes().as_slice() != digest {
            report.disagreements.push(Disagreement::AlteredHistory {
                namespace,
                id: memory.id,
                version: memory.version,
            });
        }
    }
    Ok(())
}

fn check_edge_versions(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let versions = count(
        connection,
        "SELECT count(*) FROM edge_versions e
         WHERE NOT EXISTS(SELECT 1 FROM memories m WHERE m.ns = e.ns AND m.id = e.source)
            OR NOT EXISTS(SELECT 1 FROM memories m WHERE m.ns = e.ns AND m.id = e.target)",
    )?;
    if versions > 0 {
        let dangling = Disagreement::DanglingHistory { versions };
        report.disagreements.push(dangling);
    }
    Ok(())
}

fn check_overlaps(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT n.name, e.source, e.relation, e.target
         FROM edges e JOIN edges later USING (ns, source, relation, target)
         JOIN namespaces n ON n.ns = e.ns
         WHERE later.valid_from > e.valid_from
             AND (e.valid_until IS NULL OR e.valid_until > later.valid_from)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let [source, target] = [row.get(1)?, row.get(3)?];
        let [source, target] = [MemoryId::from_sql(source)?, MemoryId::from_sql(target)?];
        let relation: String = row.get(2)?;
        report.disagreements.push(Disagreement::OverlappingEdges {
            namespace: namespace_from_row(row, 0)?,
            edge: format!("{source} -{relation}-> {target}"),
        });
    }
    Ok(())
}

fn check_usage(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "WITH held AS (
             SELECT ns, 1 AS items, octet_length(text) + octet_length(tags)
                 + octet_length(attributes) + coalesce(octet_length(vector), 0) AS bytes
             FROM memories
             UNION ALL
             SELECT ns, 0, octet_length(text) + octet_length(tags)
                 + octet_length(attributes) + coalesce(octet_length(vector), 0)
             FROM versions
         ), summed AS (
             SELECT ns, sum(items) AS items, sum(bytes) AS bytes FROM held GROUP BY ns
         )
         SELECT n.name FROM namespaces n LEFT JOIN summed s ON s.ns = n.ns
         WHERE n.items <> coalesce(s.items, 0) OR n.bytes <> coalesce(s.bytes, 0)
             OR n.state_bytes <>
                 (SELECT coalesce(sum(octet_length(v.value)), 0)
                  FROM state v JOIN runs r ON r.run = v.run WHERE r.ns = n.ns)
                 + (SELECT coalesce(sum(octet_length(c.bytes)), 0) FROM chunks c WHERE c.ns = n.ns)",
    )?;
    let namespaces = statement.query_map([], |row| namespace_from_row(row, 0))?;
    let namespaces: Vec<Namespace> = namespaces.collect::<rusqlite::Result<_>>()?;
    let usages = namespaces
        .into_iter()
        .map(|namespace| Disagreement::Usage { namespace });
    report.disagreements.extend(usages);
    Ok(())
}
