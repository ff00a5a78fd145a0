//! Finding: by id, by conditions on the metadata, and by words of the text.

use std::collections::HashSet;

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, named_params, params, params_from_iter};

use crate::error::{Result, SqliteContext};
use crate::model::filter::Filter;
use crate::model::memory::{AttributeValue, Memory};
use crate::model::names::{MemoryId, Namespace, Timestamp};
use crate::model::quota::Usage;
use crate::model::time::When;

use super::readers::ReaderPool;
use super::rows::{MEMORY_COLUMNS, memory_from_row, quota_from_row};
use super::terms::pattern;

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
    most: usize,
) -> Result<Vec<Memory>> {
    // Which they are is sorted out first: a sort of whole rows would carry every vector and text.
    let (which, values) = filter_sql("m.row", namespace, filter, most);
    let sql = format!(
        "SELECT {MEMORY_COLUMNS} FROM ({which}) f CROSS JOIN memories m ON m.row = f.row
         ORDER BY m.at DESC, m.id DESC"
    );
    read_where(readers, &sql, values, |row| memory_from_row(row, namespace))
}

/// The ids and times of the memories that meet a filter, in the same order.
pub(crate) fn find_newest(
    readers: &ReaderPool,
    namespace: &Namespace,
    filter: &Filter,
    most: usize,
) -> Result<Vec<(MemoryId, Timestamp)>> {
    let (sql, values) = filter_sql("m.id, m.at", namespace, filter, most);
    read_where(readers, &sql, values, |row| {
        let at = Timestamp::from_unix_millis(row.get(1)?);
        Ok((MemoryId::from_sql(row.get(0)?)?, at))
    })
}

/// The ids of the memories that meet a filter.
pub(crate) fn find_ids_where(
    readers: &ReaderPool,
    namespace: &Namespace,
    filter: &Filter,
) -> Result<HashSet<MemoryId>> {
    let (sql, values) = filter_sql("m.id", namespace, filter, usize::MAX);
    read_where(readers, &sql, values, |row| MemoryId::from_sql(row.get(0)?))
}

fn read_where<T, C: FromIterator<T>>(
    readers: &ReaderPool,
    sql: &str,
    values: Vec<Value>,
    read_row: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<C> {
    let reader = readers.lend();
    let read = || {
        let mut statement = reader.prepare_cached(sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| read_row(row))?;
        rows.collect()
    };
    let result: rusqlite::Result<_> = read();
    result.sqlite("recall by metadata", readers.path())
}

/// The memories whose text matches any word, best first, with their BM25 score (higher is better);
/// at most `k`, and only `allowed` ones if such a set is given.
pub(crate) fn find_text(
    readers: &ReaderPool,
    namespace: &Namespace,
    words: &str,
    k: usize,
    allowed: Option<&HashSet<MemoryId>>,
) -> Result<Vec<(MemoryId, f64)>> {
    let reader = readers.lend();
    let read = || {
        let ns: Option<i64> = reader
            .prepare_cached("SELECT ns FROM namespaces WHERE name = ?1")?
            .query_row([namespace.as_str()], |row| row.get(0))
            .optional()?;
        let Some(pattern) = ns.and_then(|ns| pattern(ns, words)) else {
            return Ok(Vec::new());
        };
        let mut statement = reader.prepare_cached(FIND_TEXT)?;
        // With a filter, how many of the best will pass is not known beforehand.
        let limit = if allowed.is_some() {
            -1
        } else {
            i64::try_from(k).unwrap_or(i64::MAX)
        };
        let mut rows = statement.query(params![pattern, limit])?;
        let mut found = Vec::new();
        while found.len() < k
            && let Some(row) = rows.next()?
        {
            let id = MemoryId::from_sql(row.get(0)?)?;
            if allowed.is_none_or(|allowed| allowed.contains(&id)) {
                // FTS5 gives the better match the lower number.
                found.push((id, -row.get::<_, f64>(1)?));
            }
        }
        Ok(found)
    };
    let result: rusqlite::Result<_> = read();
    result.sqlite("recall by text", readers.path())
}

/// Equals by row, which is the order of writing.
const FIND_TEXT: &str = "
SELECT m.id, f.score FROM (
    SELECT rowid, bm25(memories_text) AS score FROM memories_text
    WHERE memories_text MATCH ?1 ORDER BY score, rowid LIMIT ?2
) f CROSS JOIN memories m ON m.row = f.rowid ORDER BY f.score, f.rowid";

/// What a namespace holds and may hold; nothing and anything if there is none.
pub(crate) fn find_usage(readers: &ReaderPool, namespace: &Namespace) -> Result<Usage> {
    let reader = readers.lend();
    let usage = reader
        .prepare_cached("SELECT items, bytes, max_items, max_bytes FROM namespaces WHERE name = ?1")
        .and_then(|mut select| {
            let usage = |row: &Row<'_>| {
                Ok(Usage {
                    items: row.get::<_, i64>(0)?.unsigned_abs(),
                    bytes: row.get::<_, i64>(1)?.unsigned_abs(),
                    quota: quota_from_row(row, 2)?,
                })
            };
            select.query_row([namespace.as_str()], usage).optional()
        });
    usage
        .sqlite("look up a namespace", readers.path())
        .map(Option::unwrap_or_default)
}

/// The tables of tags and attributes come first and are joined with CROSS JOIN, which SQLite does
/// not reorder: walking all of a namespace by time for a rare tag would cost far more than sorting
/// what a common one finds.
fn filter_sql(
    columns: &str,
    namespace: &Namespace,
    filter: &Filter,
    most: usize,
) -> (String, Vec<Value>) {
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
    match filter.when {
        When::Current => query.condition("m.valid_until IS NULL".into()),
        When::AsOf(moment) => {
            let moment = query.bind(moment.unix_millis());
            query.condition(format!(
                "m.valid_from <= {moment} AND coalesce(m.valid_until > {moment}, 1)
                 AND coalesce(m.expires > {moment}, 1)"
            ));
        }
        When::Ever => {}
    }
    query.finish(columns, most)
}

/// How an attribute's value stands in its index.
pub(crate) fn attribute_key(value: &AttributeValue) -> String {
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

    fn finish(mut self, columns: &str, limit: usize) -> (String, Vec<Value>) {
        let limit = self.bind(i64::try_from(limit).unwrap_or(i64::MAX));
        self.tables.push("memories m".into());
        let sql = format!(
            "SELECT {columns} FROM {} WHERE {} ORDER BY m.at DESC, m.id DESC LIMIT {limit}",
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

    fn plan(filter: &Filter, most: usize) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        let connection = super::super::open_writer(&path).unwrap();
        let (sql, values) = filter_sql("m.id", &Namespace::new("n").unwrap(), filter, most);
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
        let plan = plan(&Filter::new().tag("rare").attribute("agent", "a"), 10);
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
        let since = Filter::new().from(crate::Timestamp::from_unix_millis(5));
        let plan = plan(&since, 10);
        assert!(plan.contains("memories_by_time (ns=? AND at>?)"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}
