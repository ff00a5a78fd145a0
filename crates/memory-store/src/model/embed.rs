//! From text to vector.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::function_words::is_function_word;
use crate::model::language::Language;
use crate::model::letters::fold;

/// Makes vectors of texts, always of the same length. A store that was opened with one embeds
/// memories and questions by itself, see [`Options::embedder`](crate::Options::embedder).
///
/// A model behind an interface is one implementation; [`HashedNgrams`] needs none.
pub trait Embedder: Send + Sync {
    /// What tells its vectors from those of others: a model and its version, as `minilm-l6-v2`. It
    /// is stored with each namespace that it embeds.
    fn name(&self) -> &str;

    /// The length of every vector.
    fn dimension(&self) -> usize;

    /// The vector of a text, or `None` if there is nothing in it to embed.
    ///
    /// # Errors
    ///
    /// Whatever the model fails with.
    fn embed(&self, text: &str) -> std::result::Result<Option<Vec<f32>>, EmbedError>;

    /// The vectors of several texts, in their order. One by one, unless a model is faster with
    /// many.
    ///
    /// # Errors
    ///
    /// Whatever the model fails with; then there are no vectors of the others either.
    fn embed_all(&self, texts: &[&str]) -> std::result::Result<Vec<Option<Vec<f32>>>, EmbedError> {
        texts.iter().map(|text| self.embed(text)).collect()
    }
}

/// Who made the vectors of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum VectorSource {
    /// There are none yet: who writes the first decides.
    Nobody,
    /// Who remembered the memories. The store embeds nothing there.
    Callers,
    /// The embedder of this [name](Embedder::name).
    Embedder(String),
}

/// What an embedder failed with.
pub type EmbedError = Box<dyn std::error::Error + Send + Sync>;

/// Embeds without a model: words and their trigrams of letters, hashed into a fixed number of
/// places with a sign each ("feature hashing", Weinberger et al. 2009). Texts that share words, or
/// words of the same stem, come close; it knows nothing of meaning. English function words (the,
/// of, when) are passed over unless there is nothing else, as they make unlike texts alike.
///
/// ```
/// use memory_store::{Embedder, HashedNgrams};
///
/// let embedder = HashedNgrams::default();
/// let vector = embedder.embed("the linker failed")?.unwrap();
/// assert_eq!(vector.len(), 256);
/// assert!(embedder.embed(" … ")?.is_none());
/// # Ok::<(), memory_store::EmbedError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashedNgrams {
    dimension: usize, // at least 1
}

impl Default for HashedNgrams {
    /// 256 places: a few hundred trigrams of a short text collide rarely enough.
    fn default() -> Self {
        Self { dimension: 256 }
    }
}

impl HashedNgrams {
    /// An embedder of another length; fewer places make more of the features collide.
    pub fn new(dimension: std::num::NonZeroUsize) -> Self {
        Self {
            dimension: dimension.get(),
        }
    }
}

impl Embedder for HashedNgrams {
    fn name(&self) -> &str {
        // The number changes with the vectors.
        "hashed-ngrams-1"
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn embed(&self, text: &str) -> std::result::Result<Option<Vec<f32>>, EmbedError> {
        /// A whole word tells more than one of its trigrams.
        const WORD_WEIGHT: f32 = 2.0;
        let mut vector = vec![0.0; self.dimension];
        let lower = fold(text);
        let words = lower.split(|character: char| !character.is_alphanumeric());
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        let has_content = words
            .iter()
            .any(|word| !is_function_word(Language::English, word));
        let chosen = words
            .into_iter()
            .filter(|word| !has_content || !is_function_word(Language::English, word));
        for word in chosen {
            add(&mut vector, word, WORD_WEIGHT);
            // Marked ends, so that a prefix differs from the same letters inside a word.
            let marked: Vec<char> = format!("^{word}$").chars().collect();
            for trigram in marked.windows(3) {
                add(&mut vector, &trigram.iter().collect::<String>(), 1.0);
            }
        }
        // Features may also cancel out each other; then there is no direction either.
        Ok(vector
            .iter()
            .any(|component| *component != 0.0)
            .then_some(vector))
    }
}

fn add(vector: &mut [f32], feature: &str, weight: f32) {
    let hash = fnv1a(feature.as_bytes());
    let place = (hash >> 1) % vector.len() as u64;
    let sign = if hash & 1 == 0 { 1.0 } else { -1.0 };
    vector[place as usize] += sign * weight;
}

/// FNV-1a with a final mix (MurmurHash3's): vectors are stored, so the hash may never change, which
/// the standard library's does not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, step);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

/// The vectors of some texts, each of the length that the embedder promises.
pub(crate) fn embed_all(embedder: &dyn Embedder, texts: &[&str]) -> Result<Vec<Option<Vec<f32>>>> {
    let vectors = embedder
        .embed_all(texts)
        .map_err(|source| Error::Embedding { source })?;
    let expected = embedder.dimension();
    let is_odd = |vector: &&Vec<f32>| vector.len() != expected;
    let broken = if vectors.len() != texts.len() {
        Some(format!(
            "{} vectors of {} texts",
            vectors.len(),
            texts.len()
        ))
    } else {
        let odd = vectors.iter().flatten().find(is_odd);
        odd.map(|odd| format!("a vector of {} dimensions, not {expected}", odd.len()))
    };
    match broken {
        None => Ok(vectors),
        Some(broken) => Err(Error::Embedding {
            source: format!("{} gave {broken}", embedder.name()).into(),
        }),
    }
}

/// The vector of one text.
pub(crate) fn embed(embedder: &dyn Embedder, text: &str) -> Result<Option<Vec<f32>>> {
    Ok(embed_all(embedder, &[text])?.swap_remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &str, b: &str) -> f64 {
        let embed = |text| HashedNgrams::default().embed(text).unwrap().unwrap();
        let (a, b) = (embed(a), embed(b));
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter()
                .zip(b)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum()
        };
        dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
    }

    #[test]
    fn shared_words_and_stems_come_closer_than_others() {
        let text = "the linker ran out of memory";
        assert!(cosine(text, "memory ran out in the linker") > 0.7);
        assert!(cosine(text, "linkers and memories") > cosine(text, "a quiet sunny day"));
        assert!(cosine(text, "a quiet sunny day").abs() < 0.3);
    }

    #[test]
    fn function_words_count_only_where_there_is_nothing_else() {
        assert!(cosine("the linker of the build", "linker build") > 0.999);
        assert!(cosine("why is it so", "the linker").abs() < 0.3);
        assert!(cosine("to do or to be", "to be") > 0.6);
        assert!(cosine("do not deploy", "do deploy") < 0.95);
    }

    #[test]
    fn the_same_text_has_the_same_vector_in_every_version() {
        let vector = HashedNgrams::new(8.try_into().unwrap())
            .embed("linker")
            .unwrap()
            .unwrap();
        assert_eq!(vector, STORED);
    }

    /// What the first version made of "linker": vectors in stores were made like this.
    const STORED: [f32; 8] = [0.0, -1.0, -1.0, 0.0, 1.0, 0.0, 1.0, 2.0];
}
