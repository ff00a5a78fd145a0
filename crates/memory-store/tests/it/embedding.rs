//! The store's embedder: what it embeds, and what it refuses.

use std::path::Path;
use std::sync::Arc;

use memory_store::{EmbedError, Error, HashedNgrams, Signal, VectorSource};

use super::*;

/// An embedder of another name, which may fail.
struct Other {
    dimension: usize,
    fails_on: Option<&'static str>,
}

impl Embedder for Other {
    fn name(&self) -> &'static str {
        "other-1"
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn embed(&self, text: &str) -> Result<Option<Vec<f32>>, EmbedError> {
        if self.fails_on == Some(text) {
            return Err("the model is not there".into());
        }
        let length = text.len() as f32;
        Ok((!text.is_empty()).then(|| vec![1.0, length, 2.0]))
    }
}

const OTHER: Other = Other {
    dimension: 3,
    fails_on: None,
};

fn open(directory: &Path, embedder: impl Embedder + 'static) -> Result<MemoryStore, Error> {
    MemoryStore::options()
        .embedder(Arc::new(embedder))
        .open(directory)
}

fn source(store: &MemoryStore) -> VectorSource {
    store.vector_source(&namespace()).unwrap()
}

fn is_of_hashed_ngrams(store: &MemoryStore) -> bool {
    source(store) == VectorSource::Embedder(HashedNgrams::default().name().to_owned())
}

fn signals(store: &MemoryStore, query: &Query) -> Vec<Signal> {
    let found = store.recall(&namespace(), query).unwrap();
    let reasons = found.first().map(|found| &found.reasons[..]).unwrap_or(&[]);
    reasons.iter().map(|reason| reason.signal).collect()
}

#[test]
fn memories_and_questions_are_embedded_on_every_path() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), HashedNgrams::default()).unwrap();
    assert_eq!(source(&store), VectorSource::Nobody);
    let one = store.remember(memory("the linker failed")).unwrap();
    assert!(is_of_hashed_ngrams(&store));
    let several = [memory("a garden of flowers"), memory("  …  ")];
    let several = store.remember_all(several).unwrap();
    store
        .update(one, memory("the linker ran out of memory"))
        .unwrap();
    let new = store
        .supersede(several[0], memory("a garden of stones"))
        .unwrap();
    let vector = |id| store.get(&namespace(), id).unwrap().unwrap().vector.clone();
    assert_eq!(vector(one), Some(vector_of("the linker ran out of memory")));
    assert_eq!(vector(new), Some(vector_of("a garden of stones")));
    assert_eq!(vector(several[1]), None, "there is nothing to embed");
    let question = Query::new().text("linkers");
    assert_eq!(
        signals(&store, &question),
        [Signal::Similarity, Signal::Text]
    );
    let words_only = question.weight(Signal::Similarity, 0.0);
    assert_eq!(signals(&store, &words_only), [Signal::Text]);
    assert!(store.check().unwrap().is_clean());
    drop(store);
    let store = MemoryStore::open(directory.path()).unwrap();
    assert!(is_of_hashed_ngrams(&store), "also without the embedder");
    assert_eq!(
        signals(&store, &Query::new().text("linkers")),
        [Signal::Text]
    );
}

#[test]
fn vectors_of_callers_stay_theirs() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), OTHER).unwrap();
    let brought = memory("brought").vector(vec![0.5, 0.25]);
    store.remember(brought).unwrap();
    let plain = store.remember(memory("brought without")).unwrap();
    assert_eq!(source(&store), VectorSource::Callers);
    let plain = store.get(&namespace(), plain).unwrap().unwrap();
    assert_eq!(plain.vector, None);
    assert_eq!(
        signals(&store, &Query::new().text("brought")),
        [Signal::Text]
    );
}

#[test]
fn another_embedder_is_refused_or_embeds_all_of_it_anew() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), HashedNgrams::default()).unwrap();
    let first = store.remember(memory("first text")).unwrap();
    store
        .update(first, memory("first text, corrected"))
        .unwrap();
    for number in 0..150 {
        store.remember(memory(&format!("text {number}"))).unwrap();
    }
    drop(store);
    let refused = open(directory.path(), OTHER).unwrap_err();
    assert!(matches!(refused, Error::OtherEmbedder { .. }), "{refused}");
    assert_eq!(
        refused.to_string(),
        "the vectors of namespace team are of hashed-ngrams-1 (256 dimensions), not of other-1 (3)"
    );
    let shorter = HashedNgrams::new(64.try_into().unwrap());
    assert!(open(directory.path(), shorter).is_err(), "another length");

    // Half way through it fails: nothing has changed.
    let failing = MemoryStore::options().embedder(Arc::new(Other {
        fails_on: Some("text 100"),
        ..OTHER
    }));
    let failed = failing.open_embedding_anew(directory.path(), |_, _| {});
    assert!(matches!(failed, Err(Error::Embedding { .. })));
    drop(open(directory.path(), HashedNgrams::default()).unwrap());

    let mut told = Vec::new();
    let store = MemoryStore::options()
        .embedder(Arc::new(OTHER))
        .open_embedding_anew(directory.path(), |done, total| told.push((done, total)))
        .unwrap();
    // The version that was corrected is among them.
    assert_eq!(told.first(), Some(&(0, 152)));
    assert_eq!(told.last(), Some(&(152, 152)));
    assert!(told.len() > 3 && told.is_sorted());
    assert_eq!(source(&store), VectorSource::Embedder("other-1".into()));
    let first = store.history(&namespace(), first).unwrap();
    let vectors: Vec<_> = first
        .iter()
        .map(|version| version.fact.vector.clone())
        .collect();
    assert_eq!(
        vectors,
        [Some(vec![1.0, 10.0, 2.0]), Some(vec![1.0, 21.0, 2.0])]
    );
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{report:?}");
    let other = tempfile::tempdir().unwrap();
    drop(transferred(&store, other.path()));
    assert_eq!(store.stats().vectors, 151);
}

#[test]
fn an_import_of_other_vectors_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), HashedNgrams::default()).unwrap();
    store.remember(memory("text")).unwrap();
    let mut exported = Vec::new();
    store.export(&mut exported, None).unwrap();
    let into = tempfile::tempdir().unwrap();
    let other = open(into.path(), OTHER).unwrap();
    let refused = other.import(&exported[..]).unwrap_err();
    assert!(matches!(refused, Error::OtherEmbedder { .. }), "{refused}");
    assert!(other.namespaces().unwrap().is_empty());
    drop(other);
    let same = tempfile::tempdir().unwrap();
    let same = open(same.path(), HashedNgrams::default()).unwrap();
    same.import(&exported[..]).unwrap();
    assert!(is_of_hashed_ngrams(&same));
}

#[test]
fn an_embedder_that_fails_or_lies_stores_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let failing = Other {
        fails_on: Some("text"),
        ..OTHER
    };
    let store = open(directory.path(), failing).unwrap();
    let failed = store.remember(memory("text")).unwrap_err();
    assert_eq!(
        failed.to_string(),
        "cannot embed the text: the model is not there"
    );
    drop(store);
    let lying = Other {
        dimension: 5,
        ..OTHER
    };
    let store = open(directory.path(), lying).unwrap();
    let failed = store.remember(memory("text")).unwrap_err();
    assert_eq!(
        failed.to_string(),
        "cannot embed the text: other-1 gave a vector of 3 dimensions, not 5"
    );
    assert!(store.namespaces().unwrap().is_empty());
}
