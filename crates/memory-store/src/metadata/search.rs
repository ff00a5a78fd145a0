//! Finding by id and by conditions on texts and times.

use std::collections::HashSet;

use action::Timestamp;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, named_params, params_from_iter};

use crate::error::{Result, SqliteContext};
use crate::model::filter::Filter;
use crate::model::memory::Memory;
use crate::model::names::{MemoryId, Namespace};
use crate::model::quota::Usage;
use crate::model::time::When;

use super::readers::ReaderPool;
use super::rows::{MEMORY_COLUMNS, memory_from_row, namespace_from_row, quota_from_row};

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
        let at = Timestamp::from_millis(row.get(1)?);
        Ok((MemoryId::from_sql(row.get(0)?)?, at))
    })
}

/// The ids of the memories that meet a filter, labels left aside.
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

/// Every namespace, in the order of their names.
pub(crate) fn find_namespaces(readers: &ReaderPool) -> Result<Vec<Namespace>> {
    let reader = readers.lend();
    let read = || {
        let mut statement = reader.prepare_cached("SELECT name FROM namespaces ORDER BY name")?;
        let namespaces = statement.query_map([], |row| namespace_from_row(row, 0))?;
        namespaces.collect()
    };
    let namespaces: rusqlite::Result<_> = read();
    namespaces.sqlite("list the namespaces", readers.path())
}

/// What a namespace holds and may hold; nothing and anything if there is none.
pub(crate) fn find_usage(readers: &ReaderPool, namespace: &Namespace) -> Result<Usage> {
    let reader = readers.lend();
    let usage = reader
        .prepare_cached("SELECT items, bytes + state_bytes, max_items, max_bytes FROM namespaces WHERE name = ?1")
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

/// Everything that a filter says but for labels, which the text tier knows.
fn filter_sql(
    columns: &str,
    namespace: &Namespace,
    filter: &Filter,
    most: usize,
) -> (String, Vec<Value>) {
    let mut query = QueryText {
        conditions: vec!["m.ns = (SELECT ns FROM namespaces WHERE name = ?1)".into()],
        values: vec![Value::Text(namespace.as_str().to_owned())],
    };
    if let Some(part) = &filter.text_contains {
        let part = query.bind(part.clone());
        query.condition(format!("instr(m.text, {part}) > 0"));
    }
    if let Some(from) = filter.from {
        let from = query.bind(from.as_millis());
        query.condition(format!("m.at >= {from}"));
    }
    if let Some(until) = filter.until {
        let until = query.bind(until.as_millis());
        query.condition(format!("m.at < {until}"));
    }
    match filter.when {
        When::Current => query.condition("m.valid_until IS NULL".into()),
        When::AsOf(moment) => {
            let moment = query.bind(moment.as_millis());
            query.condition(format!(
                "m.valid_from <= {moment} AND coalesce(m.valid_until > {moment}, 1)
                 AND coalesce(m.expires > {moment}, 1)"
            ));
        }
        When::Ever => {}
    }
    query.finish(columns, most)
}

struct QueryText {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl QueryText {
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    fn condition(&mut self, condition: String) {
        self.conditions.push(condition);
    }

    fn finish(mut self, columns: &str, most: usize) -> (String, Vec<Value>) {
        let limit = self.bind(i64::try_from(most).unwrap_or(i64::MAX));
        let sql = format!(
            "SELECT {columns} FROM memories m WHERE {}
             ORDER BY m.at DESC, m.id DESC LIMIT {limit}",
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
    fn the_newest_are_found_without_sorting() {
        let since = Filter::new().from(action::Timestamp::from_millis(5));
        let plan = plan(&since, 10);
        assert!(plan.contains("memories_by_time (ns=? AND at>?)"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}
