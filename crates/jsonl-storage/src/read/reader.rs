//! Lines of a file, without a copy for each one.

use crate::format::compression::Source;
use std::io;
use std::ops::Range;

const BLOCK_BYTES: usize = 256 << 10;
/// No line is longer, so that a file of anything else takes no more memory than this.
pub(crate) const LINE_BYTES_MAX: usize = 256 << 20;

/// Reads a file block by block and cuts it into lines.
#[derive(Debug)]
pub(crate) struct LineReader {
    source: Source,
    buffer: Vec<u8>,
    /// What of the buffer is read and not yet given out.
    unread: Range<usize>,
    /// Where in the file `unread` begins.
    offset: u64,
    /// Where to stop, as if the file ended there.
    limit: u64,
    block_bytes: usize,
    line_bytes_max: usize,
    /// Whether what comes is the rest of a line that was too long.
    is_within_too_long: bool,
}

/// One line in the reader's buffer, until the next call.
#[derive(Debug, Clone)]
pub(crate) struct LineSpan {
    pub(crate) byte: u64,
    /// Without the line break.
    pub(crate) text: Range<usize>,
    /// Whether a line break ended it, and not the file.
    pub(crate) terminated: bool,
    /// Whether it is only the beginning of a line that is longer than any line of a log.
    pub(crate) too_long: bool,
}

impl LineReader {
    pub(crate) fn new(source: Source, offset: u64, limit: u64) -> Self {
        Self::with_block(source, offset, limit, BLOCK_BYTES)
    }

    pub(crate) fn with_block(source: Source, offset: u64, limit: u64, block_bytes: usize) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            unread: 0..0,
            offset,
            limit,
            block_bytes,
            line_bytes_max: LINE_BYTES_MAX,
            is_within_too_long: false,
        }
    }

    /// Bytes of the buffer, by a range that [`LineReader::next`] gave last.
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<LineSpan>> {
        if self.is_within_too_long && !self.skip_rest()? {
            return Ok(None);
        }
        let mut searched = 0;
        loop {
            let unsearched = self.unread.start + searched..self.unread.end;
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[unsearched]) {
                return Ok(Some(self.give(searched + at, true)));
            }
            searched = self.unread.len();
            if searched > self.line_bytes_max {
                self.is_within_too_long = true;
                let mut span = self.give(searched, false);
                span.too_long = true;
                return Ok(Some(span));
            }
            if !self.fill()? {
                return Ok((searched > 0).then(|| self.give(searched, false)));
            }
        }
    }

    /// Goes behind the end of a line that is too long; whether it has one.
    fn skip_rest(&mut self) -> io::Result<bool> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer[self.unread.clone()]) {
                self.give(end, true);
                self.is_within_too_long = false;
                return Ok(true);
            }
            self.give(self.unread.len(), false);
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    /// Gives what is left of a line whose end cannot be read, and then nothing more.
    pub(crate) fn give_up(&mut self) -> LineSpan {
        self.limit = 0;
        self.give(self.unread.len(), false)
    }

    fn give(&mut self, length: usize, terminated: bool) -> LineSpan {
        let span = LineSpan {
            byte: self.offset,
            text: self.unread.start..self.unread.start + length,
            terminated,
            too_long: false,
        };
        let taken = length + usize::from(terminated);
        self.unread.start += taken;
        self.offset += taken as u64;
        span
    }

    /// Reads on behind what is unread; whether there was anything.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        // A line longer than the buffer doubles it, so that a huge line costs no square.
        let wanted = (self.unread.end * 2).max(self.block_bytes);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        let at = self.offset + self.unread.end as u64;
        let left = usize::try_from(self.limit.saturating_sub(at)).unwrap_or(usize::MAX);
        let room = (self.buffer.len() - self.unread.end).min(left);
        if room == 0 {
            return Ok(false);
        }
        let target = &mut self.buffer[self.unread.end..self.unread.end + room];
        let read = loop {
            match self.source.read_at(target, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.unread.end += read;
        Ok(read > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::backend::fs::FsBackend;
    use crate::backend::{Backend, OpenMode};

    #[test]
    fn a_line_that_is_too_long_takes_bounded_memory_and_the_next_one_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("a\n{}\nb\n{}", "x".repeat(5_000), "y".repeat(300));
        std::fs::write(dir.path().join("file"), text).unwrap();
        let file = FsBackend::new(dir.path()).open("file", OpenMode::Read);
        let source = Source::Plain(Arc::clone(&file.unwrap()));
        let mut reader = LineReader::with_block(source, 0, u64::MAX, 100);
        reader.line_bytes_max = 200;
        let mut next = || {
            let span = reader.next().unwrap()?;
            Some((span.byte, span.text.len(), span.too_long))
        };
        assert_eq!(next(), Some((0, 1, false)));
        let (byte, length, too_long) = next().unwrap();
        assert!(byte == 2 && length < 1_000 && too_long, "{length}");
        assert_eq!(next(), Some((5_003, 1, false)));
        assert!(matches!(next(), Some((5_005, 300, true))));
        assert_eq!(next(), None);
    }
}
