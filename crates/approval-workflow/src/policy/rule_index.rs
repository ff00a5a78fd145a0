//! Finds the rule that decides about a path: among those under its own beginnings, not among all.

use action::{ActionPath, PathPattern};

/// The rules of a policy under the longest run of segments without a wildcard that their pattern
/// begins with, best first. A path meets only those under one of its own beginnings, and these are
/// found in one pass over it: each beginning has a hash that goes on from the one before.
#[derive(Debug, Clone)]
pub(crate) struct RuleIndex {
    starts: Starts,
    /// Those whose pattern begins with a wildcard.
    anywhere: Vec<Ranked>,
}

#[derive(Debug, Clone)]
enum Starts {
    /// So few that comparing each with the path is cheaper than hashing it.
    Few(Box<[Start]>),
    /// Open addressing; a power of two, at least twice as many as there are beginnings.
    Many(Box<[Option<Start>]>),
}

/// Where the two ways cost about the same, with paths of twenty bytes.
const FEW: usize = 6;

#[derive(Debug, Clone)]
struct Start {
    hash: u64,
    text: Box<str>,
    rules: Vec<Ranked>,
}

/// A rule and its place in the order of decision: 0 decides before 1.
#[derive(Debug, Clone)]
struct Ranked {
    rank: usize,
    index: usize, // into the policy's rules
    matcher: Matcher,
}

/// A pattern made ready, given that the path begins with the pattern's start.
#[derive(Debug, Clone)]
enum Matcher {
    /// No wildcard: the path is the start and nothing more.
    Exact { length: usize },
    /// `**` and nothing behind: all that begins like this.
    Everything,
    /// One `*`: what is before it, what is behind it, and no `/` between.
    OneStar { before: Box<str>, behind: Box<str> },
    /// Anything else, by the pattern itself.
    Pattern(PathPattern),
}

impl RuleIndex {
    /// Takes the patterns in the order of decision, each with its index into the policy's rules.
    pub(crate) fn new<'a>(patterns: impl Iterator<Item = (usize, &'a PathPattern)>) -> Self {
        let mut starts: Vec<Start> = Vec::new();
        let mut anywhere = Vec::new();
        for (rank, (index, pattern)) in patterns.enumerate() {
            let start = literal_start(pattern);
            let ranked = Ranked {
                rank,
                index,
                matcher: Matcher::new(pattern, start),
            };
            if start.is_empty() {
                anywhere.push(ranked);
                continue;
            }
            match starts.iter_mut().find(|known| *known.text == *start) {
                Some(known) => known.rules.push(ranked),
                None => starts.push(Start {
                    hash: start.bytes().fold(SEED, step),
                    text: start.into(),
                    rules: vec![ranked],
                }),
            }
        }
        Self {
            starts: match starts.len() <= FEW {
                true => Starts::Few(starts.into()),
                false => Starts::Many(table(starts)),
            },
            anywhere,
        }
    }

    /// The rule that decides, by its index into the policy's rules.
    pub(crate) fn find(&self, path: &ActionPath) -> Option<usize> {
        let text = path.as_str();
        let best = best_of(&self.anywhere, path, None);
        let best = match &self.starts {
            Starts::Few(starts) => {
                let met = starts.iter().filter(|start| start.begins(text));
                met.fold(best, |best, start| best_of(&start.rules, path, best))
            }
            Starts::Many(table) => best_in(table, path, best),
        };
        best.map(|best| best.index)
    }
}

impl Start {
    /// Whether a path is this, or goes on with a segment behind it.
    fn begins(&self, path: &str) -> bool {
        let rest = path.strip_prefix(&*self.text);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The best rule under one of the path's own beginnings.
fn best_in<'a>(
    table: &'a [Option<Start>],
    path: &ActionPath,
    mut best: Option<&'a Ranked>,
) -> Option<&'a Ranked> {
    let text = path.as_str();
    let mut hash = SEED;
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'/' {
            best = best_of(under(table, hash, &text[..at]), path, best);
        }
        hash = step(hash, byte);
    }
    best_of(under(table, hash, text), path, best)
}

/// The rules whose pattern begins with this.
fn under<'a>(table: &'a [Option<Start>], hash: u64, start: &str) -> &'a [Ranked] {
    let mask = table.len() - 1;
    let mut at = place(hash) & mask;
    while let Some(known) = &table[at] {
        if known.hash == hash && *known.text == *start {
            return &known.rules;
        }
        at = (at + 1) & mask;
    }
    &[]
}

/// The better of the best so far and the first of some rules that covers a path.
fn best_of<'a>(
    rules: &'a [Ranked],
    path: &ActionPath,
    best: Option<&'a Ranked>,
) -> Option<&'a Ranked> {
    let worse = |rule: &&Ranked| best.is_none_or(|best| rule.rank < best.rank);
    let mut better = rules.iter().take_while(worse);
    better.find(|rule| rule.matcher.covers(path)).or(best)
}

impl Matcher {
    fn new(pattern: &PathPattern, start: &str) -> Self {
        let text = pattern.as_str();
        let rest = &text[start.len()..];
        match text.split_once('*') {
            None => Self::Exact { length: text.len() },
            Some(_) if rest == "/**" || text == "**" => Self::Everything,
            Some((before, behind)) if !behind.contains('*') => Self::OneStar {
                before: before.into(),
                behind: behind.into(),
            },
            Some(_) => Self::Pattern(pattern.clone()),
        }
    }

    fn covers(&self, path: &ActionPath) -> bool {
        match self {
            Self::Exact { length } => path.as_str().len() == *length,
            Self::Everything => true,
            Self::OneStar { before, behind } => {
                let rest = path.as_str().strip_prefix(&**before);
                let between = rest.and_then(|rest| rest.strip_suffix(&**behind));
                between.is_some_and(|between| !between.contains('/'))
            }
            Self::Pattern(pattern) => pattern.matches(path),
        }
    }
}

/// The segments before the first one with a wildcard.
fn literal_start(pattern: &PathPattern) -> &str {
    let text = pattern.as_str();
    match text.find('*') {
        None => text,
        Some(star) => text[..star].rfind('/').map_or("", |end| &text[..end]),
    }
}

/// FNV-1a. Which texts are in the table is up to the policy alone, so no request can make it slow.
const SEED: u64 = 0xcbf2_9ce4_8422_2325;

fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
}

/// The upper bits are the better mixed ones.
fn place(hash: u64) -> usize {
    (hash ^ (hash >> 32)) as usize
}

fn table(starts: Vec<Start>) -> Box<[Option<Start>]> {
    let size = (starts.len() * 2).max(2).next_power_of_two();
    let mut table: Box<[Option<Start>]> = (0..size).map(|_| None).collect();
    for start in starts {
        let mut at = place(start.hash) & (size - 1);
        while table[at].is_some() {
            at = (at + 1) & (size - 1);
        }
        table[at] = Some(start);
    }
    table
}
