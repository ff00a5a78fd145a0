//! The store's embedder: what it embeds, and what others have embedded.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use rusqlite::Connection;

use crate::error::{Error, Result, SqliteContext};
use crate::metadata::{Embedded, PreparedMemory, embed_anew, embedded, find_vector_source};
use crate::model::embed::{Embedder, VectorSource, embed, embed_all};
use crate::model::memory::NewMemory;
use crate::model::names::Namespace;
use crate::model::query::{Query, Signal};

use super::MemoryStore;

/// Lets an embedder embed anew what another one has embedded, or refuses it if nobody wants to be
/// told of the progress.
pub(super) fn prepare(
    connection: &Connection,
    path: &Path,
    embedder: &dyn Embedder,
    progress: Option<&mut dyn FnMut(u64, u64)>,
) -> Result<()> {
    let is_other = |of: &Embedded| {
        of.embedder != embedder.name()
            || (of.dimension != 0 && of.dimension != embedder.dimension())
    };
    let mut others = embedded(connection).sqlite("read the namespaces", path)?;
    others.retain(is_other);
    match (progress, others.first()) {
        (_, None) => Ok(()),
        (Some(progress), _) => embed_anew(connection, path, &others, embedder, progress),
        (None, Some(other)) => Err(Error::OtherEmbedder {
            namespace: other.namespace.clone(),
            stored: format!("{} ({} dimensions)", other.embedder, other.dimension),
            given: format!("{} ({})", embedder.name(), embedder.dimension()),
        }),
    }
}

impl MemoryStore {
    /// Who made the vectors of a namespace.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn vector_source(&self, namespace: &Namespace) -> Result<VectorSource> {
        find_vector_source(&self.readers, namespace)
    }

    pub(super) fn prepare(&self, memory: NewMemory) -> Result<PreparedMemory> {
        Ok(self.prepare_all(vec![memory])?.remove(0))
    }

    /// Makes memories ready to be written, those that need a vector embedded together.
    pub(super) fn prepare_all(&self, memories: Vec<NewMemory>) -> Result<Vec<PreparedMemory>> {
        let Some(embedder) = self.embedder.as_deref() else {
            return memories.into_iter().map(PreparedMemory::new).collect();
        };
        let mut is_embedding: HashMap<&Namespace, bool> = HashMap::new();
        for memory in &memories {
            if !is_embedding.contains_key(&memory.namespace) {
                let embeds = self.embeds(&memory.namespace, embedder)?;
                is_embedding.insert(&memory.namespace, embeds);
            }
        }
        let needs = |memory: &NewMemory| memory.vector.is_none() && is_embedding[&memory.namespace];
        let needs: Vec<bool> = memories.iter().map(needs).collect();
        let texts = memories.iter().zip(&needs).filter(|(_, needs)| **needs);
        let texts: Vec<&str> = texts.map(|(memory, _)| &*memory.text).collect();
        let mut vectors = embed_all(embedder, &texts)?.into_iter();
        let prepared = memories.into_iter().zip(needs).map(|(memory, needs)| {
            if needs {
                let vector = vectors.next().expect("one for each that needs one");
                PreparedMemory::embedded(memory, embedder, vector)
            } else {
                PreparedMemory::new(memory)
            }
        });
        prepared.collect()
    }

    /// A query as it is asked: one for words gets their vector too, where texts are embedded.
    pub(super) fn embedded_query<'q>(
        &self,
        namespace: &Namespace,
        query: &'q Query,
    ) -> Result<Cow<'q, Query>> {
        let (Some(embedder), Some(text), None) = (&self.embedder, &query.text, &query.vector)
        else {
            return Ok(Cow::Borrowed(query));
        };
        let is_asked = query.weights.of(Signal::Similarity) > 0.0;
        let made_here = VectorSource::Embedder(embedder.name().to_owned());
        if !is_asked || self.vector_source(namespace)? != made_here {
            return Ok(Cow::Borrowed(query));
        }
        let mut asked = query.clone();
        asked.vector = embed(&**embedder, text)?;
        Ok(Cow::Owned(asked))
    }

    /// Whether an embedder embeds the texts of a namespace.
    fn embeds(&self, namespace: &Namespace, embedder: &dyn Embedder) -> Result<bool> {
        Ok(match self.vector_source(namespace)? {
            VectorSource::Nobody => true,
            VectorSource::Callers => false,
            VectorSource::Embedder(name) => name == embedder.name(),
        })
    }

    /// Refuses an import of namespaces that another embedder has embedded.
    pub(super) fn check_embedders<'a>(
        &self,
        mut embedded: impl Iterator<Item = (&'a Namespace, &'a str)>,
    ) -> Result<()> {
        let Some(embedder) = &self.embedder else {
            return Ok(());
        };
        match embedded.find(|(_, name)| *name != embedder.name()) {
            None => Ok(()),
            Some((namespace, stored)) => Err(Error::OtherEmbedder {
                namespace: namespace.clone(),
                stored: stored.to_owned(),
                given: embedder.name().to_owned(),
            }),
        }
    }
}
