//! A model that embeds the texts of memories.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use memory_store::{Error, HttpEmbedder, MemoryStore};

/// A model behind the interface that OpenAI made, `POST {url}/embeddings`.
#[derive(Clone)]
pub struct Embeddings {
    /// The base address, such as `http://127.0.0.1:11434/v1`.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// The dimension of its vectors.
    pub dimension: NonZeroUsize,
    /// Sent as a bearer token, if there is one.
    pub key: Option<String>,
    /// Whether texts that another model has embedded are embedded anew, before the server listens.
    pub anew: bool,
}

impl fmt::Debug for Embeddings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the key.
        f.debug_struct("Embeddings")
            .field("url", &self.url)
            .field("model", &self.model)
            .field("dimension", &self.dimension)
            .field("anew", &self.anew)
            .finish_non_exhaustive()
    }
}

/// Opens the memories, with a model if there is one.
pub(crate) fn open(directory: &Path, model: Option<&Embeddings>) -> Result<MemoryStore, Error> {
    let Some(model) = model else {
        return MemoryStore::open(directory);
    };
    let mut embedder = HttpEmbedder::new(&model.url, &model.model, model.dimension);
    if let Some(key) = &model.key {
        embedder = embedder.key(key);
    }
    let options = MemoryStore::options().embedder(Arc::new(embedder));
    if model.anew {
        options.open_embedding_anew(directory, |_, _| {})
    } else {
        options.open(directory)
    }
}
