//! The tables of a new database.

/// The version of [`SCHEMA`]. A change needs the next number, and a step in `migration`.
pub(super) const SCHEMA_VERSION: i32 = 6;

/// Tags and attributes stand in the memory's own row, so that one look-up reads a memory whole. What
/// searches them, and texts, is the text tier, which is made of these rows at opening.
///
/// `memories` and `edges` hold what is known now, `versions` and `edge_versions` what was known
/// before: no index and no other tier looks at those.
///
/// A run's state is kept as versions of keys. A checkpoint is a mark in the run's sequence and
/// copies nothing; a version that a mark can see is kept when it is replaced, any other one is not.
/// A fork begins at a mark of its parent and reads through to it. A large value is kept as chunks,
/// which versions share. How much all of it takes up is counted by triggers, since a version may go
/// in many ways.
pub(super) const SCHEMA: &str = "
CREATE TABLE namespaces(
    ns          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    next_id     INTEGER NOT NULL,
    dimension   INTEGER,
    items       INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    max_items   INTEGER,
    max_bytes   INTEGER,
    language    TEXT NOT NULL DEFAULT 'english',
    embedder    TEXT,
    state_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE memories(
    row         INTEGER PRIMARY KEY AUTOINCREMENT,
    ns          INTEGER NOT NULL REFERENCES namespaces(ns),
    id          INTEGER NOT NULL,
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
    version     INTEGER NOT NULL,
    UNIQUE(ns, id)
) STRICT;
CREATE INDEX memories_by_time ON memories(ns, at, id);
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
CREATE TABLE runs(
    run        INTEGER PRIMARY KEY AUTOINCREMENT,
    ns         INTEGER NOT NULL REFERENCES namespaces(ns),
    agent      TEXT NOT NULL,
    name       TEXT NOT NULL,
    parent     INTEGER REFERENCES runs(run),
    parent_seq INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    UNIQUE(ns, agent, name)
) STRICT;
CREATE TABLE state(
    run    INTEGER NOT NULL REFERENCES runs(run),
    key    TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    value  BLOB,
    chunks BLOB,
    UNIQUE(run, key, seq)
) STRICT;
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
CREATE TABLE checkpoints(
    checkpoint INTEGER PRIMARY KEY AUTOINCREMENT,
    run        INTEGER NOT NULL REFERENCES runs(run),
    seq        INTEGER NOT NULL,
    label      TEXT NOT NULL,
    at         INTEGER NOT NULL
) STRICT;
CREATE INDEX checkpoints_by_run ON checkpoints(run, seq);
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
