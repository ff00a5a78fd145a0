//! Bringing a database of an earlier version up to date.

use rusqlite::Connection;

use crate::model::fault;

use super::tables::SCHEMA_VERSION;

/// The oldest version that can be brought up to date.
pub(super) const OLDEST_VERSION: i32 = 3;

/// Each step leads from one version to the next, the first from [`OLDEST_VERSION`].
const STEPS: [&str; 3] = [TIMES, CHUNKS, TEXT_TIER];

/// All steps in one transaction: a crash leaves the version before, whole.
pub(super) fn migrate(connection: &Connection, from: i32) -> rusqlite::Result<()> {
    let first = usize::try_from(from - OLDEST_VERSION).expect("checked when it was identified");
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let migrated = STEPS[first..]
        .iter()
        .try_for_each(|step| connection.execute_batch(step))
        .and_then(|()| connection.pragma_update(None, "user_version", SCHEMA_VERSION));
    if let Err(error) = migrated {
        // What went wrong first is what is told.
        let _ = connection.execute_batch("ROLLBACK");
        return Err(error);
    }
    fault::point("before-migrated");
    connection.execute_batch("COMMIT")
}

/// Times of validity and of recording, histories, and what a namespace holds and may hold. What was
/// stored before is true since it happened. The full-text index is removed by a later step anyway,
/// and not made anew in between.
const TIMES: &str = "
ALTER TABLE namespaces ADD COLUMN items INTEGER NOT NULL DEFAULT 0;
ALTER TABLE namespaces ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE namespaces ADD COLUMN max_items INTEGER;
ALTER TABLE namespaces ADD COLUMN max_bytes INTEGER;
UPDATE namespaces SET (items, bytes) = (
    SELECT count(*), coalesce(sum(octet_length(text) + octet_length(tags)
        + octet_length(attributes) + coalesce(octet_length(vector), 0)), 0)
    FROM memories m WHERE m.ns = namespaces.ns);

ALTER TABLE memories ADD COLUMN valid_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE memories ADD COLUMN valid_until INTEGER;
ALTER TABLE memories ADD COLUMN expires INTEGER;
ALTER TABLE memories ADD COLUMN recorded_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE memories ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
UPDATE memories SET valid_from = at, recorded_at = at;
CREATE INDEX memories_by_expiry ON memories(expires) WHERE expires NOT NULL;
CREATE TABLE versions(
    ns          INTEGER NOT NULL REFERENCES namespaces(ns),
    id          INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    text        TEXT NOT NULL,
    tags        TEXT NOT NULL,
    attributes  TEXT NOT NULL,
    vector      BLOB,
    digest      BLOB NOT NULL,
    valid_from  INTEGER NOT NULL,
    valid_until INTEGER,
    expires     INTEGER,
    recorded_at INTEGER NOT NULL,
    replaced_at INTEGER NOT NULL,
    UNIQUE(ns, id, version)
) STRICT;

ALTER TABLE edges RENAME TO old_edges;
DROP INDEX edges_by_target;
CREATE TABLE edges(
    ns          INTEGER NOT NULL REFERENCES namespaces(ns),
    source      INTEGER NOT NULL,
    relation    TEXT NOT NULL,
    target      INTEGER NOT NULL,
    valid_from  INTEGER NOT NULL,
    valid_until INTEGER,
    weight      REAL NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY(ns, source, relation, target, valid_from)
) STRICT, WITHOUT ROWID;
INSERT INTO edges SELECT ns, source, relation, target, at, NULL, weight, at FROM old_edges;
DROP TABLE old_edges;
CREATE INDEX edges_by_target ON edges(ns, target);
CREATE TABLE edge_versions(
    ns          INTEGER NOT NULL REFERENCES namespaces(ns),
    source      INTEGER NOT NULL,
    relation    TEXT NOT NULL,
    target      INTEGER NOT NULL,
    valid_from  INTEGER NOT NULL,
    valid_until INTEGER,
    weight      REAL NOT NULL,
    at          INTEGER NOT NULL,
    replaced_at INTEGER NOT NULL
) STRICT;
CREATE INDEX edge_versions_by_source ON edge_versions(ns, source, relation, target);
CREATE INDEX edge_versions_by_target ON edge_versions(ns, target);

DROP TABLE memories_text;
DROP VIEW text_source;
";

/// Large values as chunks. Those that were stored before stay whole.
const CHUNKS: &str = "
ALTER TABLE state ADD COLUMN chunks BLOB;
CREATE TABLE chunks(
    chunk  INTEGER PRIMARY KEY AUTOINCREMENT,
    ns     INTEGER NOT NULL REFERENCES namespaces(ns),
    digest BLOB NOT NULL,
    kind   INTEGER NOT NULL,
    bytes  BLOB NOT NULL,
    UNIQUE(ns, digest)
) STRICT;
CREATE TABLE chunk_references(
    chunk INTEGER PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT;
";

/// Full text and labels are searched in memory; their indexes here go. A namespace says in which
/// language its texts are, which model made its vectors, and what its state takes up.
const TEXT_TIER: &str = "
DROP TABLE IF EXISTS memories_text;
DROP VIEW IF EXISTS text_source;
DROP TABLE tags;
DROP TABLE attributes;
ALTER TABLE namespaces ADD COLUMN language TEXT NOT NULL DEFAULT 'english';
ALTER TABLE namespaces ADD COLUMN embedder TEXT;
ALTER TABLE namespaces ADD COLUMN state_bytes INTEGER NOT NULL DEFAULT 0;
UPDATE namespaces SET state_bytes =
    (SELECT coalesce(sum(octet_length(s.value)), 0) FROM state s JOIN runs r ON r.run = s.run
     WHERE r.ns = namespaces.ns)
    + (SELECT coalesce(sum(octet_length(c.bytes)), 0) FROM chunks c WHERE c.ns = namespaces.ns);
CREATE TRIGGER state_added AFTER INSERT ON state BEGIN
    UPDATE namespaces SET state_bytes = state_bytes + coalesce(octet_length(new.value), 0)
    WHERE ns = (SELECT ns FROM runs WHERE run = new.run);
END;
CREATE TRIGGER state_removed AFTER DELETE ON state BEGIN
    UPDATE namespaces SET state_bytes = state_bytes - coalesce(octet_length(old.value), 0)
    WHERE ns = (SELECT ns FROM runs WHERE run = old.run);
END;
CREATE TRIGGER chunk_added AFTER INSERT ON chunks BEGIN
    UPDATE namespaces SET state_bytes = state_bytes + octet_length(new.bytes) WHERE ns = new.ns;
END;
CREATE TRIGGER chunk_removed AFTER DELETE ON chunks BEGIN
    UPDATE namespaces SET state_bytes = state_bytes - octet_length(old.bytes) WHERE ns = old.ns;
END;
";
