//! Writing namespaces that were exported.

use std::collections::HashMap;

use action::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{OptionalExtension, params};

use crate::error::{Error, Result, SqliteContext};
use crate::metadata::state::store_value;
use crate::model::chunking::PreparedValue;

use crate::transfer::{CheckpointRecord, PreparedNamespace, PreparedVersion, StateRecord};

use super::Session;

/// The numbers of runs by agent and name.
type Runs<'a> = HashMap<(&'a str, &'a str), i64>;

impl Session {
    /// Writes namespaces, all or none, in a transaction of its own.
    pub(crate) fn import(&mut self, namespaces: &[PreparedNamespace]) -> Result<()> {
        self.begin()?;
        let imported = namespaces
            .iter()
            .try_for_each(|namespace| self.import_namespace(namespace));
        let ended = imported.and_then(|()| self.commit());
        // Undoes the work, or if it was committed only drops what was known.
        let undone = self.rollback();
        self.note_failure(ended.and(undone))
    }

    fn import_namespace(&mut self, from: &PreparedNamespace) -> Result<()> {
        if self.space(&from.name)?.is_some() {
            return Err(Error::NamespaceExists {
                namespace: from.name.clone(),
            });
        }
        let mut space = self.space_or_create(&from.name)?;
        space.dimension = from.dimension;
        self.execute(
            "import",
            "UPDATE namespaces SET language = ?2 WHERE ns = ?1",
            params![space.ns, from.language.name()],
        )?;
        space.embedder.clone_from(&from.embedder);
        for version in &from.memories {
            let prepared = &version.prepared;
            space.check_dimension(&prepared.memory)?;
            match version.replaced_at {
                None => {
                    self.insert_memory(space.ns, version.id, prepared, version.version)?;
                    space.note(version.id, prepared);
                }
                Some(replaced_at) => {
                    self.insert_version(space.ns, version, replaced_at)?;
                    space.note_version(prepared);
                }
            }
        }
        for (edge, replaced_at) in &from.edges {
            match replaced_at {
                None => self.put_edge(space.ns, edge)?,
                Some(replaced_at) => self.keep_edge(space.ns, edge, *replaced_at)?,
            }
        }
        self.import_state(space.ns, from)?;
        space.next_id = space.next_id.max(from.next_id);
        space.quota = from.quota;
        space.is_changed = true;
        self.spaces.insert(from.name.clone(), space);
        Ok(())
    }

    fn insert_version(
        &self,
        ns: i64,
        version: &PreparedVersion,
        replaced_at: Timestamp,
    ) -> Result<()> {
        let PreparedVersion {
            id,
            version,
            prepared,
            ..
        } = version;
        let memory = &prepared.memory;
        self.execute(
            "import",
            "INSERT INTO versions(ns, id, version, at, text, tags, attributes, vector, digest,
                 valid_from, valid_until, expires, recorded_at, replaced_at)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            params![
                ns,
                id.to_sql(),
                version,
                memory.at.as_millis(),
                memory.text,
                prepared.tags,
                prepared.attributes,
                prepared.vector,
                prepared.digest.as_bytes(),
                prepared.valid_from().as_millis(),
                memory.valid_until.map(Timestamp::as_millis),
                memory.expires_at.map(Timestamp::as_millis),
                prepared.recorded_at().as_millis(),
                replaced_at.as_millis(),
            ],
        )
        .map(drop)
    }

    fn import_state(&self, ns: i64, from: &PreparedNamespace) -> Result<()> {
        let mut runs = Runs::new();
        for run in &from.runs {
            let parent = match &run.parent {
                Some(parent) => Some(known(&runs, &run.agent, parent)?),
                None => None,
            };
            self.execute(
                "import",
                "INSERT INTO runs(ns, agent, name, parent, parent_seq, seq)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                params![ns, run.agent, run.name, parent, run.parent_seq, run.seq],
            )?;
            let number = self.connection.last_insert_rowid();
            runs.insert((&run.agent, &run.name), number);
        }
        for value in &from.values {
            self.import_value(ns, known(&runs, &value.agent, &value.run)?, value)?;
        }
        for checkpoint in &from.checkpoints {
            let run = known(&runs, &checkpoint.agent, &checkpoint.run)?;
            self.import_checkpoint(run, checkpoint)?;
        }
        Ok(())
    }

    fn import_value(&self, ns: i64, run: i64, from: &StateRecord) -> Result<()> {
        let value = match &from.value {
            Some(value) => {
                let bytes = STANDARD.decode(value).map_err(|error| Error::ImportState {
                    item: format!("state {:?} of {}/{}", from.key, from.agent, from.run),
                    detail: error.to_string(),
                })?;
                Some(PreparedValue::new(bytes))
            }
            None => None,
        };
        store_value(
            &self.connection,
            ns,
            (run, &from.key, from.seq),
            value.as_ref(),
        )
        .sqlite("import", &self.path)
    }

    /// Keeps the checkpoint's number unless another namespace has it.
    fn import_checkpoint(&self, run: i64, from: &CheckpointRecord) -> Result<()> {
        let is_taken = self
            .connection
            .prepare_cached("SELECT 1 FROM checkpoints WHERE checkpoint = ?1")
            .and_then(|mut select| select.query_row([from.checkpoint], |_| Ok(())).optional())
            .sqlite("import", &self.path)?
            .is_some();
        let number = (!is_taken).then_some(from.checkpoint);
        self.execute(
            "import",
            "INSERT INTO checkpoints(checkpoint, run, seq, label, at) VALUES(?1, ?2, ?3, ?4, ?5)",
            params![number, run, from.seq, from.label, from.at.as_millis()],
        )
        .map(drop)
    }
}

fn known(runs: &Runs<'_>, agent: &str, run: &str) -> Result<i64> {
    runs.get(&(agent, run))
        .copied()
        .ok_or_else(|| Error::ImportState {
            item: format!("run {agent}/{run}"),
            detail: "is referred to and was not exported".into(),
        })
}
