//! Segments that are compressed: written once, to an archive, and read from front to back.
//!
//! Without the cargo feature `zstd` there are none to write, and one that is met is an error.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::backend::{Appender, BackendFile, Contents};
use crate::error::Error;
use crate::format::segment::Segment;
use crate::format::seq::Seq;

/// How much is copied at a time.
const COPY_BYTES: usize = 256 << 10;

/// In what form a segment is archived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it is.
    #[default]
    Plain,
    /// As one zstd frame.
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Form {
    pub(crate) fn segment(self, dir: &Path, first: Seq) -> Segment {
        match self {
            Self::Plain => Segment::new(dir, first),
            #[cfg(feature = "zstd")]
            Self::Zstd => Segment::compressed(dir, first),
        }
    }

    /// Writes contents, which have so many bytes, in this form. They are not synced.
    pub(crate) fn write(
        self,
        contents: &mut Contents<'_>,
        bytes: u64,
        target: Appender<'_>,
    ) -> io::Result<()> {
        match self {
            Self::Plain => copy(contents, bytes, target).map(|_| ()),
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd_frame::compress(contents, bytes, target),
        }
    }
}

/// What the lines of a segment are read from.
#[derive(Debug)]
pub(crate) enum Source {
    Plain(Arc<dyn BackendFile>),
    #[cfg(feature = "zstd")]
    Zstd(zstd_frame::Decompressor),
}

impl Source {
    pub(crate) fn new(file: Arc<dyn BackendFile>, segment: &Segment) -> Result<Self, Error> {
        if !segment.compressed {
            return Ok(Self::Plain(file));
        }
        #[cfg(feature = "zstd")]
        return zstd_frame::Decompressor::new(file)
            .map(Self::Zstd)
            .map_err(Error::io("decompress", &segment.path));
        #[cfg(not(feature = "zstd"))]
        return Err(Error::ZstdMissing {
            file: segment.path.clone(),
        });
    }

    /// Reads some bytes from `offset` of the text on; 0 at its end. What is compressed goes on where
    /// the last call ended.
    pub(crate) fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read_at(buffer, offset),
            #[cfg(feature = "zstd")]
            Self::Zstd(decompressor) => decompressor.read_at(buffer, offset),
        }
    }
}

/// Whether a failed read means that the compressed file is not what was written.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

/// Copies exactly so many bytes.
fn copy(from: &mut Contents<'_>, bytes: u64, mut to: impl io::Write) -> io::Result<()> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut left = bytes;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(COPY_BYTES);
        io::Read::read_exact(from, &mut buffer[..wanted])?;
        to.write_all(&buffer[..wanted])?;
        left -= wanted as u64;
    }
    Ok(())
}

#[cfg(feature = "zstd")]
mod zstd_frame {
    use std::fmt;
    use std::io;
    use std::sync::Arc;

    use zstd::stream::raw::{Decoder, InBuffer, Operation as _, OutBuffer};
    use zstd::stream::write::Encoder;

    use super::copy;
    use crate::backend::{self, Appender, BackendFile, Contents};

    /// The longest header of a frame, with the header of its first block.
    const HEADER_BYTES: usize = 18 + 3;
    /// The longest block, with the checksum or the header behind it.
    const BLOCK_BYTES: usize = (128 << 10) + 4;

    /// Writes one frame that knows its length and ends with a checksum.
    pub(super) fn compress(
        contents: &mut Contents<'_>,
        bytes: u64,
        target: Appender<'_>,
    ) -> io::Result<()> {
        let mut encoder = Encoder::new(target, zstd::DEFAULT_COMPRESSION_LEVEL)?;
        encoder.include_checksum(true)?;
        encoder.set_pledged_src_size(Some(bytes))?;
        copy(contents, bytes, &mut encoder)?;
        encoder.finish().map(|_| ())
    }

    /// Reads frames, one or more, from front to back.
    pub(crate) struct Decompressor {
        file: Arc<dyn BackendFile>,
        /// How much of the file is read.
        at: u64,
        decoder: Decoder<'static>,
        input: Vec<u8>,
        /// How much of `input` the decoder has taken.
        taken: usize,
        /// How much the decoder wants next; 0 at the end of a frame.
        wanted: usize,
        /// Whether the decoder has given all that it made of its input.
        drained: bool,
        /// How much text came out.
        position: u64,
    }

    impl Decompressor {
        pub(super) fn new(file: Arc<dyn BackendFile>) -> io::Result<Self> {
            Ok(Self {
                file,
                at: 0,
                decoder: Decoder::new()?,
                input: Vec::new(),
                taken: 0,
                wanted: HEADER_BYTES,
                drained: true,
                position: 0,
            })
        }

        pub(super) fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            if offset != self.position {
                let reason = "a compressed segment is read from front to back";
                return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
            }
            let mut output = OutBuffer::around(buffer);
            while output.pos() == 0 {
                let mut ended = false;
                if self.drained && self.taken == self.input.len() {
                    ended = !self.refill()?;
                    if ended && self.wanted == 0 {
                        return Ok(0);
                    }
                }
                let mut input = InBuffer::around(&self.input);
                input.set_pos(self.taken);
                let run = self.decoder.run(&mut input, &mut output);
                self.taken = input.pos();
                self.wanted = run.map_err(damage)?;
                self.drained = self.wanted == 0 || output.pos() < output.capacity();
                if ended && output.pos() == 0 {
                    return Err(damage(io::ErrorKind::UnexpectedEof.into()));
                }
            }
            self.position += output.pos() as u64;
            Ok(output.pos())
        }

        /// Reads no more than the decoder asks for: damage in a block then leaves those before it.
        fn refill(&mut self) -> io::Result<bool> {
            let bytes = self.wanted.clamp(HEADER_BYTES, BLOCK_BYTES);
            self.input.resize(bytes, 0);
            let read = backend::read_full_at(&*self.file, &mut self.input, self.at);
            self.taken = 0;
            self.input.truncate(*read.as_ref().unwrap_or(&0));
            self.at += self.input.len() as u64;
            read.map(|read| read > 0)
        }
    }

    impl fmt::Debug for Decompressor {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Decompressor")
                .field("file", &self.file)
                .field("position", &self.position)
                .finish_non_exhaustive()
        }
    }

    fn damage(error: io::Error) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}
