//! Whether the links of lines follow one another.

use serde::de::IgnoredAny;

use crate::format::chain::Link;
use crate::format::line::{Chained, Line};
use crate::format::statement::Statement;

/// Enough for the hash to work on many blocks at once.
const HASHED_BYTES: usize = 64 << 10;

/// What the chain's lines so far say about the next one.
#[derive(Debug, Default)]
pub(crate) struct Links {
    next: Next,
    /// Whether lines may share the link of a later one.
    groups: Groups,
    /// The lines since the last one with a link.
    group: Option<Group>,
}

/// What the next line's link may be keyed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Next {
    /// Anything: the line before it is not known.
    #[default]
    Unknown,
    /// The line before it has none: this one must have none either.
    None,
    After(Link),
    /// The line before it was altered: the link that stands there, and the one that belongs there.
    AfterAltered(Link, Link),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Groups {
    /// The log's first line was not read.
    #[default]
    Perhaps,
    No,
    Yes,
}

/// Whole lines without a link, in a log that chains them in groups.
#[derive(Debug)]
struct Group {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    lines: u64,
    /// Whether a line of it was found damaged, so that its link cannot fit.
    is_damaged: bool,
}

impl Links {
    /// Before the first line of a log.
    pub(crate) fn at_start() -> Self {
        Self {
            next: Next::After(Link::root()),
            groups: Groups::No,
            group: None,
        }
    }

    /// Takes in what the log's first line states.
    pub(crate) fn begin(&mut self, statement: &[u8]) {
        if Statement::parse(statement).is_some_and(|statement| statement.in_groups) {
            self.groups = Groups::Yes;
        }
    }

    /// How many whole lines wait for a link that was not read.
    pub(crate) fn unlinked(&self) -> u64 {
        self.group.as_ref().map_or(0, |group| group.lines)
    }

    /// Whether a line without a link is no JSON, where nothing else tells a link whose frame was altered
    /// from data: in the first line of all.
    pub(crate) fn lacks_proof_of(&self, line: &Line<'_>) -> bool {
        line.chained.is_none()
            && self.next == Next::After(Link::root())
            && serde_json::from_slice::<IgnoredAny>(line.data).is_err()
    }

    /// Takes in a line that is not whole: the next one can only follow from what is left of it.
    pub(crate) fn damaged(&mut self, line: Option<Chained<'_>>) {
        if self.allows_group() {
            match line.map(|line| line.link()) {
                // Its link was over lines of which this one is damaged.
                Some(link) => {
                    self.group = None;
                    self.next = link.map_or(Next::Unknown, Next::After);
                }
                None => self.group().is_damaged = true,
            }
            return;
        }
        self.next = match (self.next, line) {
            (Next::After(before) | Next::AfterAltered(_, before), Some(line)) => {
                Next::altered(&line, before.next(line.body))
            }
            _ => Next::Unknown,
        };
    }

    /// Whether a whole line follows, and goes on behind it.
    pub(crate) fn accept(&mut self, text: &[u8], line: Option<Chained<'_>>) -> bool {
        match (line, self.group.take()) {
            (None, group) if group.is_some() || self.allows_group() => {
                self.group = group;
                self.group().push(text);
                true
            }
            // A log that begins later may be in the midst of a group, or have no chain.
            (None, _) if self.groups == Groups::Perhaps && self.next == Next::Unknown => true,
            (None, _) => self.next.accept_unlinked(),
            (Some(line), Some(group)) => {
                let stands = line.link();
                self.next = stands.map_or(Next::Unknown, Next::After);
                // What is damaged in it was named.
                group.is_damaged && stands.is_some() || stands == Some(group.link(line.body))
            }
            (Some(line), None) => self.next.accept(line),
        }
    }

    /// Takes in that lines are lost.
    pub(crate) fn lose(&mut self) {
        if let Some(group) = &mut self.group {
            group.is_damaged = true;
        }
    }

    fn allows_group(&self) -> bool {
        let is_linked = matches!(self.next, Next::After(_) | Next::AfterAltered(..));
        let is_begun = self.group.is_some() || self.next != Next::After(Link::root());
        self.groups != Groups::No && is_linked && is_begun
    }

    /// The group that the next line belongs to.
    fn group(&mut self) -> &mut Group {
        let (key, is_damaged) = match self.next {
            Next::After(link) => (link, false),
            // Which of the two it goes on from cannot be told: the damage before it was named.
            Next::AfterAltered(_, link) => (link, true),
            Next::Unknown | Next::None => (Link::root(), true),
        };
        self.group.get_or_insert_with(|| Group {
            hasher: blake3::Hasher::new_keyed(&key.0),
            buffer: Vec::new(),
            lines: 0,
            is_damaged,
        })
    }
}

impl Group {
    /// Takes in a whole line.
    fn push(&mut self, text: &[u8]) {
        self.lines += 1;
        self.buffer.extend_from_slice(text);
        self.buffer.push(b'\n');
        if self.buffer.len() >= HASHED_BYTES {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
        }
    }

    /// The link that a line with this body gives the group.
    fn link(mut self, body: &[u8]) -> Link {
        self.buffer.extend_from_slice(body);
        self.hasher.update(&self.buffer);
        Link(*self.hasher.finalize().as_bytes())
    }
}

impl Next {
    fn accept_unlinked(&mut self) -> bool {
        let fits = matches!(self, Self::Unknown | Self::None) || *self == Self::After(Link::root());
        *self = Self::None;
        fits
    }

    fn accept(&mut self, line: Chained<'_>) -> bool {
        let (before, or_before) = match *self {
            Self::After(before) => (before, None),
            Self::AfterAltered(stands, belongs) => (belongs, Some(stands)),
            Self::Unknown | Self::None => {
                let fits = *self == Self::Unknown && line.link().is_some();
                *self = line.link().map_or(Self::Unknown, Self::After);
                return fits;
            }
        };
        let belongs = before.next(line.body);
        let or_belongs = or_before.map(|before| before.next(line.body));
        let found = [Some(belongs), or_belongs];
        let found = found.into_iter().flatten().find(|link| line.is(*link));
        *self = found.map_or_else(|| Self::altered(&line, belongs), Self::After);
        found.is_some()
    }

    fn altered(line: &Chained<'_>, belongs: Link) -> Self {
        Self::AfterAltered(line.link().unwrap_or(belongs), belongs)
    }
}
