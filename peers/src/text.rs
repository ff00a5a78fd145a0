//! The ten best texts for some words of a hundred thousand: `memory-store`'s text tier and Tantivy, both
//! in memory, both by BM25.

use std::collections::HashMap;
use std::hint::black_box;

use anyhow::Context as _;
use memory_store::{MemoryStore, Namespace, NewMemory, Query, Timestamp};
use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, Occur, Query as TantivyQuery, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, STORED, Schema, TEXT, Value as _};
use tantivy::{Index, Searcher, TantivyDocument, Term, doc};

use crate::comparison::{Comparison, Effort, Measured, Role, Setting, Side, nanos_each};
use crate::random::SplitMix64;

const ABOUT: &str = "\
Three words are asked for, of texts of 10 to 39 words that are as frequent and as rare as in natural language (Zipf's \
law, fifty thousand words); the ten best by BM25 are found and their texts read, by one thread. Common words are the \
twenty most frequent, each in 3 to 80 of 100 texts; rare ones have a rank from 5,000 on. `memory-store` reads its \
memories whole, from its cache or its database on the disk, as its callers do; Tantivy has one segment in memory, \
reads stored texts, and stems nothing. A found text is right if its exact score is one of the ten best; lengths of \
texts are rounded by both.";

const TEXTS: usize = 100_000;
const QUESTIONS: usize = 100;
const BEST: usize = 10;
const WORDS: f64 = 50_000.0;

pub(crate) fn compare(effort: Effort) -> anyhow::Result<Comparison> {
    let corpus = Corpus::new(TEXTS);
    Ok(Comparison {
        name: "text",
        about: ABOUT,
        quality: Some("right of ten"),
        settings: both(&corpus, QUESTIONS, effort)?,
    })
}

fn both(corpus: &Corpus, questions: usize, effort: Effort) -> anyhow::Result<Vec<Setting>> {
    let directory = tempfile::tempdir()?;
    let ours = Ours::new(directory.path(), corpus)?;
    let theirs = Theirs::new(corpus)?;
    let kinds = [("common words", 0, 20), ("rare words", 5_000, 40_000)];
    let settings = kinds.into_iter().map(|(name, from, to)| {
        let asked = corpus.questions(questions, from, to);
        let sides = vec![
            side(Role::Ours, "memory-store", effort, &asked, |words| {
                ours.search(words)
            }),
            side(Role::Peer, "Tantivy", effort, &asked, |words| {
                theirs.search(words)
            }),
        ];
        let name = format!("{name}, {} texts", corpus.texts.len());
        Setting::measure(name, effort.rounds, sides)
    });
    settings.collect()
}

/// Some words, and the exact score of each text that is right.
struct Question {
    words: Vec<String>,
    right: HashMap<String, f64>,
}

fn side<'a>(
    role: Role,
    name: &str,
    effort: Effort,
    asked: &'a [Question],
    search: impl Fn(&[String]) -> anyhow::Result<Vec<String>> + 'a,
) -> Side<'a> {
    let mut at = 0;
    Side::new(role, name, move || {
        let mut failed = None;
        let nanos = nanos_each(effort.window, 1, || {
            let found = search(&asked[at].words).map(black_box);
            failed = found.err().or(failed.take());
            at = (at + 1) % asked.len();
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let (mut right, mut expected) = (0, 0);
        for question in asked {
            let found = search(&question.words)?;
            right += found
                .iter()
                .filter(|text| question.right.contains_key(*text))
                .count();
            expected += question.right.len().min(BEST);
        }
        Ok(Measured {
            nanos_each: nanos,
            quality: Some(right as f64 / expected as f64),
        })
    })
}

struct Corpus {
    texts: Vec<String>,
    lengths: Vec<f64>,
    /// For each word the texts that have it, and how often.
    postings: HashMap<String, Vec<(usize, f64)>>,
}

impl Corpus {
    fn new(texts: usize) -> Self {
        let mut random = SplitMix64::new(1);
        let mut corpus = Self {
            texts: Vec::with_capacity(texts),
            lengths: Vec::with_capacity(texts),
            postings: HashMap::new(),
        };
        for text in 0..texts {
            let length = 10 + (random.next() % 30) as usize;
            let mut counts: HashMap<String, f64> = HashMap::new();
            let mut words = Vec::with_capacity(length);
            for _ in 0..length {
                // As often as its rank says: the logarithm of the rank is drawn.
                let rank = WORDS.powf(random.unit()) as u64 - 1;
                let word = format!("word{rank}");
                *counts.entry(word.clone()).or_default() += 1.0;
                words.push(word);
            }
            for (word, count) in counts {
                corpus.postings.entry(word).or_default().push((text, count));
            }
            corpus.texts.push(words.join(" "));
            corpus.lengths.push(length as f64);
        }
        corpus
    }

    fn questions(&self, count: usize, from: u64, to: u64) -> Vec<Question> {
        let mut random = SplitMix64::new(5);
        let mut questions = Vec::with_capacity(count);
        while questions.len() < count {
            let word = |_| format!("word{}", from + random.next() % (to - from));
            let words: Vec<String> = (0..3).map(word).collect();
            let right = self.right(&words);
            if !right.is_empty() {
                questions.push(Question { words, right });
            }
        }
        questions
    }

    /// The texts whose score is one of the ten best, or as good but for the rounding of lengths.
    fn right(&self, words: &[String]) -> HashMap<String, f64> {
        const K1: f64 = 1.2;
        const B: f64 = 0.75;
        /// Lengths are rounded by at most an eighth, of which a score changes by less.
        const ROUNDING: f64 = 0.05;
        let average = self.lengths.iter().sum::<f64>() / self.lengths.len() as f64;
        let mut words = words.to_vec();
        words.sort();
        words.dedup();
        let mut scores: HashMap<usize, f64> = HashMap::new();
        for postings in words.iter().filter_map(|word| self.postings.get(word)) {
            let (all, having) = (self.texts.len() as f64, postings.len() as f64);
            let idf = (1.0 + (all - having + 0.5) / (having + 0.5)).ln();
            for (text, count) in postings {
                let norm = K1 * (1.0 - B + B * self.lengths[*text] / average);
                *scores.entry(*text).or_default() += idf * count * (K1 + 1.0) / (count + norm);
            }
        }
        let mut ranked: Vec<(usize, f64)> = scores.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let least = ranked.get(BEST - 1).map_or(0.0, |last| last.1);
        ranked.retain(|(_, score)| *score >= least * (1.0 - ROUNDING));
        let text = |(text, score): (usize, f64)| (self.texts[text].clone(), score);
        ranked.into_iter().map(text).collect()
    }
}

struct Ours {
    store: MemoryStore,
    namespace: Namespace,
}

impl Ours {
    fn new(directory: &std::path::Path, corpus: &Corpus) -> anyhow::Result<Self> {
        const AT_ONCE: usize = 1_000;
        let (store, namespace) = (MemoryStore::open(directory)?, Namespace::new("texts")?);
        for texts in corpus.texts.chunks(AT_ONCE) {
            let memory =
                |text: &String| NewMemory::new(namespace.clone(), text, Timestamp::default());
            store.remember_all(texts.iter().map(memory))?;
        }
        Ok(Self { store, namespace })
    }

    fn search(&self, words: &[String]) -> anyhow::Result<Vec<String>> {
        let query = Query::new().text(words.join(" ")).limit(BEST);
        let found = self.store.recall(&self.namespace, &query)?;
        Ok(found
            .iter()
            .map(|found| found.memory.text.clone())
            .collect())
    }
}

struct Theirs {
    searcher: Searcher,
    text: Field,
}

impl Theirs {
    fn new(corpus: &Corpus) -> anyhow::Result<Self> {
        const BUFFER_BYTES: usize = 256 << 20;
        let mut schema = Schema::builder();
        let text = schema.add_text_field("text", TEXT | STORED);
        let index = Index::create_in_ram(schema.build());
        let mut writer = index.writer_with_num_threads(1, BUFFER_BYTES)?;
        for words in &corpus.texts {
            writer.add_document(doc!(text => words.as_str()))?;
        }
        writer.commit()?;
        let searcher = index.reader()?.searcher();
        anyhow::ensure!(
            searcher.segment_readers().len() == 1,
            "more than one segment"
        );
        Ok(Self { searcher, text })
    }

    fn search(&self, words: &[String]) -> anyhow::Result<Vec<String>> {
        let word = |word: &String| -> (Occur, Box<dyn TantivyQuery>) {
            let term = Term::from_field_text(self.text, word);
            let query = TermQuery::new(term, IndexRecordOption::WithFreqs);
            (Occur::Should, Box::new(query))
        };
        let query = BooleanQuery::new(words.iter().map(word).collect());
        let best = self
            .searcher
            .search(&query, &TopDocs::with_limit(BEST).order_by_score())?;
        let text = |(_, address)| {
            let found: TantivyDocument = self.searcher.doc(address)?;
            let text = found.get_first(self.text).context("no text")?;
            Ok(text.as_str().context("no text")?.to_owned())
        };
        best.into_iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn both_find_the_best_texts() {
        let effort = Effort {
            rounds: 1,
            window: Duration::from_millis(1),
        };
        let settings = both(&Corpus::new(3_000), 10, effort).unwrap();
        for row in settings.iter().flat_map(|setting| &setting.rows) {
            let right = row.quality.unwrap().median;
            assert!(right > 0.99, "{}: {right}", row.side);
        }
    }
}
