//! The tier against a plain computation over the same texts.

use std::collections::BTreeMap;

use super::*;

fn namespace() -> Namespace {
    Namespace::new("n").unwrap()
}

fn memory(text: &str) -> NewMemory {
    NewMemory::new(namespace(), text, Timestamp::default())
}

fn id(id: u64) -> MemoryId {
    MemoryId::new(id).unwrap()
}

/// Numbers that look random and are always the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// Some words, of which the first are frequent.
    fn text(&mut self, most: u64) -> String {
        let words = (0..self.below(most)).map(|_| {
            let word = self.below(40).min(self.below(40)).min(self.below(400));
            format!("w{word}")
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// BM25 as it is written down, over all texts.
fn plainly(texts: &BTreeMap<u64, String>, question: &str, k: usize) -> Vec<(u64, f64)> {
    let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
    let texts: BTreeMap<u64, Vec<String>> = texts
        .iter()
        .map(|(id, text)| (*id, if text.is_empty() { vec![] } else { words(text) }))
        .collect();
    let total: usize = texts.values().map(Vec::len).sum();
    let average = (total as f64 / texts.len().max(1) as f64).max(1.0);
    let mut asked = words(question);
    asked.sort();
    asked.dedup();
    let idf = asked.into_iter().map(|word| {
        let frequency = texts.values().filter(|text| text.contains(&word)).count() as f64;
        let rest = texts.len() as f64 - frequency;
        (word, (1.0 + (rest + 0.5) / (frequency + 0.5)).ln())
    });
    let idf: Vec<(String, f64)> = idf.collect();
    let mut scores: Vec<(u64, f64)> = Vec::new();
    for (id, text) in &texts {
        let gain = |(word, idf): &(String, f64)| {
            let count = text.iter().filter(|found| *found == word).count() as f64;
            idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * text.len() as f64 / average))
        };
        let score: f64 = idf.iter().map(gain).sum();
        if score > 0.0 {
            scores.push((*id, score));
        }
    }
    scores.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scores.truncate(k);
    scores
}

fn search(tier: &TextTier, question: &str, k: usize, filter: &Filter) -> Vec<(u64, f64)> {
    let admitted = Admitted { filter, only: None };
    let found = tier.search(&namespace(), question, k, &admitted).unwrap();
    found
        .into_iter()
        .map(|(id, score)| (id.get(), score))
        .collect()
}

/// Scores are the same but for rounding, and none that is left out would be better.
fn assert_same(found: &[(u64, f64)], expected: &[(u64, f64)]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found.1 - expected.1).abs() < 1e-3,
            "{found:?} {expected:?}"
        );
    }
}

#[test]
fn a_search_finds_what_a_plain_computation_finds() {
    let tier = TextTier::default();
    let mut texts = BTreeMap::new();
    let mut numbers = Numbers(7);
    for number in 1..=9_000 {
        let text = numbers.text(30);
        tier.insert(id(number), &memory(&text));
        texts.insert(number, text);
    }
    for round in 0..8 {
        let question = match round {
            0 => "w0 w1 w2 w3".to_owned(),
            1 => "w0".to_owned(),
            2 => "w39 w0".to_owned(),
            _ => numbers.text(8),
        };
        for k in [1, 10, 200] {
            let found = search(&tier, &question, k, &Filter::new());
            assert_same(&found, &plainly(&texts, &question, k));
        }
    }
}

#[test]
fn what_was_removed_or_changed_leaves_nothing_behind_even_when_slots_are_given_anew() {
    let tier = TextTier::default();
    let mut texts: BTreeMap<u64, String> = BTreeMap::new();
    let mut numbers = Numbers(3);
    for step in 0..12_000 {
        let number = numbers.below(500) + 1;
        if let Some(text) = texts.remove(&number) {
            tier.remove(&namespace(), id(number), &text);
        }
        if numbers.below(4) > 0 {
            let text = numbers.text(20);
            tier.insert(id(number), &memory(&text).tag(format!("t{}", number % 5)));
            texts.insert(number, text);
        }
        if step % 1_000 == 999 {
            for question in ["w0 w5", "w1 w2 w3 w4", "w30 w17"] {
                let found = search(&tier, question, 50, &Filter::new());
                assert_same(&found, &plainly(&texts, question, 50));
            }
            let tagged = search(&tier, "w0 w1 w2", 999, &Filter::new().tag("t3"));
            let all = search(&tier, "w0 w1 w2", 999, &Filter::new());
            let expected: Vec<_> = all.into_iter().filter(|(id, _)| id % 5 == 3).collect();
            assert_eq!(tagged, expected);
        }
    }
    let generation = tier.corpus(&namespace()).unwrap().read().generation();
    assert!(generation >= 3, "slots were given anew {generation} times");
    let anew = TextTier::default();
    for (number, text) in &texts {
        anew.insert(id(*number), &memory(text).tag(format!("t{}", number % 5)));
        let stored = memory(text).tag(format!("t{}", number % 5));
        assert_eq!(tier.agrees(id(*number), &stored), Some(true));
    }
    assert_eq!(anew.postings(), tier.postings());
    assert_eq!(
        search(&anew, "w0 w7 w9", 99, &Filter::new()),
        search(&tier, "w0 w7 w9", 99, &Filter::new())
    );
}

#[test]
fn filters_of_every_selectivity_find_the_best_that_they_admit() {
    let tier = TextTier::default();
    let mut numbers = Numbers(11);
    for number in 1..=10_000_u64 {
        let mut new = memory(&numbers.text(20)).attribute("n", number as i64);
        if number % 1_000 == 0 {
            new = new.tag("rare");
        }
        if number % 2 == 0 {
            new = new.tag("half");
        }
        new.at = Timestamp::from_millis(number as i64);
        tier.insert(id(number), &new);
    }
    let all = search(&tier, "w0 w1 w2 w3", usize::MAX, &Filter::new());
    type Admits = fn(u64) -> bool;
    let filters: [(Filter, Admits); 5] = [
        (Filter::new().tag("rare"), |n| n % 1_000 == 0),
        (Filter::new().tag("half"), |n| n % 2 == 0),
        (Filter::new().from(Timestamp::from_millis(100)), |n| {
            n >= 100
        }),
        (Filter::new().number("n", 7_000..), |n| n >= 7_000),
        (Filter::new().tag("absent"), |_| false),
    ];
    for (filter, admits) in filters {
        let admitted: Vec<_> = all.iter().copied().filter(|(id, _)| admits(*id)).collect();
        for k in [5, 100] {
            let expected = &admitted[..k.min(admitted.len())];
            assert_eq!(search(&tier, "w0 w1 w2 w3", k, &filter), expected);
        }
        let selection = tier.admitted(
            &namespace(),
            &Admitted {
                filter: &filter,
                only: None,
            },
        );
        assert!((1..=10_000).all(|number| selection.admits(id(number)) == admits(number)));
    }
}
