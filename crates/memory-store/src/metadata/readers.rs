//! Reading: a few connections of its own, which SQLite's write-ahead log keeps free of the writer.

use std::num::NonZeroUsize;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use crossbeam::channel::{Receiver, Sender, bounded};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, named_params, params_from_iter};

use crate::error::{Result, SqliteContext};
use crate::filter::Filter;
use crate::memory::Memory;
use crate::names::{MemoryId, Namespace};

use super::rows::{MEMORY_COLUMNS, memory_from_row};
use super::schema::open_reader;

/// Read-only connections, lent to one caller each.
#[derive(Debug)]
pub(crate) struct ReaderPool {
    path: PathBuf,
    idle: Receiver<Connection>,
    returned: Sender<Connection>,
}

impl ReaderPool {
    pub(crate) fn open(path: &Path, connections: NonZeroUsize) -> Result<Self> {
        let (returned, idle) = bounded(connections.get());
        for _ in 0..connections.get() {
            returned
                .send(open_reader(path)?)
                .expect("the receiver is in scope");
        }
        Ok(Self {
            path: path.to_owned(),
            idle,
            returned,
        })
    }

    /// Lends a connection and waits for one if all are lent. Callers hold it for single
    /// statements, and never while they wait for the cache or the writer: so it always comes back.
    pub(crate) fn lend(&self) -> Reader<'_> {
        let connection = self.idle.recv().expect("the pool holds a sender");
        Reader {
            pool: self,
            connection: Some(connection),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// A lent connection; dropping it returns it.
pub(crate) struct Reader<'a> {
    pool: &'a ReaderPool,
    connection: Option<Connection>,
}

impl Deref for Reader<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("present until dropped")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // As many places as connections: there is always room.
            let _ = self.pool.returned.try_send(connection);
        }
    }
}

pub(crate) fn find_memory(
    readers: &ReaderPool,
    namespace: &Namespace,
    id: MemoryId,
) -> Result<Option<Memory>> {
    let sql = format!(
        "SELECT {MEMORY_COLUMNS} FROM memories m
         WHERE m.ns = (SELECT ns FROM namespaces WHERE name = :name) AND m.id = :id"
    );
    let reader = readers.lend();
    let mut statement = reader
        .prepare_cached(&sql)
        .sqlite("read a memory", readers.path())?;
    statement
        .query_row(
            named_params! { ":name": namespace.as_str(), ":id": id.to_sql() },
            |row| memory_from_row(row, namespace),
        )
        .optional()
        .sqlite("read a memory", readers.path())
}

pub(crate) fn find_where(
    readers: &ReaderPool,
    namespace: &Namespace,
    filter: &Filter,
) -> Result<Vec<Memory>> {
    let (sql, values) = filter_sql(namespace, filter);
    let reader = readers.lend();
    let read = || {
        let mut statement = reader.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| {
            memory_from_row(row, namespace)
        })?;
        rows.collect()
    };
    let result: rusqlite::Result<_> = read();
    result.sqlite("recall by metadata", readers.path())
}

/// The tables of tags and attributes come first and are joined with CROSS JOIN, which SQLite does
/// not reorder: walking all of a namespace by time for a rare tag would cost far more than sorting
/// what a common one finds.
fn filter_sql(namespace: &Namespace, filter: &Filter) -> (String, Vec<Value>) {
    let mut query = QueryText::new(namespace);
    for tag in &filter.tags {
        let table = query.join("tags");
        let tag = query.bind(tag.clone());
        query.condition(format!("{table}.tag = {tag}"));
    }
    for (name, value) in &filter.attributes {
        let table = query.join("attributes");
        let name = query.bind(name.clone());
        let value = query.bind(attribute_key(value));
        query.condition(format!("{table}.name = {name} AND {table}.value = {value}"));
    }
    if let Some(part) = &filter.text_contains {
        let part = query.bind(part.clone());
        query.condition(format!("instr(m.text, {part}) > 0"));
    }
    if let Some(from) = filter.from {
        let from = query.bind(from.unix_millis());
        query.condition(format!("m.at >= {from}"));
    }
    if let Some(until) = filter.until {
        let until = query.bind(until.unix_millis());
        query.condition(format!("m.at < {until}"));
    }
    query.finish(filter.limit)
}

/// How an attribute's value stands in its index.
pub(crate) fn attribute_key(value: &crate::memory::AttributeValue) -> String {
    serde_json::to_string(value).expect("a scalar is always valid JSON")
}

struct QueryText {
    tables: Vec<String>,
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl QueryText {
    fn new(namespace: &Namespace) -> Self {
        Self {
            tables: Vec::new(),
            conditions: vec!["m.ns = (SELECT ns FROM namespaces WHERE name = ?1)".into()],
            values: vec![Value::Text(namespace.as_str().to_owned())],
        }
    }

    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    fn condition(&mut self, condition: String) {
        self.conditions.push(condition);
    }

    /// Adds an index table and ties it to the memory; its alias is returned.
    fn join(&mut self, table: &str) -> String {
        let alias = format!("j{}", self.tables.len());
        self.tables.push(format!("{table} {alias}"));
        self.conditions
            .push(format!("{alias}.ns = m.ns AND {alias}.row = m.row"));
        // Constant on the index's first column, or the join could only scan it.
        self.conditions.push(format!(
            "{alias}.ns = (SELECT ns FROM namespaces WHERE name = ?1)"
        ));
        alias
    }

    fn finish(mut self, limit: usize) -> (String, Vec<Value>) {
        let limit = self.bind(i64::try_from(limit).unwrap_or(i64::MAX));
        self.tables.push("memories m".into());
        let sql = format!(
            "SELECT {MEMORY_COLUMNS} FROM {} WHERE {} ORDER BY m.at DESC, m.id DESC LIMIT {limit}",
            self.tables.join(" CROSS JOIN "),
            self.conditions.join(" AND "),
        );
        (sql, self.values)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ToSql;

    use super::*;

    fn plan(filter: &Filter) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        let connection = super::super::open_writer(&path).unwrap();
        let (sql, values) = filter_sql(&Namespace::new("n").unwrap(), filter);
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let values = values.iter().map(|value| value as &dyn ToSql);
        let lines = statement
            .query_map(params_from_iter(values), |row| row.get(3))
            .unwrap();
        lines
            .map(|line| line.unwrap())
            .collect::<Vec<String>>()
            .join("\n")
    }

    #[test]
    fn a_filter_by_tag_starts_at_the_index_of_tags() {
        let plan = plan(&Filter::new().tag("rare").attribute("agent", "a").limit(10));
        let first = plan.lines().next().unwrap();
        assert!(
            first.contains("SEARCH j0 USING PRIMARY KEY (ns=? AND tag=?)"),
            "{plan}"
        );
        assert!(
            !plan.contains("SCAN j") && !plan.contains("SCAN m"),
            "{plan}"
        );
    }

    #[test]
    fn the_newest_are_found_without_sorting() {
        let plan = plan(
            &Filter::new()
                .from(crate::Timestamp::from_unix_millis(5))
                .limit(10),
        );
        assert!(plan.contains("memories_by_time (ns=? AND at>?)"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}
