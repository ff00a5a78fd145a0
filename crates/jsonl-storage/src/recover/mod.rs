pub(crate) mod repair;
pub(crate) mod salvage;
pub(crate) mod start;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use crate::backend::{self, Backend, OpenMode};
use crate::catalog::Found;
use crate::catalog::files::{Active, Full};
use crate::error::Error;
use crate::format::batch::FactsOf;
use crate::format::chain::{Link, LinkText};
use crate::format::damage::BreakKind;
use crate::format::marks::{self, Mark, MemoryIndex};
use crate::format::segment::{self, Listing, Part, Segment, Tear};
use crate::format::seq::Seq;
use crate::format::sidecar::{Content, Sidecar};
use crate::format::statement::{self, LogId, Removal, Statement};
use crate::options::{Chain, LogOptions};
use crate::read::lines::{Check, Lines, Raw};
use crate::recover::repair::{TornTail, rewrite, set_aside};

/// How much of the end is read again at each opening, even after a clean close. Costs about as
/// much as opening the files.
const RECHECKED_BYTES: u64 = 1 << 20;

/// What opening a log found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// How many records it holds.
    pub records: u64,
    /// The number of the last one.
    pub last: Seq,
    /// What was set aside, if the last writer ended in the middle of a write.
    pub torn: Option<TornTail>,
    /// How many records were read to find out: those that no summary spoke for, and the last ones.
    pub checked: u64,
    /// Index files that were missing, half-made or of another index, and are made anew.
    pub rebuilt: Vec<PathBuf>,
    /// What an interrupted rotation or close left behind, and was removed.
    pub leftovers: Vec<PathBuf>,
    /// Which log it is; `None` when it does not state that, because it has no chain or was begun by a
    /// version that gave none.
    pub identity: Option<LogId>,
    /// What was removed from its beginning, as the log states it.
    pub removed: Option<Removal>,
}

/// Opens what is there: checks what no summary speaks for, sets a torn tail aside, and gives the
/// end to append to.
pub(crate) fn recover(
    backend: Arc<dyn Backend>,
    options: &LogOptions,
    index_name: Option<&str>,
    facts: FactsOf<'_>,
) -> Result<(Recovery, Found), Error> {
    let listing = segment::listing(&*backend)?;
    if let Some(file) = listing.compressed {
        return Err(Error::Compressed { file });
    }
    let mut opening = Opening {
        backend,
        index_name,
        facts,
        doubtful_from: None,
        removed: None,
        recovery: Recovery::default(),
    };
    opening.expect_a_segment_for_each_sidecar(&listing)?;
    opening.remove_leftovers(&listing)?;
    let (last, before) = match listing.segments.split_last() {
        Some((last, before)) => (Some(last.clone()), before),
        None => (None, &[][..]),
    };
    let mut full = Vec::with_capacity(before.len());
    for (at, segment) in before.iter().enumerate() {
        let next = &listing.segments[at + 1];
        full.push(Arc::new(opening.full(segment, next)?));
    }
    let active = match last {
        Some(last) => opening.last(last, full.last().map(Arc::as_ref))?,
        None => opening.create()?,
    };
    opening.finish(full, active, options)
}

struct Opening<'a> {
    backend: Arc<dyn Backend>,
    index_name: Option<&'a str>,
    facts: FactsOf<'a>,
    /// Where the records of the last segment begin of which it is not known that they are on disk.
    doubtful_from: Option<u64>,
    /// The newest statement of what was removed from the beginning.
    removed: Option<Statement>,
    recovery: Recovery,
}

impl Opening<'_> {
    /// A sidecar is written after its segment is durable: one alone means that the segment is lost.
    fn expect_a_segment_for_each_sidecar(&self, listing: &Listing) -> Result<(), Error> {
        for &first in &listing.sidecars {
            let segment = Segment::new(self.backend.dir(), first);
            if !listing.has_segment(first) && Sidecar::open(&*self.backend, &segment).is_some() {
                return Err(missing(&segment, 0, 0, first));
            }
        }
        Ok(())
    }

    fn remove_leftovers(&mut self, listing: &Listing) -> Result<(), Error> {
        for name in &listing.unfinished {
            let path = self.backend.dir().join(name);
            self.backend
                .remove(name)
                .map_err(Error::io("remove", &path))?;
            self.recovery.leftovers.push(path);
        }
        Ok(())
    }

    /// A segment that is not the last one: complete and on disk before the next one was made, so
    /// whatever is wrong with it is corruption.
    fn full(&mut self, segment: &Segment, next: &Segment) -> Result<Full, Error> {
        let sidecar = match self.whole_sidecar(segment) {
            Some(sidecar) => sidecar,
            None => self.rebuild(segment)?,
        };
        let expected = sidecar.summary.last.next();
        if expected != next.first {
            let kind = BreakKind::OutOfOrder {
                expected,
                found: next.first,
            };
            return Err(Error::Corrupt {
                file: next.path.clone(),
                line: 1,
                byte: 0,
                kind,
            });
        }
        Ok(Full::new(segment.clone(), sidecar))
    }

    /// The sidecar of a complete segment, if it agrees with the segment and with this index.
    fn whole_sidecar(&self, segment: &Segment) -> Option<Sidecar> {
        let sidecar = self.usable_sidecar(segment)?;
        let file = self.backend.open(&segment.name, OpenMode::Read).ok()?;
        let same = file.size().ok()? == sidecar.summary.bytes;
        (same && sidecar.places().is_some()).then_some(sidecar)
    }

    fn usable_sidecar(&self, segment: &Segment) -> Option<Sidecar> {
        let sidecar = Sidecar::open(&*self.backend, segment)?;
        let fits = match self.index_name {
            None => true,
            name => sidecar.summary.index.as_deref() == name,
        };
        fits.then_some(sidecar)
    }

    fn rebuild(&mut self, segment: &Segment) -> Result<Sidecar, Error> {
        let whole = Part::whole(segment.clone());
        let read = self.read(whole, Known::nothing(segment))?;
        let known = Sidecar::open(&*self.backend, segment).map(|sidecar| sidecar.summary.last);
        match read.tear {
            Some((tear, kind)) => return Err(tear.corrupt(kind)),
            None if known.is_some_and(|known| read.last < known) => {
                return Err(missing(segment, read.lines, read.end, read.last.next()));
            }
            None => {}
        }
        let path = self.backend.dir().join(segment.sidecar_name());
        self.recovery.rebuilt.push(path);
        let content = Content {
            first: segment.first,
            last: read.last,
            bytes: read.end,
            chain: read.link(),
            index: &read.index,
            index_name: self.index_name,
            older_keys: Vec::new(),
            removed: read.removed,
        };
        content.write(&*self.backend, segment, false)
    }

    /// The segment that is appended to: read from where its sidecar ends, and a bit before.
    fn last(&mut self, segment: Segment, before: Option<&Full>) -> Result<Active, Error> {
        let link_before = before.and_then(|full| full.sidecar.summary.link());
        let mut known = self.known(&segment);
        // All that the segment has may be a group without its end.
        known.is_chained |= link_before.is_some();
        // What was on disk by the last close, and all that stands in segments before this one.
        let mut synced = Seq(segment.first.0 - 1);
        if let Some(sidecar) = Sidecar::open(&*self.backend, &segment) {
            synced = synced.max(sidecar.summary.last);
        }
        let part = Part {
            start: known.read_from,
            ..Part::whole(segment.clone())
        };
        let checked = self.recovery.checked;
        let mut read = self.read(part.clone(), known)?;
        let mut synced = synced.max(read.synced);
        if let Some(tear) = read.unlinked.take() {
            // The write of a group was torn: its whole lines are as little acknowledged as the rest.
            self.recovery.checked = checked;
            let limit = tear.byte;
            read = self.read(Part { limit, ..part }, self.known(&segment))?;
            synced = synced.max(read.synced);
            read.tear = Some((tear, BreakKind::Unlinked));
        }
        let mut end = read.end;
        let link = read.link();
        match read.tear {
            // Something was damaged after it had been synced: that is no torn tail.
            Some((tear, kind)) if read.last < synced => return Err(tear.corrupt(kind)),
            Some((tear, _)) => {
                end = tear.byte;
                self.recovery.torn = Some(set_aside(&*self.backend, &tear)?);
            }
            None if read.last < synced => {
                return Err(missing(&segment, read.lines, read.end, read.last.next()));
            }
            None => {}
        }
        let file = self
            .backend
            .open(&segment.name, OpenMode::Write)
            .map_err(Error::io("open", &segment.path))?;
        // An identity is no record, and may not be on disk if no record is known to be.
        let is_doubtful = |seq: Seq| seq > synced || synced == Seq::ZERO;
        let doubtful = read.marked.iter().find(|(seq, _)| is_doubtful(*seq));
        self.doubtful_from = doubtful.map(|(_, byte)| *byte);
        self.removed = read.removed;
        let link = if end == 0 { link_before } else { link };
        Ok(Active {
            file,
            noted: read
                .older
                .as_ref()
                .map_or(0, |older| older.sidecar.summary.bytes),
            index: read.index,
            older: read.older,
            end,
            last: read.last,
            link,
            segment,
        })
    }

    fn known(&self, segment: &Segment) -> Known {
        let known = || {
            let sidecar = self.usable_sidecar(segment)?;
            let places = sidecar.places()?;
            // The next index file of this segment takes all its keys from this one.
            sidecar.keys()?;
            let from = sidecar.summary.bytes.saturating_sub(RECHECKED_BYTES);
            let at = marks::last_mark(&places.marks, |mark| mark.offset <= from);
            Some(Known {
                read_from: at.map_or(Mark::start(segment.first), |at| places.marks[at]),
                bytes: sidecar.summary.bytes,
                is_chained: sidecar.summary.chain.is_some(),
                index: MemoryIndex {
                    marks: places.marks,
                    times: sidecar.summary.times,
                    ..MemoryIndex::default()
                },
                older: Some(Arc::new(Full::new(segment.clone(), sidecar))),
            })
        };
        known().unwrap_or_else(|| Known::nothing(segment))
    }

    fn read(&mut self, part: Part, known: Known) -> Result<Read, Error> {
        let file = part.open(&*self.backend)?;
        let size = file
            .size()
            .map_err(Error::io("examine", &part.segment.path))?;
        let mut read = Read {
            index: known.index,
            older: known.older,
            last: Seq(part.start.seq.0.saturating_sub(1)),
            link_text: None,
            synced: Seq::ZERO,
            marked: VecDeque::new(),
            end: size,
            lines: part.start.seq.0.saturating_sub(part.segment.first.0),
            tear: None,
            removed: None,
            is_chained: known.is_chained,
            unlinked: None,
        };
        let mut lines = Lines::new(Arc::clone(&self.backend), vec![part], Check::Sequence);
        while let Some(raw) = lines.advance()? {
            read.lines += 1;
            match raw {
                // Whole records count even behind a break: their marks tell how far the disk had
                // got.
                Raw::Whole { seq, synced } => {
                    read.whole(seq, synced, &lines);
                    if read.tear.is_none() {
                        self.recovery.checked += 1;
                        if lines.byte >= known.bytes {
                            let facts = (self.facts)(lines.data());
                            read.index.note(seq, lines.byte, facts);
                        }
                    }
                }
                Raw::Own { seq, synced } => {
                    read.whole(seq, synced, &lines);
                    if read.tear.is_none() {
                        self.recovery.checked += 1;
                        if lines.byte >= known.bytes {
                            read.index.note_own(seq, lines.byte);
                        }
                        read.take_statement(&lines);
                    }
                }
                Raw::Broken { kind } => {
                    read.tear.get_or_insert_with(|| (lines.tear(), kind));
                }
            }
        }
        Ok(read)
    }

    fn create(&mut self) -> Result<Active, Error> {
        let segment = Segment::new(self.backend.dir(), Seq(1));
        let file = self
            .backend
            .open(&segment.name, OpenMode::CreateNew)
            .map_err(Error::io("create", &segment.path))?;
        Ok(Active {
            segment,
            file,
            index: MemoryIndex::default(),
            older: None,
            end: 0,
            noted: 0,
            last: Seq::ZERO,
            link: None,
        })
    }

    fn finish(
        mut self,
        full: Vec<Arc<Full>>,
        mut active: Active,
        options: &LogOptions,
    ) -> Result<(Recovery, Found), Error> {
        // Records that a killed process wrote but did not sync are about to be taken for part of
        // the log: they must be on disk before anything is built on them. A sync alone would not
        // do: after one that failed, the kernel shows what it could not write and takes it for
        // written. Written once more, it has to be.
        if let Some(from) = self.doubtful_from {
            rewrite(&*active.file, from, active.end)
                .map_err(Error::io("write", &active.segment.path))?;
        }
        self.begin_chain(&mut active, options)?;
        active
            .file
            .sync_data()
            .map_err(Error::io("sync", &active.segment.path))?;
        segment::sync_dir(&*self.backend)?;
        let first = full.first().map_or(&active.segment, |full| &full.segment);
        if self.removed.is_none() {
            // Newest first: what the index files know of the records that were not read.
            let mut known = full.iter().chain(&active.older).rev();
            self.removed = known.find_map(|full| full.sidecar.summary.removed.clone());
        }
        let stated = if first.first == Seq(1) {
            start::identity(&self.backend, first)?
        } else {
            if !options.accepts_start {
                start::check(&self.backend, first, self.removed.as_ref())?;
            }
            self.removed.clone()
        };
        let identity = stated.as_ref().and_then(|stated| stated.identity);
        self.recovery.last = active.last;
        self.recovery.records = active.last.next().0 - first.first.0;
        self.recovery.identity = identity;
        self.recovery.removed = self
            .removed
            .as_ref()
            .and_then(|stated| stated.removed.clone());
        let found = Found {
            full,
            active,
            identity,
            in_groups: stated.is_some_and(|stated| stated.in_groups),
            removed: self.removed,
        };
        Ok((self.recovery, found))
    }

    /// Begins the chain of a log without records, by its identity.
    fn begin_chain(&self, active: &mut Active, options: &LogOptions) -> Result<(), Error> {
        if options.chain == Chain::None || active.link.is_some() {
            return Ok(());
        }
        if active.last > Seq::ZERO {
            return match options.chain {
                Chain::Always => Err(Error::NotChained {
                    dir: self.backend.dir().to_owned(),
                }),
                _ => Ok(()),
            };
        }
        let path = &active.segment.path;
        let identity = self.backend.identity();
        let Some(identity) = identity.map_err(Error::io("take an identity for", path))? else {
            active.link = Some(Link::root());
            return Ok(());
        };
        let identity = LogId(identity);
        let (line, link) = statement::first_line(identity, options.in_groups);
        if let Err(error) = backend::write_all_at(&*active.file, &line, 0) {
            // Half of it would be set aside by the next opening, which takes room as well.
            let _ = active.file.set_len(0);
            return Err(if backend::is_full(&error) {
                Error::full(path)(error)
            } else {
                Error::io("write", path)(error)
            });
        }
        (active.end, active.link) = (line.len() as u64, Some(link));
        Ok(())
    }
}

/// What a sidecar says about the last segment.
struct Known {
    /// Where to begin to read, so that the end of what is known is checked too.
    read_from: Mark,
    /// Up to where it speaks.
    bytes: u64,
    index: MemoryIndex,
    older: Option<Arc<Full>>,
    is_chained: bool,
}

impl Known {
    fn nothing(segment: &Segment) -> Self {
        Self {
            read_from: Mark::start(segment.first),
            bytes: 0,
            index: MemoryIndex::default(),
            older: None,
            is_chained: false,
        }
    }
}

/// What was read from a segment.
struct Read {
    index: MemoryIndex,
    older: Option<Arc<Full>>,
    /// The last whole record before the first break.
    last: Seq,
    link_text: Option<LinkText>,
    /// What the records say was on disk.
    synced: Seq,
    /// The whole records behind that one, and where they begin: about one group.
    marked: VecDeque<(Seq, u64)>,
    end: u64,
    lines: u64,
    tear: Option<(Tear, BreakKind)>,
    /// The newest statement of what was removed from the log's beginning.
    removed: Option<Statement>,
    is_chained: bool,
    /// Where the whole lines at the end begin of which none has a link, in a log with a chain.
    unlinked: Option<Tear>,
}

impl Read {
    fn take_statement(&mut self, lines: &Lines) {
        let statement = lines.statement();
        if let Some(statement) = statement.filter(|statement| statement.removed.is_some()) {
            self.removed = Some(statement);
        }
    }

    /// Takes in a whole line.
    fn whole(&mut self, seq: Seq, synced: Seq, lines: &Lines) {
        self.synced = self.synced.max(synced);
        let on_disk = self.synced;
        while self
            .marked
            .pop_front_if(|(seq, _)| *seq <= on_disk && *seq > Seq::ZERO)
            .is_some()
        {}
        if self.tear.is_none() {
            (self.last, self.link_text) = (seq, lines.link());
            if self.link_text.is_some() {
                (self.is_chained, self.unlinked) = (true, None);
            } else if self.is_chained && self.unlinked.is_none() {
                self.unlinked = Some(lines.tear());
            }
            self.marked.push_back((seq, lines.byte));
        }
    }

    fn link(&self) -> Option<Link> {
        Link::from_text(&self.link_text?)
    }
}

fn missing(segment: &Segment, lines: u64, byte: u64, expected: Seq) -> Error {
    Error::Corrupt {
        file: segment.path.clone(),
        line: lines + 1,
        byte,
        kind: BreakKind::Missing { expected },
    }
}
