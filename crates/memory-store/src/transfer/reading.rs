//! Reading an export, and checking all of it.

use std::io::BufRead;

use crate::error::{Error, Result};

use super::{FORMAT, PreparedNamespace, Record, Transferred};

/// Reads and checks a whole export, so that nothing of a damaged one is stored.
pub(crate) fn read(mut from: impl BufRead) -> Result<(Vec<PreparedNamespace>, Transferred)> {
    let mut reading = Reading::default();
    let mut line = Vec::new();
    for number in 1_u64.. {
        let invalid = |detail: String| Error::Import {
            line: number,
            detail,
        };
        line.clear();
        let length = from.read_until(b'\n', &mut line);
        if length.map_err(|error| invalid(error.to_string()))? == 0 {
            return Err(invalid("the export ends before its last record".into()));
        }
        let record = serde_json::from_slice(&line).map_err(|error| invalid(error.to_string()))?;
        if reading.take(record, number - 1).map_err(invalid)? {
            let after = from
                .read_until(b'\n', &mut line)
                .map_err(|error| invalid(error.to_string()))?;
            if after > 0 {
                return Err(Error::Import {
                    line: number + 1,
                    detail: "something follows the last record: import joined exports one by one"
                        .into(),
                });
            }
            break;
        }
        reading.hasher.update(&line);
    }
    Ok((reading.namespaces, reading.transferred))
}

#[derive(Default)]
struct Reading {
    hasher: blake3::Hasher,
    namespaces: Vec<PreparedNamespace>,
    transferred: Transferred,
}

impl Reading {
    /// Takes the record after so many others; whether it was the last.
    fn take(&mut self, record: Record, before: u64) -> Result<bool, String> {
        self.transferred.count(&record);
        match record {
            Record::Begin { format } if before == 0 && format == FORMAT => return Ok(false),
            Record::Begin { format } => {
                return Err(format!(
                    "format {format} begins, expected {FORMAT} in the first line"
                ));
            }
            _ if before == 0 => return Err("this is no export of a memory store".into()),
            Record::End { records, digest } => {
                let found = self.hasher.finalize().to_string();
                if records == before && digest == found {
                    return Ok(true);
                }
                return Err(format!(
                    "{before} records of digest {found} were read, and {records} of {digest} written"
                ));
            }
            Record::Namespace {
                name,
                next_id,
                dimension,
                quota,
                language,
                embedder,
            } => {
                self.namespaces.push(PreparedNamespace {
                    name,
                    next_id,
                    dimension,
                    quota,
                    language,
                    embedder,
                    memories: Vec::new(),
                    edges: Vec::new(),
                    runs: Vec::new(),
                    values: Vec::new(),
                    checkpoints: Vec::new(),
                });
                return Ok(false);
            }
            _ => {}
        }
        let namespace = self
            .namespaces
            .last_mut()
            .ok_or("the record comes before its namespace")?;
        namespace.take(record)?;
        Ok(false)
    }
}

impl PreparedNamespace {
    fn take(&mut self, record: Record) -> Result<(), String> {
        match record {
            Record::Memory(memory) => self.memories.push(memory.prepare(&self.name)?),
            Record::Edge(edge) => self.edges.push(edge.prepare(&self.name)?),
            Record::Run(run) => self.runs.push(run),
            Record::State(value) => self.values.push(value),
            Record::Checkpoint(checkpoint) => self.checkpoints.push(checkpoint),
            Record::Begin { .. } | Record::Namespace { .. } | Record::End { .. } => {
                unreachable!("taken by the caller")
            }
        }
        Ok(())
    }
}
