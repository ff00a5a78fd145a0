//! Rebuilding what the database derives from its own rows.

use rusqlite::Connection;

use crate::check::recount_chunks;

/// Removes dangling edges and history, lets edges end
/// where the next one begins, counts what namespaces hold, and moves sequences past the ids in use;
/// to be called in a transaction.
pub(crate) fn rebuild_indexes(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "DELETE FROM edges WHERE
             NOT EXISTS(SELECT 1 FROM memories m WHERE m.ns = edges.ns AND m.id = edges.source)
             OR NOT EXISTS(SELECT 1 FROM memories m WHERE m.ns = edges.ns AND m.id = edges.target);
         DELETE FROM edge_versions WHERE
             NOT EXISTS(SELECT 1 FROM memories m
                        WHERE m.ns = edge_versions.ns AND m.id = edge_versions.source)
             OR NOT EXISTS(SELECT 1 FROM memories m
                           WHERE m.ns = edge_versions.ns AND m.id = edge_versions.target);
         DELETE FROM versions WHERE NOT EXISTS(
             SELECT 1 FROM memories m
             WHERE m.ns = versions.ns AND m.id = versions.id AND m.version > versions.version);
         UPDATE edges SET valid_until = (
             SELECT min(later.valid_from) FROM edges later
             WHERE (later.ns, later.source, later.relation, later.target)
                     = (edges.ns, edges.source, edges.relation, edges.target)
                 AND later.valid_from > edges.valid_from)
         WHERE EXISTS(
             SELECT 1 FROM edges later
             WHERE (later.ns, later.source, later.relation, later.target)
                     = (edges.ns, edges.source, edges.relation, edges.target)
                 AND later.valid_from > edges.valid_from
                 AND (edges.valid_until IS NULL OR edges.valid_until > later.valid_from));
         UPDATE namespaces SET (items, bytes) = (
             SELECT coalesce(sum(items), 0), coalesce(sum(bytes), 0) FROM (
                 SELECT 1 AS items, octet_length(text) + octet_length(tags)
                     + octet_length(attributes) + coalesce(octet_length(vector), 0) AS bytes
                 FROM memories m WHERE m.ns = namespaces.ns
                 UNION ALL
                 SELECT 0, octet_length(text) + octet_length(tags)
                     + octet_length(attributes) + coalesce(octet_length(vector), 0)
                 FROM versions v WHERE v.ns = namespaces.ns));
         UPDATE namespaces SET next_id = max(next_id, coalesce(
             (SELECT min(max(id), 9223372036854775806) + 1 FROM memories m
              WHERE m.ns = namespaces.ns), 1));",
    )?;
    recount_chunks(connection)?;
    connection.execute_batch(COUNT_STATE)
}

/// After the chunks, whose removal it counts.
const COUNT_STATE: &str = "
UPDATE namespaces SET state_bytes =
    (SELECT coalesce(sum(octet_length(s.value)), 0) FROM state s JOIN runs r ON r.run = s.run
     WHERE r.ns = namespaces.ns)
    + (SELECT coalesce(sum(octet_length(c.bytes)), 0) FROM chunks c WHERE c.ns = namespaces.ns);
";
