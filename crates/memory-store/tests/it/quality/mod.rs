//! How well recall finds, on a small set of texts and questions labelled by hand: recall@5,
//! recall@10 and the mean reciprocal rank of each signal and of their fusion.
//!
//! ```text
//! cargo test -p proofload-memory-store --test it quality -- --nocapture
//! ```

use std::collections::HashMap;
use std::fmt;
use std::io::Write;

use memory_store::{MemoryId, MemoryStore, Query};

use super::{memory, namespace, near_to, open_temporary, vector_of};

const LABELLED: &str = include_str!("labelled.txt");

/// A question and the memories that answer it.
struct Question {
    text: &'static str,
    answers: Vec<MemoryId>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Quality {
    recall_at_5: f64,
    recall_at_10: f64,
    reciprocal_rank: f64,
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "recall@5 {:.3}  recall@10 {:.3}  MRR {:.3}",
            self.recall_at_5, self.recall_at_10, self.reciprocal_rank
        )
    }
}

/// Remembers every text with the default embedding.
fn remember_all(store: &MemoryStore) -> Vec<Question> {
    let mut answers: HashMap<&str, Vec<MemoryId>> = HashMap::new();
    let mut questions = Vec::new();
    let mut fact = "";
    for line in LABELLED.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("= ") {
            fact = name;
        } else if let Some(question) = line.strip_prefix("? ") {
            questions.push((fact, question));
        } else if !line.is_empty() {
            let new = memory(line).vector(vector_of(line));
            let id = store.remember(new).unwrap();
            answers.entry(fact).or_default().push(id);
        }
    }
    let question = |(fact, text)| Question {
        text,
        answers: answers[fact].clone(),
    };
    questions.into_iter().map(question).collect()
}

fn measure(store: &MemoryStore, questions: &[Question], query: impl Fn(&str) -> Query) -> Quality {
    let mut sum = [0.0; 3];
    for Question { text, answers } in questions {
        let found = store.recall(&namespace(), &query(text)).unwrap();
        let is_answer: Vec<bool> = found
            .iter()
            .map(|found| answers.contains(&found.memory.id))
            .collect();
        let hits = |k: usize| is_answer.iter().take(k).filter(|answer| **answer).count();
        sum[0] += hits(5) as f64 / answers.len() as f64;
        sum[1] += hits(10) as f64 / answers.len() as f64;
        let first = is_answer.iter().position(|answer| *answer);
        sum[2] += first.map_or(0.0, |place| 1.0 / (place + 1) as f64);
    }
    let [recall_at_5, recall_at_10, reciprocal_rank] = sum.map(|sum| sum / questions.len() as f64);
    Quality {
        recall_at_5,
        recall_at_10,
        reciprocal_rank,
    }
}

#[test]
fn the_fusion_finds_at_least_as_well_as_the_best_signal() {
    let (_directory, store) = open_temporary();
    let questions = remember_all(&store);
    assert!(questions.len() >= 100);
    let text = measure(&store, &questions, |words| Query::new().text(words));
    let similarity = measure(&store, &questions, |words| near_to(&vector_of(words), 10));
    let fusion = measure(&store, &questions, |words| {
        Query::new().text(words).vector(vector_of(words))
    });
    let mut out = std::io::stdout();
    writeln!(
        out,
        "text        {text}\nsimilarity  {similarity}\nfusion      {fusion}"
    )
    .unwrap();
    let measures: [fn(&Quality) -> f64; 3] = [
        |quality| quality.recall_at_5,
        |quality| quality.recall_at_10,
        |quality| quality.reciprocal_rank,
    ];
    for measure in measures {
        let best = measure(&text).max(measure(&similarity));
        assert!(
            measure(&fusion) >= best,
            "{fusion}, the best signal has {best:.3}"
        );
    }
}
