//! A database, an export, and all digests, as an earlier build wrote them: read exactly, and written
//! again row for row and byte for byte.

#[path = "../../../tests/support/golden.rs"]
mod golden;

use std::fmt::Write as _;
use std::path::Path;

use memory_store::{
    AgentRun, Direction, Edge, Expected, Filter, MemoryId, MemoryStore, Namespace, NewMemory,
    Query, Quota, Relation, Timestamp, Traversal, When, verify_store,
};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tempfile::{TempDir, tempdir};

const DATABASE: &str = "memory.sqlite";

/// As it was until version 5, and as it is since version 6: one file each.
const DATABASE_5: &str = "memory.sqlite";
const DATABASE_6: &str = "memory_6.sqlite";

// What the rest of the file calls, so that a change of the interface is made here.

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn id(id: u64) -> MemoryId {
    MemoryId::new(id).unwrap()
}

fn namespace(name: &str) -> Namespace {
    Namespace::new(name).unwrap()
}

fn memory(text: &str, millis: i64) -> NewMemory {
    NewMemory::new(namespace("team"), text, at(millis))
}

fn edge(source: u64, relation: &str, target: u64) -> Edge {
    let relation = Relation::new(relation).unwrap();
    Edge::new(namespace("team"), id(source), relation, id(target), at(40))
}

fn run(name: &str) -> AgentRun {
    AgentRun::new(namespace("team"), "builder", name).unwrap()
}

fn put(store: &MemoryStore, run: &AgentRun, key: &str, value: &[u8]) {
    let put = store.put_state(run, key, value, Expected::Anything);
    put.unwrap();
}

/// Which memories of the namespace `team` are found by words, by vector, by relation and by filter.
fn recalled(store: &MemoryStore) -> String {
    let ever = Filter::new().when(When::Ever);
    let found = |query: Query| store.recall(&namespace("team"), &query).unwrap();
    let mut lines = Vec::new();
    for words in ["linker disk", "the nightly build", "caf\u{e9}", "absent"] {
        let found = found(Query::new().text(words).only(ever.clone()));
        let ids: Vec<_> = found.iter().map(|found| found.memory.id.get()).collect();
        lines.push(format!("text {words}: {ids:?}"));
    }
    let similar = Query::new().vector(vec![1.0, 0.0, 0.5]).only(ever.clone());
    let similar = found(similar);
    let ids = similar.iter().map(|found| found.memory.id.get());
    lines.push(format!("similar: {:?}", ids.collect::<Vec<_>>()));
    let walk = Traversal::new(id(1)).when(When::Ever);
    for found in found(Query::new().related(walk).only(ever.clone())) {
        lines.push(format!(
            "related: {} by {:?}",
            found.memory.id,
            found.path()
        ));
    }
    for found in found(Query::new().only(ever.tag("failure"))) {
        lines.push(format!("where: {}", found.memory.id));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// What every memory was at every version, and what led from it.
fn histories(store: &MemoryStore) -> String {
    let mut text = String::new();
    for (name, ids) in [("team", 1..7), ("other", 77..78)] {
        let name = namespace(name);
        for id in ids.map(id) {
            for version in store.history(&name, id).unwrap() {
                writeln!(text, "{}", serde_json::to_string(&version).unwrap()).unwrap();
            }
            for edge in store.edges_of(&name, id, Direction::Outgoing, When::Ever) {
                writeln!(text, "{}", serde_json::to_string(&edge).unwrap()).unwrap();
            }
        }
    }
    text
}

/// Something of every kind, in two namespaces.
fn fill(store: &MemoryStore) {
    let odd = vec![0.1, -0.0, 1.0 / 3.0];
    let memories = [
        memory("the linker ran out of memory", 0)
            .tag("failure")
            .vector(odd),
        memory("the nightly build failed", 10)
            .tag("failure")
            .tag("\u{1f980} tag")
            .attribute("count", 7)
            .attribute("flag", true)
            .attribute("text", "line\n\"quoted\"\u{0}\u{2028}")
            .vector(vec![1e-45, f32::MAX, 1.0]),
        memory("caf\u{e9}, cafe\u{301} and Stra\u{df}e", -5)
            .valid_from(at(-20))
            .valid_until(at(90)),
        memory("goes away", 30)
            .expires_at(at(50))
            .recorded_at(at(31)),
    ];
    for memory in memories {
        store.remember(memory).unwrap();
    }
    let corrected = memory("the linker ran out of disk", 0).vector(vec![0.5, 0.25, 0.0]);
    store.update(id(1), corrected.recorded_at(at(60))).unwrap();
    store
        .supersede(id(2), memory("the nightly build was mended", 70))
        .unwrap();
    store.remember(memory("forgotten", 5)).unwrap();
    store.forget(&namespace("team"), id(6)).unwrap();

    store.link(edge(1, "caused", 2).weight(0.1 + 0.2)).unwrap();
    store
        .link(edge(1, "caused", 2).valid_from(at(45)).weight(-0.0))
        .unwrap();
    store
        .link(edge(2, "reminds \u{1f980} of", 3).valid_until(at(80)))
        .unwrap();
    store.link(edge(3, "caused", 1)).unwrap();

    let quota = Quota {
        items: Some(100),
        bytes: None,
    };
    store.set_quota(&namespace("other"), quota).unwrap();
    let of_another = NewMemory::new(namespace("other"), "of another", at(0)).id(id(77));
    store.remember(of_another).unwrap();
    fill_state(store);
}

fn fill_state(store: &MemoryStore) {
    let main = run("main");
    put(store, &main, "small", b"\x00\xff");
    put(store, &main, "large", &text(1600));
    let mark = store.checkpoint(&main, "before", at(1)).unwrap();
    let mut changed = text(1600);
    changed[5000] ^= 1;
    put(store, &main, "large", &changed);
    store
        .remove_state(&main, "small", Expected::Anything)
        .unwrap();
    store.checkpoint(&main, "after \u{1f980}", at(2)).unwrap();
    let fork = store.fork(&main, mark, "fork").unwrap();
    put(store, &fork, "new", b"k");
}

/// So many words, drawn by a generator that stands here, so that nothing else decides them.
fn text(words: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut word = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        format!("{:x} ", state >> 44)
    };
    let words = (0..words).map(|_| word());
    words.collect::<String>().into_bytes()
}

fn written() -> TempDir {
    let directory = tempdir().unwrap();
    let store = MemoryStore::open(directory.path()).unwrap();
    fill(&store);
    store.close().unwrap();
    drop(store);
    directory
}

/// A stored database, in a directory of its own.
fn stored(name: &str) -> TempDir {
    let directory = tempdir().unwrap();
    std::fs::write(directory.path().join(DATABASE), golden::read(name)).unwrap();
    directory
}

fn connect(directory: &Path) -> Connection {
    Connection::open(directory.join(DATABASE)).unwrap()
}

/// The text of the schema, and the header's numbers.
fn schema(connection: &Connection) -> String {
    let number = |name: &str| -> i64 {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .unwrap()
    };
    let (application, version) = (number("application_id"), number("user_version"));
    let mut text = format!("application_id {application:x}, user_version {version}\n");
    let sql = "SELECT type || ' ' || name || ': ' || coalesce(sql, 'automatic') FROM sqlite_schema ORDER BY 1";
    let mut statement = connection.prepare(sql).unwrap();
    let objects = statement
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap();
    for object in objects {
        text += &format!("{}\n", object.unwrap());
    }
    text
}

/// Every row of every table, values in hexadecimal where they are bytes, and those of more than 64 as
/// their length and digest.
fn rows(connection: &Connection) -> String {
    let tables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'
                  AND name NOT LIKE '%terms%' ORDER BY name";
    let mut tables = connection.prepare(tables).unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut text = String::new();
    for table in tables.map(Result::unwrap) {
        let mut lines = rows_of(connection, &table);
        lines.sort();
        text += &lines.concat();
    }
    text
}

fn rows_of(connection: &Connection, table: &str) -> Vec<String> {
    let mut statement = connection
        .prepare(&format!("SELECT * FROM {table}"))
        .unwrap();
    let columns = statement.column_count();
    let line = |row: &rusqlite::Row<'_>| {
        let values = (0..columns).map(|column| shown(row.get_ref(column).unwrap()));
        Ok(format!(
            "{table} {}\n",
            values.collect::<Vec<_>>().join(" | ")
        ))
    };
    let rows = statement.query_map([], line).unwrap();
    rows.map(Result::unwrap).collect()
}

fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(text) => format!("{:?}", str::from_utf8(text).unwrap()),
        ValueRef::Blob(bytes) if bytes.len() > 64 => {
            format!("{} bytes {}", bytes.len(), blake3::hash(bytes))
        }
        ValueRef::Blob(bytes) => bytes.iter().fold("x".to_owned(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        }),
    }
}

fn export(store: &MemoryStore) -> Vec<u8> {
    let mut exported = Vec::new();
    store.export(&mut exported, None).unwrap();
    exported
}

#[test]
fn golden_a_database_is_written_with_the_stored_schema_and_rows() {
    let directory = written();
    if !golden::path(DATABASE_6).exists() {
        let bytes = std::fs::read(directory.path().join(DATABASE)).unwrap();
        golden::assert_file(DATABASE_6, &bytes);
    }
    let connection = connect(directory.path());
    golden::assert_file("schema_6.txt", schema(&connection).as_bytes());
    golden::assert_file("rows_6.txt", rows(&connection).as_bytes());
}

#[test]
fn golden_the_stored_databases_have_the_stored_schema_and_rows() {
    for (name, schema_file, rows_file) in [
        (DATABASE_5, "schema.txt", "rows.txt"),
        (DATABASE_6, "schema_6.txt", "rows_6.txt"),
    ] {
        let directory = stored(name);
        let connection = connect(directory.path());
        golden::assert_file(schema_file, schema(&connection).as_bytes());
        golden::assert_file(rows_file, rows(&connection).as_bytes());
    }
}

#[test]
fn golden_a_stored_database_is_sound_and_says_what_it_said() {
    for name in [DATABASE_5, DATABASE_6] {
        let directory = stored(name);
        let store = MemoryStore::open(directory.path()).unwrap();
        let report = store.check().unwrap();
        assert!(report.is_clean(), "{:?}", report.disagreements);
        // Function words of a query do not count since version 6.
        golden::assert_file("recalled_6.txt", recalled(&store).as_bytes());
        golden::assert_file("histories.jsonl", histories(&store).as_bytes());
        let value = |run: &AgentRun, key: &str| {
            let state = store.state(run, key).unwrap();
            state.map(|state| state.value)
        };
        assert_eq!(value(&run("fork"), "large").unwrap(), text(1600));
        assert_eq!(value(&run("main"), "small"), None);
        assert_eq!(value(&run("fork"), "small").unwrap(), b"\x00\xff");
        store.close().unwrap();
        drop(store);
        // Brought up to date, the earlier one is row for row what is written today.
        let connection = connect(directory.path());
        golden::assert_file("rows_6.txt", rows(&connection).as_bytes());
        let report = verify_store(directory.path()).unwrap();
        assert!(report.is_clean(), "{:?}", report.disagreements);
    }
}

/// Chunks are found by their digests: cut elsewhere, a value would be stored again.
#[test]
fn golden_a_large_value_is_cut_where_it_was() {
    let directory = tempdir().unwrap();
    let store = MemoryStore::open(directory.path()).unwrap();
    put(&store, &run("main"), "text", &text(40_000));
    put(&store, &run("main"), "zeros", &[0; 40_000]);
    store.close().unwrap();
    let connection = connect(directory.path());
    let chunks = rows_of(&connection, "chunks").concat();
    let state = rows_of(&connection, "state").concat();
    golden::assert_file("chunks.txt", format!("{chunks}{state}").as_bytes());
}

#[test]
fn golden_an_export_is_written_byte_for_byte_and_imports() {
    for name in [DATABASE_5, DATABASE_6] {
        let directory = stored(name);
        let store = MemoryStore::open(directory.path()).unwrap();
        golden::assert_file("export.jsonl", &export(&store));
    }
    let directory = written();
    let store = MemoryStore::open(directory.path()).unwrap();
    golden::assert_file("export.jsonl", &export(&store));

    let directory = tempdir().unwrap();
    let store = MemoryStore::open(directory.path()).unwrap();
    store
        .import(golden::read("export.jsonl").as_slice())
        .unwrap();
    golden::assert_file("export.jsonl", &export(&store));
}

#[test]
fn golden_digests_of_memories_and_edges_are_as_stored() {
    let plain = memory("plain", 1);
    let digests = [
        ("plain", plain.digest()),
        ("timed", plain.clone().valid_from(at(0)).digest()),
        ("ended", plain.clone().valid_until(at(9)).digest()),
        ("expiring", plain.clone().expires_at(at(9)).digest()),
        // The year 1.
        ("before_1970", memory("plain", -62_135_596_800_000).digest()),
        ("tagged", plain.clone().tag("b").tag("a").digest()),
        (
            "attributes",
            plain
                .clone()
                .attribute("n", -1)
                .attribute("b", false)
                .attribute("t", "")
                .digest(),
        ),
        (
            "vector",
            plain
                .clone()
                .vector(vec![-0.0, 0.1, f32::MIN_POSITIVE])
                .digest(),
        ),
        ("edge", edge(1, "caused", 2).digest()),
        ("edge_weighted", edge(1, "caused", 2).weight(-0.0).digest()),
        (
            "edge_timed",
            edge(1, "caused", 2)
                .valid_from(at(-1))
                .valid_until(at(9))
                .digest(),
        ),
    ];
    let lines = digests.map(|(name, digest)| format!("{name} {digest}\n"));
    golden::assert_file("digests_6.txt", lines.concat().as_bytes());
    // Of what was stored earlier, only a moment 292 million years ago cannot be told any more.
    let earlier = String::from_utf8(golden::read("digests.txt")).unwrap();
    for line in lines.iter().filter(|line| !line.starts_with("before_1970")) {
        assert!(earlier.contains(line), "{line}");
    }
}
