//! How well recall finds, over three kinds of memories with labelled questions: the mean reciprocal
//! rank and recall@10 of each signal and of their fusion, with intervals of 95 % from resampled
//! questions.
//!
//! ```text
//! cargo bench -p proofload-memory-store --bench quality            # the table
//! cargo bench -p proofload-memory-store --bench quality -- --tune  # and the search for weights
//! ```
//!
//! Every second question of each set is left for checking: weights are chosen by the others.

#![allow(clippy::print_stdout, reason = "its table is its result")]

use std::collections::HashMap;
use std::sync::Arc;

use memory_store::{
    Embedder, HashedNgrams, MemoryId, MemoryStore, Namespace, NewMemory, Query, Signal, Timestamp,
    Weights,
};

const SETS: [(&str, &str); 3] = [
    ("team", include_str!("../tests/it/quality/labelled.txt")),
    (
        "conversation",
        include_str!("../tests/it/quality/conversation.txt"),
    ),
    ("runs", include_str!("../tests/it/quality/runs.txt")),
];

/// How often questions are drawn anew for an interval.
const RESAMPLES: usize = 1_000;

struct Set {
    name: &'static str,
    store: MemoryStore,
    questions: Vec<(String, Vec<MemoryId>)>,
    _directory: tempfile::TempDir,
}

/// Which questions are asked.
#[derive(Clone, Copy)]
enum Part {
    Tuned,
    Checked,
}

/// For each question the reciprocal rank of its first answer, and the part of its answers among ten.
type Scores = Vec<(f64, f64)>;

fn namespace() -> Namespace {
    Namespace::new("quality").expect("a valid name")
}

fn load((name, text): (&'static str, &'static str)) -> Set {
    let directory = tempfile::tempdir().expect("a directory");
    let options = MemoryStore::options().embedder(Arc::new(HashedNgrams::default()));
    let store = options.open(directory.path()).expect("a store");
    let mut answers: HashMap<&str, Vec<MemoryId>> = HashMap::new();
    let mut asked = Vec::new();
    let mut fact = "";
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("= ") {
            fact = name;
        } else if let Some(question) = line.strip_prefix("? ") {
            asked.push((fact, question));
        } else if !line.is_empty() {
            let new = NewMemory::new(namespace(), line, Timestamp::default());
            let id = store.remember(new).expect("remembered");
            answers.entry(fact).or_default().push(id);
        }
    }
    let questions = asked
        .into_iter()
        .map(|(fact, text)| (text.to_owned(), answers[fact].clone()));
    Set {
        name,
        store,
        questions: questions.collect(),
        _directory: directory,
    }
}

impl Set {
    fn ask(&self, part: Part, query: impl Fn(&str) -> Query) -> Scores {
        let offset = match part {
            Part::Tuned => 0,
            Part::Checked => 1,
        };
        let questions = self.questions.iter().skip(offset).step_by(2);
        let score = |(text, answers): &(String, Vec<MemoryId>)| {
            let found = self
                .store
                .recall(&namespace(), &query(text))
                .expect("recalled");
            let is_answer: Vec<bool> = found
                .iter()
                .map(|found| answers.contains(&found.memory.id))
                .collect();
            let first = is_answer.iter().position(|answer| *answer);
            let hits = is_answer.iter().filter(|answer| **answer).count();
            let rank = first.map_or(0.0, |place| 1.0 / (place + 1) as f64);
            (rank, hits as f64 / answers.len() as f64)
        };
        questions.map(score).collect()
    }
}

fn by_text(words: &str) -> Query {
    fused(words, Weights::default()).weight(Signal::Similarity, 0.0)
}

fn by_similarity(words: &str) -> Query {
    let vector = HashedNgrams::default().embed(words);
    Query::new().vector(vector.expect("an embedding").expect("a vector"))
}

fn fused(words: &str, weights: Weights) -> Query {
    let mut query = Query::new().text(words);
    query.weights = weights;
    query
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

/// A mean with the interval in which 95 of 100 resamples have theirs.
fn interval(values: &[f64]) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        values[(state >> 33) as usize % values.len()]
    };
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| (0..values.len()).map(|_| draw()).sum::<f64>() / values.len() as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    let low = means[RESAMPLES / 40];
    let high = means[RESAMPLES - RESAMPLES / 40 - 1];
    format!("{:.3} [{low:.3}, {high:.3}]", mean(values.iter().copied()))
}

fn print(set: &str, what: &str, scores: &Scores) {
    let ranks: Vec<f64> = scores.iter().map(|score| score.0).collect();
    let recalls: Vec<f64> = scores.iter().map(|score| score.1).collect();
    println!(
        "{set:<13} {what:<22} {:<24} {}",
        interval(&ranks),
        interval(&recalls)
    );
}

fn main() {
    let is_tuning = std::env::args().any(|argument| argument == "--tune");
    let sets = SETS.map(load);
    if is_tuning {
        tune(&sets);
    }
    println!(
        "{:<13} {:<22} {:<24} recall@10",
        "questions", "signal", "MRR"
    );
    for set in &sets {
        let checked = |query: &dyn Fn(&str) -> Query| set.ask(Part::Checked, query);
        print(set.name, "text", &checked(&by_text));
        print(set.name, "similarity", &checked(&by_similarity));
        let usual = |words: &str| fused(words, Weights::default());
        print(set.name, "both, default weights", &checked(&usual));
        let equal = |words: &str| fused(words, Weights::EQUAL);
        print(set.name, "both, equal weights", &checked(&equal));
        let recent = |words: &str| usual(words).recency();
        print(set.name, "both and recency", &checked(&recent));
    }
}

/// Tries weights on the questions for tuning, and says what each gets on both parts.
fn tune(sets: &[Set]) {
    for weight in [0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5] {
        let weights = Query::new().weight(Signal::Similarity, weight).weights;
        let of = |part| {
            let scores: Vec<Scores> = sets
                .iter()
                .map(|set| set.ask(part, |words| fused(words, weights)))
                .collect();
            let ranks = scores
                .iter()
                .map(|scores| mean(scores.iter().map(|score| score.0)));
            let recalls = scores
                .iter()
                .map(|scores| mean(scores.iter().map(|score| score.1)));
            (mean(ranks), mean(recalls))
        };
        let (tuned, checked) = (of(Part::Tuned), of(Part::Checked));
        println!(
            "similarity {weight:<4}: tuned {:.3} {:.3}, checked {:.3} {:.3}",
            tuned.0, tuned.1, checked.0, checked.1
        );
    }
}
