//! The indexes of text and labels, kept beside the memories.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, params};

use crate::error::{Result, SqliteContext};
use crate::metadata::rows::json;
use crate::metadata::search::attribute_key;
use crate::metadata::terms::terms;
use crate::model::memory::{AttributeValue, NewMemory};
use crate::model::names::MemoryId;

use super::Session;

/// The parts of a memory that stand in an index.
pub(super) struct Indexed {
    pub(super) row: i64,
    text: String,
    tags: Vec<String>,
    attributes: BTreeMap<String, AttributeValue>,
}

impl Session {
    /// Adds a row to the indexes of text, tags and attributes.
    pub(super) fn index(&self, ns: i64, row: i64, memory: &NewMemory) -> Result<()> {
        self.execute(
            "remember",
            "INSERT INTO memories_text(rowid, terms) VALUES(?1, ?2)",
            params![row, terms(ns, &memory.text)],
        )?;
        for tag in &memory.tags {
            self.execute(
                "remember",
                "INSERT INTO tags(ns, tag, row) VALUES(?1, ?2, ?3)",
                params![ns, tag, row],
            )?;
        }
        for (name, value) in &memory.attributes {
            self.execute(
                "remember",
                "INSERT INTO attributes(ns, name, value, row) VALUES(?1, ?2, ?3, ?4)",
                params![ns, name, attribute_key(value), row],
            )?;
        }
        Ok(())
    }

    pub(super) fn remove_from_indexes(&self, ns: i64, indexed: &Indexed) -> Result<()> {
        let Indexed {
            row,
            text,
            tags,
            attributes,
        } = indexed;
        self.execute(
            "forget",
            // An index without a text of its own has to be told what it removes.
            "INSERT INTO memories_text(memories_text, rowid, terms) VALUES('delete', ?1, ?2)",
            params![row, terms(ns, text)],
        )?;
        for tag in tags {
            self.execute(
                "forget",
                "DELETE FROM tags WHERE ns = ?1 AND tag = ?2 AND row = ?3",
                params![ns, tag, row],
            )?;
        }
        for (name, value) in attributes {
            self.execute(
                "forget",
                "DELETE FROM attributes WHERE ns = ?1 AND name = ?2 AND value = ?3 AND row = ?4",
                params![ns, name, attribute_key(value), row],
            )?;
        }
        Ok(())
    }

    pub(super) fn indexed(&self, ns: i64, id: MemoryId) -> Result<Option<Indexed>> {
        self.connection
            .prepare_cached(
                "SELECT row, text, tags, attributes FROM memories WHERE ns = ?1 AND id = ?2",
            )
            .and_then(|mut select| {
                let indexed = |row: &Row<'_>| {
                    Ok(Indexed {
                        row: row.get(0)?,
                        text: row.get(1)?,
                        tags: json(row, 2)?,
                        attributes: json(row, 3)?,
                    })
                };
                select
                    .query_row(params![ns, id.to_sql()], indexed)
                    .optional()
            })
            .sqlite("look up a memory", &self.path)
    }
}
