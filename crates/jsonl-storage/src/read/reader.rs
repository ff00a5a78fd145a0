//! Lines of a file, without a copy for each one.

use crate::format::compression::Source;
use std::io;
use std::ops::Range;

const BLOCK_BYTES: usize = 256 << 10;

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
}

/// One line in the reader's buffer, until the next call.
#[derive(Debug, Clone)]
pub(crate) struct LineSpan {
    pub(crate) byte: u64,
    /// Without the line break.
    pub(crate) text: Range<usize>,
    /// Whether a line break ended it, and not the file.
    pub(crate) terminated: bool,
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
        }
    }

    /// Bytes of the buffer, by a range that [`LineReader::next`] gave last.
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<LineSpan>> {
        let mut searched = 0;
        loop {
            let unsearched = self.unread.start + searched..self.unread.end;
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[unsearched]) {
                return Ok(Some(self.give(searched + at, true)));
            }
            searched = self.unread.len();
            if !self.fill()? {
                return Ok((searched > 0).then(|| self.give(searched, false)));
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
