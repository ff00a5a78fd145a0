//! Reading lines over segments, each one checked.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::backend::Backend;
use crate::error::Error;
use crate::format::chain::LinkText;
use crate::format::compression::{self, Source};
use crate::format::damage::BreakKind;
use crate::format::line::{self, Chained};
use crate::format::marks::Mark;
use crate::format::segment::{Part, Segment, Tear};
use crate::format::seq::Seq;
use crate::format::statement::Statement;
use crate::read::links::Links;
use crate::read::reader::LineReader;

/// What a line turned out to be.
#[derive(Debug)]
pub(crate) enum Raw {
    Whole {
        seq: Seq,
        synced: Seq,
    },
    /// What the log states about itself, in a line that is whole; its number is 0 in the first line of
    /// a log, which states its identity and is no record.
    Own {
        seq: Seq,
        synced: Seq,
    },
    Broken {
        kind: BreakKind,
    },
}

/// How much of a line is checked besides its checksum and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Nothing. Parts need not follow one another.
    Lines,
    /// That each segment goes on where the last one ended.
    Sequence,
    /// That, and the hash chain.
    Chain,
}

/// Reads lines over parts of segments, checks each one and that the numbers follow one another.
///
/// After a break it goes on at the next line, so that a verification can list every break.
#[derive(Debug)]
pub(crate) struct Lines {
    backend: Arc<dyn Backend>,
    parts: std::vec::IntoIter<Part>,
    check: Check,
    open: Option<Open>,
    text: Range<usize>,
    data: Range<usize>,
    /// The number of the last line, if it was a whole record.
    seq: Option<Seq>,
    /// The link of the last line, if it has one.
    link: Option<LinkText>,
    links: Links,
    /// The sequence number that the next line should have.
    pub(crate) expected: Seq,
    /// How many lines since the last one that had a number could have been records.
    unnumbered: u64,
    /// Where the last line stands: its number in the file from 1, and its first byte.
    pub(crate) line: u64,
    pub(crate) byte: u64,
}

#[derive(Debug)]
struct Open {
    segment: Segment,
    reader: LineReader,
}

impl Lines {
    pub(crate) fn new(backend: Arc<dyn Backend>, parts: Vec<Part>, check: Check) -> Self {
        let start = parts.first().map_or(Mark::start(Seq(1)), |part| part.start);
        Self {
            backend,
            parts: parts.into_iter(),
            check,
            open: None,
            text: 0..0,
            data: 0..0,
            seq: None,
            link: None,
            links: Links::default(),
            expected: start.seq,
            unnumbered: 0,
            line: 0,
            byte: 0,
        }
    }

    /// Reads the next line; `None` after the last one.
    pub(crate) fn advance(&mut self) -> Result<Option<Raw>, Error> {
        loop {
            if self.open.is_none() && !self.open_next()? {
                return Ok(None);
            }
            if let Some(raw) = self.read_line()? {
                return Ok(Some(raw));
            }
            self.open = None;
        }
    }

    /// The data of the last whole line.
    pub(crate) fn data(&self) -> &[u8] {
        match &self.open {
            Some(open) => open.reader.bytes(self.data.clone()),
            None => &[],
        }
    }

    /// The last line, whole or not, without its line break.
    pub(crate) fn text(&self) -> &[u8] {
        match &self.open {
            Some(open) => open.reader.bytes(self.text.clone()),
            None => &[],
        }
    }

    /// What the log states about itself in the last line, which was [`Raw::Own`].
    pub(crate) fn statement(&self) -> Option<Statement> {
        Statement::parse(self.data())
    }

    /// How many lines since the last one that had a number could have been records.
    pub(crate) fn unnumbered(&self) -> u64 {
        self.unnumbered
    }

    /// How many of the last lines are whole and of no group whose link was read.
    pub(crate) fn unlinked(&self) -> u64 {
        self.links.unlinked()
    }

    /// The bytes of the last line that its link is the hash of, if it has one.
    pub(crate) fn chained(&self) -> Option<Chained<'_>> {
        line::link_despite_damage(self.text())
    }

    /// The number of the last line, when it is a whole record that stands where it does not belong.
    pub(crate) fn seq_of_broken(&self) -> Option<Seq> {
        self.seq
    }

    /// The link of the last line, as it stands there.
    pub(crate) fn link(&self) -> Option<LinkText> {
        self.link
    }

    /// The segment that the last line stands in.
    pub(crate) fn path(&self) -> PathBuf {
        self.open
            .as_ref()
            .map_or_else(PathBuf::new, |open| open.segment.path.clone())
    }

    /// The place of the last line, as that of a tear.
    ///
    /// # Panics
    ///
    /// When no line was read.
    pub(crate) fn tear(&self) -> Tear {
        let open = self.open.as_ref().expect("a line was read");
        Tear {
            segment: open.segment.clone(),
            line: self.line,
            byte: self.byte,
        }
    }

    pub(crate) fn corrupt(&self, kind: BreakKind) -> Error {
        Error::Corrupt {
            file: self.path(),
            line: self.line,
            byte: self.byte,
            kind,
        }
    }

    fn open_next(&mut self) -> Result<bool, Error> {
        let Some(part) = self.parts.next() else {
            return Ok(false);
        };
        let file = part.open(&*self.backend)?;
        let lines_before = part.lines_before(&*file);
        let source = Source::new(file, &part.segment)?;
        let start = part.start;
        let skips = self.check == Check::Lines;
        if skips {
            self.expected = start.seq;
            self.unnumbered = 0;
        }
        if start.seq == Seq(1) && start.offset == 0 {
            self.links = Links::at_start();
        }
        self.line = lines_before;
        self.open = Some(Open {
            reader: LineReader::new(source, start.offset, part.limit),
            segment: part.segment,
        });
        Ok(true)
    }

    fn read_line(&mut self) -> Result<Option<Raw>, Error> {
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        let span = match open.reader.next() {
            Ok(Some(span)) => span,
            Ok(None) => return Ok(None),
            Err(error) if open.segment.compressed && compression::is_damage(&error) => {
                return Ok(Some(self.give_up_segment()));
            }
            Err(error) => return Err(Error::io("read", &open.segment.path)(error)),
        };
        (self.line, self.byte) = (self.line + 1, span.byte);
        self.text = span.text.clone();
        self.seq = None;
        let text = open.reader.bytes(span.text.clone());
        let parsed = match line::decode(text) {
            _ if span.too_long => Err(BreakKind::TooLong),
            _ if !span.terminated => Err(BreakKind::Unterminated),
            Ok(line) if self.check == Check::Chain && self.links.lacks_proof_of(&line) => {
                Err(BreakKind::NotARecord)
            }
            parsed => parsed,
        };
        let line = match parsed {
            Ok(line) => line,
            Err(kind) => {
                self.unnumbered += 1;
                if self.check == Check::Chain {
                    self.links.damaged(line::link_despite_damage(text));
                }
                return Ok(Some(Raw::Broken { kind }));
            }
        };
        let start = span.text.start + (line.data.as_ptr() as usize - text.as_ptr() as usize);
        self.data = start..start + line.data.len();
        self.link = line.chained.map(|chained| chained.text());
        let (seq, synced, is_own) = (line.seq, line.synced, line.is_own);
        let is_identity = is_own && seq == Seq::ZERO && self.byte == 0;
        self.seq = Some(seq);
        if is_identity {
            self.links.begin(line.data);
        }
        let linked = self.check != Check::Chain || self.links.accept(text, line.chained);
        // A broken line may have been the record that belongs there, or may have been put there.
        let first = self.expected;
        let fits = (first.0..=first.0.saturating_add(self.unnumbered)).contains(&seq.0)
            || is_identity && first == Seq(1);
        self.expected = seq.next();
        self.unnumbered = 0;
        Ok(Some(if !fits {
            let (expected, found) = (first, seq);
            Raw::Broken {
                kind: BreakKind::OutOfOrder { expected, found },
            }
        } else if linked && is_own {
            Raw::Own { seq, synced }
        } else if linked {
            Raw::Whole { seq, synced }
        } else {
            Raw::Broken {
                kind: BreakKind::Chain,
            }
        }))
    }

    /// Ends a segment where its compressed form is damaged. How many records are lost shows in the
    /// number of the next one.
    fn give_up_segment(&mut self) -> Raw {
        if let Some(open) = &mut self.open {
            let span = open.reader.give_up();
            (self.line, self.byte, self.text) = (self.line + 1, span.byte, span.text);
        }
        (self.seq, self.link) = (None, None);
        self.links.lose();
        Raw::Broken {
            kind: BreakKind::Compression,
        }
    }
}
