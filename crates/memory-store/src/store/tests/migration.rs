//! Databases of other versions.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use action::Timestamp;
use rusqlite::Connection;

use super::*;
use crate::check::verify::verify_store;

use crate::model::time::{Moment, When};
use crate::relations::Direction;
use crate::{AgentRun, CheckpointId};

/// The schema as version 3 created it, and what a store of that version wrote.
const VERSION_3: &str = include_str!("fixtures/version_3.sql");

/// What was done to a database of version 3 to make it one of version 5.
const VERSION_5_CHANGES: &str = include_str!("fixtures/version_5_changes.sql");

fn store_of_version_3() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(database(directory.path())).unwrap();
    connection.execute_batch(VERSION_3).unwrap();
    directory
}

fn store_of_version_5() -> tempfile::TempDir {
    let directory = store_of_version_3();
    let connection = Connection::open(database(directory.path())).unwrap();
    connection.execute_batch(VERSION_5_CHANGES).unwrap();
    assert_eq!(version(directory.path()), 5);
    directory
}

fn database(directory: &Path) -> PathBuf {
    directory.join(DATABASE_FILE)
}

fn version(directory: &Path) -> i32 {
    let connection = Connection::open(database(directory)).unwrap();
    connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

/// Every column and index of every table, whatever their order and defaults.
fn shape(directory: &Path) -> BTreeSet<String> {
    let connection = Connection::open(database(directory)).unwrap();
    let read = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let lines = statement.query_map([], |row| row.get(0)).unwrap();
        lines.map(Result::unwrap).collect()
    };
    let columns = read(
        "SELECT concat_ws(' ', s.name, c.name, c.type, c.\"notnull\", c.pk)
         FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = 'table'",
    );
    let triggers = read("SELECT concat(name, sql) FROM sqlite_schema WHERE type = 'trigger'");
    let indexes = read(
        "SELECT concat_ws(' ', s.name, i.\"unique\", i.partial, group_concat(c.name))
         FROM sqlite_schema s, pragma_index_list(s.name) i, pragma_index_info(i.name) c
         WHERE s.type = 'table' GROUP BY s.name, i.name",
    );
    columns.into_iter().chain(indexes).chain(triggers).collect()
}

#[test]
fn a_store_of_an_earlier_version_is_brought_up_to_date_with_all_it_holds() {
    for directory in [store_of_version_3(), store_of_version_5()] {
        is_brought_up_to_date(&directory);
    }
}

fn is_brought_up_to_date(directory: &tempfile::TempDir) {
    let store = MemoryStore::open(directory.path()).unwrap();
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{:?}", report.disagreements);
    assert_eq!((report.items, report.edges, report.vectors), (2, 1, 2));

    let (team, at) = (Namespace::new("team").unwrap(), Timestamp::from_millis);
    let memory = store.get(&team, id(1)).unwrap().unwrap();
    let times = (memory.version, memory.valid_from, memory.recorded_at);
    assert_eq!(times, (1, at(0), at(0)));
    assert!(
        store
            .get_when(&team, id(1), Moment::TrueAt(at(-1)))
            .unwrap()
            .is_none()
    );
    assert_eq!(
        store
            .recall(&team, &Query::new().text("memories xx"))
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        store
            .recall(&team, &Query::new().vector(vec![1.0]))
            .unwrap()
            .len(),
        2
    );
    let tagged = Filter::new().tag("t");
    assert_eq!(listed(&store, &team, &tagged).len(), 2);
    let edges = store.edges_of(&team, id(1), Direction::Outgoing, When::AsOf(at(3000)));
    assert_eq!((edges.len(), edges[0].weight), (1, 0.5));
    let usage = store.usage(&team).unwrap();
    assert_eq!((usage.items, usage.bytes), (2, 21 + 2 * (5 + 2 + 4) + 2));
    let run = AgentRun::new(team, "a", "r").unwrap();
    assert_eq!(store.state(&run, "k").unwrap().unwrap().value, [2]);
    store.restore(&run, CheckpointId::new(1)).unwrap();
    assert_eq!(store.state(&run, "k").unwrap().unwrap().value, [1]);
    drop(store);

    let fresh = tempfile::tempdir().unwrap();
    drop(MemoryStore::open(fresh.path()).unwrap());
    assert_eq!(shape(directory.path()), shape(fresh.path()));
    assert!(verify_store(directory.path()).unwrap().is_clean());
}

#[test]
fn a_migration_that_fails_or_dies_leaves_the_version_before_it() {
    let directory = store_of_version_3();
    assert!(super::crash::die(directory.path(), "before-migrated:1").is_empty());
    assert_eq!(version(directory.path()), 3);

    let in_the_way = "CREATE TABLE versions(x)";
    let connection = Connection::open(database(directory.path())).unwrap();
    connection.execute_batch(in_the_way).unwrap();
    drop(connection);
    let error = MemoryStore::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("already exists"), "{error}");
    assert_eq!(version(directory.path()), 3);

    let connection = Connection::open(database(directory.path())).unwrap();
    connection.execute_batch("DROP TABLE versions").unwrap();
    drop(connection);
    let store = MemoryStore::open(directory.path()).unwrap();
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_later_version_is_refused_and_not_one_byte_of_it_changes() {
    let directory = store_of_version_3();
    let connection = Connection::open(database(directory.path())).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let before = fs::read(database(directory.path())).unwrap();
    for error in [
        MemoryStore::open(directory.path()).unwrap_err(),
        verify_store(directory.path()).unwrap_err(),
    ] {
        assert!(
            matches!(error, Error::SchemaVersion { found: 99, .. }),
            "{error}"
        );
    }
    assert_eq!(fs::read(database(directory.path())).unwrap(), before);
}
