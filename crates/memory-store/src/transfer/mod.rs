//! The whole of a store, or of one namespace, as JSON Lines: one record a line, exact both ways.
//!
//! The first line says which format follows, the last one how many records there were and their
//! digest, so that a file that was cut or changed is refused. Numbers with a fraction are written
//! as texts, in the shortest form that reads back as the same number.

mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use action::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::metadata::PreparedMemory;
use crate::model::edge::Edge;
use crate::model::language::Language;
use crate::model::memory::{AttributeValue, Memory, NewMemory};
use crate::model::names::{MemoryId, Namespace, Relation};
use crate::model::quota::Quota;

pub(crate) use reading::read;

/// The version of the format that is written, and the only one that is read.
const FORMAT: u32 = 1;

/// How many records an export wrote or an import read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Transferred {
    /// Namespaces.
    pub namespaces: u64,
    /// Memories as they are known now.
    pub memories: u64,
    /// Edges as they are known now.
    pub edges: u64,
    /// What was known of memories and edges before.
    pub versions: u64,
    /// Runs of agents.
    pub runs: u64,
    /// Versions of values of state.
    pub values: u64,
    /// Checkpoints.
    pub checkpoints: u64,
}

fn is_default(language: &Language) -> bool {
    *language == Language::default()
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(crate) enum Record {
    Begin {
        format: u32,
    },
    /// What follows belongs to this namespace, until the next one.
    Namespace {
        name: Namespace,
        next_id: MemoryId,
        dimension: Option<usize>,
        quota: Quota,
        /// Left out where it is the default, as in exports from before there were languages.
        #[serde(default, skip_serializing_if = "is_default")]
        language: Language,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        embedder: Option<String>,
    },
    Memory(MemoryRecord),
    Edge(EdgeRecord),
    Run(RunRecord),
    State(StateRecord),
    Checkpoint(CheckpointRecord),
    End {
        records: u64,
        digest: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MemoryRecord {
    pub(crate) id: MemoryId,
    version: u32,
    #[serde(with = "crate::model::millis")]
    at: Timestamp,
    text: String,
    tags: BTreeSet<String>,
    attributes: BTreeMap<String, AttributeValue>,
    /// The components, with spaces between them.
    vector: Option<String>,
    #[serde(with = "crate::model::millis")]
    valid_from: Timestamp,
    #[serde(default, with = "crate::model::millis::option")]
    valid_until: Option<Timestamp>,
    #[serde(default, with = "crate::model::millis::option")]
    expires_at: Option<Timestamp>,
    #[serde(with = "crate::model::millis")]
    recorded_at: Timestamp,
    /// Of a version that is known no more.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::model::millis::option"
    )]
    pub(crate) replaced_at: Option<Timestamp>,
    digest: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EdgeRecord {
    source: MemoryId,
    relation: Relation,
    target: MemoryId,
    weight: String,
    #[serde(with = "crate::model::millis")]
    at: Timestamp,
    #[serde(with = "crate::model::millis")]
    valid_from: Timestamp,
    #[serde(default, with = "crate::model::millis::option")]
    valid_until: Option<Timestamp>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::model::millis::option"
    )]
    pub(crate) replaced_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    pub(crate) agent: String,
    pub(crate) name: String,
    /// The run of the same agent that it was forked from.
    pub(crate) parent: Option<String>,
    pub(crate) parent_seq: i64,
    pub(crate) seq: i64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StateRecord {
    pub(crate) agent: String,
    pub(crate) run: String,
    pub(crate) key: String,
    pub(crate) seq: i64,
    /// In Base64; none if the key was removed.
    pub(crate) value: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CheckpointRecord {
    pub(crate) agent: String,
    pub(crate) run: String,
    pub(crate) checkpoint: i64,
    pub(crate) seq: i64,
    pub(crate) label: String,
    #[serde(with = "crate::model::millis")]
    pub(crate) at: Timestamp,
}

impl MemoryRecord {
    pub(crate) fn new(memory: Memory, replaced_at: Option<Timestamp>) -> Self {
        let digest = memory.digest().to_string();
        let components = |vector: Vec<f32>| {
            let components: Vec<String> = vector.iter().map(ToString::to_string).collect();
            components.join(" ")
        };
        Self {
            id: memory.id,
            version: memory.version,
            at: memory.at,
            text: memory.text,
            tags: memory.tags,
            attributes: memory.attributes,
            vector: memory.vector.map(components),
            valid_from: memory.valid_from,
            valid_until: memory.valid_until,
            expires_at: memory.expires_at,
            recorded_at: memory.recorded_at,
            replaced_at,
            digest,
        }
    }

    /// The memory, checked against its digest, and its version.
    fn prepare(self, namespace: &Namespace) -> Result<PreparedVersion, String> {
        let components = |text: String| -> Result<Vec<f32>, String> {
            text.split(' ')
                .map(|component| {
                    component
                        .parse()
                        .map_err(|_| format!("{component:?} is no number"))
                })
                .collect()
        };
        let memory = NewMemory {
            namespace: namespace.clone(),
            id: Some(self.id),
            at: self.at,
            text: self.text,
            tags: self.tags,
            attributes: self.attributes,
            vector: self.vector.map(components).transpose()?,
            valid_from: Some(self.valid_from),
            valid_until: self.valid_until,
            expires_at: self.expires_at,
            recorded_at: Some(self.recorded_at),
        };
        if memory.digest().to_string() != self.digest {
            return Err(format!("memory {} is not what its digest says", self.id));
        }
        Ok(PreparedVersion {
            id: self.id,
            version: self.version,
            replaced_at: self.replaced_at,
            prepared: PreparedMemory::new(memory).map_err(|error| error.to_string())?,
        })
    }
}

impl EdgeRecord {
    pub(crate) fn new(edge: Edge, replaced_at: Option<Timestamp>) -> Self {
        Self {
            source: edge.source,
            relation: edge.relation,
            target: edge.target,
            weight: edge.weight.to_string(),
            at: edge.at,
            valid_from: edge.valid_from,
            valid_until: edge.valid_until,
            replaced_at,
        }
    }

    fn prepare(self, namespace: &Namespace) -> Result<(Edge, Option<Timestamp>), String> {
        let weight = self.weight.parse();
        let edge = Edge {
            namespace: namespace.clone(),
            source: self.source,
            relation: self.relation,
            target: self.target,
            weight: weight.map_err(|_| format!("{:?} is no number", self.weight))?,
            at: self.at,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
        };
        edge.check().map_err(|error| error.to_string())?;
        Ok((edge, self.replaced_at))
    }
}

/// A version of a memory, made ready.
#[derive(Debug)]
pub(crate) struct PreparedVersion {
    pub(crate) id: MemoryId,
    pub(crate) version: u32,
    pub(crate) replaced_at: Option<Timestamp>,
    pub(crate) prepared: PreparedMemory,
}

/// A namespace as it was read.
#[derive(Debug)]
pub(crate) struct PreparedNamespace {
    pub(crate) name: Namespace,
    pub(crate) next_id: MemoryId,
    pub(crate) dimension: Option<usize>,
    pub(crate) quota: Quota,
    pub(crate) language: Language,
    pub(crate) embedder: Option<String>,
    pub(crate) memories: Vec<PreparedVersion>,
    pub(crate) edges: Vec<(Edge, Option<Timestamp>)>,
    pub(crate) runs: Vec<RunRecord>,
    pub(crate) values: Vec<StateRecord>,
    pub(crate) checkpoints: Vec<CheckpointRecord>,
}

/// Writes records, and keeps count.
pub(crate) struct Exporter<W> {
    to: W,
    hasher: blake3::Hasher,
    records: u64,
    transferred: Transferred,
    line: Vec<u8>,
}

impl<W: Write> Exporter<W> {
    pub(crate) fn begin(to: W) -> Result<Self> {
        let mut exporter = Self {
            to,
            hasher: blake3::Hasher::new(),
            records: 0,
            transferred: Transferred::default(),
            line: Vec::new(),
        };
        exporter.write(&Record::Begin { format: FORMAT })?;
        Ok(exporter)
    }

    pub(crate) fn write(&mut self, record: &Record) -> Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record).expect("records are valid JSON");
        self.line.push(b'\n');
        self.hasher.update(&self.line);
        self.records += 1;
        self.transferred.count(record);
        self.to
            .write_all(&self.line)
            .map_err(|source| Error::Export { source })
    }

    pub(crate) fn end(mut self) -> Result<Transferred> {
        let (records, digest) = (self.records, self.hasher.finalize().to_string());
        self.write(&Record::End { records, digest })?;
        self.to.flush().map_err(|source| Error::Export { source })?;
        Ok(self.transferred)
    }
}

impl Transferred {
    fn count(&mut self, record: &Record) {
        *match record {
            Record::Namespace { .. } => &mut self.namespaces,
            Record::Memory(MemoryRecord {
                replaced_at: Some(_),
                ..
            })
            | Record::Edge(EdgeRecord {
                replaced_at: Some(_),
                ..
            }) => &mut self.versions,
            Record::Memory(_) => &mut self.memories,
            Record::Edge(_) => &mut self.edges,
            Record::Run(_) => &mut self.runs,
            Record::State(_) => &mut self.values,
            Record::Checkpoint(_) => &mut self.checkpoints,
            Record::Begin { .. } | Record::End { .. } => return,
        } += 1;
    }
}
