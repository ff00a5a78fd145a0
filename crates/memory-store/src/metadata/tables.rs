//! The tables of a new database.

/// The version of [`SCHEMA`]. A change needs the next number, and a step in `migration`.
pub(super) const SCHEMA_VERSION: i32 = 5;

/// `row` is the key of whatever is derived from a memory; `id` is only unique in its namespace.
/// Tags and attributes stand in the memory's own row, so that one look-up reads a memory whole,
/// and again in their own tables, which are the indexes that filters use.
///
/// `memories` and `edges` hold what is known now, `versions` and `edge_versions` what was known
/// before: no index and no other tier looks at those.
///
/// The full-text index is derived, but in the same database: it commits with the memory. It keeps
/// no text of its own. Each of its terms begins with the namespace's number (see `terms`), so that
/// a search never walks through another tenant's matches, and how often a word occurs with another
/// tenant weighs nothing.
///
/// A run's state is kept as versions of keys. A checkpoint is a mark in the run's sequence and
/// copies nothing; a version that a mark can see is kept when it is replaced, any other one is not.
/// A fork begins at a mark of its parent and reads through to it. A large value is kept as chunks,
/// which versions share.
pub(super) const SCHEMA: &str = "
CREATE TABLE namespaces(
    ns        INTEGER PRIMARY KEY AUTOINCREMENT,
    name      TEXT NOT NULL UNIQUE,
    next_id   INTEGER NOT NULL,
    dimension INTEGER,
    items     INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    max_items INTEGER,
    max_bytes INTEGER
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
CREATE TABLE tags(
    ns  INTEGER NOT NULL,
    tag TEXT NOT NULL,
    row INTEGER NOT NULL,
    PRIMARY KEY(ns, tag, row)
) STRICT, WITHOUT ROWID;
CREATE TABLE attributes(
    ns    INTEGER NOT NULL,
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    row   INTEGER NOT NULL,
    PRIMARY KEY(ns, name, value, row)
) STRICT, WITHOUT ROWID;
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
CREATE VIEW text_source AS SELECT row, memory_terms(ns, text) AS terms FROM memories;
CREATE VIRTUAL TABLE memories_text USING fts5(
    terms, content = 'text_source', content_rowid = 'row',
    tokenize = 'porter unicode61 remove_diacritics 2'
);
";
