//! Decompression as bytes come: gzip (RFC 1952), zlib (RFC 1950) and bare deflate (RFC 1951).

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::failure::{Malformed, malformed};

/// Decompresses a body. What comes out is given away in small parts, so that a body which unpacks to far
/// more than it seems is noticed in time.
pub(super) struct Inflate {
    stage: Stage,
    is_gzip: bool,
    raw: Decompress,
    crc: Crc,
    /// What came of a head or a trailer that is not whole yet.
    pending: Vec<u8>,
    part: Box<[u8]>,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// `deflate` means zlib (RFC 9110), but some send bare deflate: the first byte tells.
    Unknown,
    GzipHead,
    Body,
    GzipTrailer,
    Ended,
}

const PART: usize = 32 << 10;

/// The longest head of a gzip member: it may hold a file's name and a comment.
const LONGEST_HEAD: usize = 64 << 10;

fn broken() -> Malformed {
    malformed("its content-encoding is broken")
}

impl Inflate {
    pub(super) fn gzip() -> Self {
        Self::new(true, Stage::GzipHead)
    }

    pub(super) fn deflate() -> Self {
        Self::new(false, Stage::Unknown)
    }

    fn new(is_gzip: bool, stage: Stage) -> Self {
        Self {
            stage,
            is_gzip,
            raw: Decompress::new(false),
            crc: Crc::new(),
            pending: Vec::new(),
            part: vec![0; PART].into(),
        }
    }

    pub(super) fn take(
        &mut self,
        mut bytes: &[u8],
        give: &mut dyn FnMut(&[u8]) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            bytes = match self.stage {
                Stage::Unknown => {
                    // RFC 1950: the low half is the method, 8; the high half the window, at most 7.
                    let is_zlib = bytes[0] & 0x0f == 8 && bytes[0] >> 4 <= 7;
                    self.raw.reset(is_zlib);
                    self.stage = Stage::Body;
                    bytes
                }
                Stage::GzipHead => self.head(bytes)?,
                Stage::Body => self.body(bytes, give)?,
                Stage::GzipTrailer => self.trailer(bytes)?,
                Stage::Ended => return Err(broken()),
            };
        }
        Ok(())
    }

    /// The body has ended: so has to have what is in it. No bytes at all are nothing compressed.
    pub(super) fn end(&self) -> Result<(), Malformed> {
        let is_whole = match self.stage {
            Stage::Unknown | Stage::Ended => true,
            Stage::GzipHead => self.pending.is_empty(),
            Stage::Body | Stage::GzipTrailer => false,
        };
        match is_whole {
            true => Ok(()),
            false => Err(malformed("its content-encoding is cut")),
        }
    }

    fn head<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Malformed> {
        self.pending.extend_from_slice(bytes);
        match gzip_head(&self.pending)? {
            Some(length) => {
                let rest = self.pending.len() - length;
                self.pending.clear();
                self.raw.reset(false);
                self.crc.reset();
                self.stage = Stage::Body;
                Ok(&bytes[bytes.len() - rest..])
            }
            None if self.pending.len() > LONGEST_HEAD => Err(broken()),
            None => Ok(&[]),
        }
    }

    fn body<'b>(
        &mut self,
        mut bytes: &'b [u8],
        give: &mut dyn FnMut(&[u8]) -> Result<(), Malformed>,
    ) -> Result<&'b [u8], Malformed> {
        loop {
            let (read, written) = (self.raw.total_in(), self.raw.total_out());
            let status = self
                .raw
                .decompress(bytes, &mut self.part, FlushDecompress::None)
                .map_err(|_| broken())?;
            let taken = (self.raw.total_in() - read) as usize;
            let made = &self.part[..(self.raw.total_out() - written) as usize];
            bytes = &bytes[taken..];
            if self.is_gzip {
                self.crc.update(made);
            }
            give(made)?;
            if status == Status::StreamEnd {
                self.stage = match self.is_gzip {
                    true => Stage::GzipTrailer,
                    false => Stage::Ended,
                };
                return Ok(bytes);
            }
            // As long as anything moves there may be more: what was unpacked is first given out, and
            // only then more taken.
            if taken == 0 && made.is_empty() {
                return match bytes.is_empty() {
                    true => Ok(bytes),
                    false => Err(broken()),
                };
            }
        }
    }

    fn trailer<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Malformed> {
        let missing = (8 - self.pending.len()).min(bytes.len());
        self.pending.extend_from_slice(&bytes[..missing]);
        if let Ok(trailer) = <[u8; 8]>::try_from(&*self.pending) {
            let expected = u64::from(self.crc.amount()) << 32 | u64::from(self.crc.sum());
            if u64::from_le_bytes(trailer) != expected {
                return Err(broken());
            }
            self.pending.clear();
            // Another member may follow.
            self.stage = Stage::GzipHead;
        }
        Ok(&bytes[missing..])
    }
}

/// The length of the head of a gzip member, once it is whole.
fn gzip_head(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let magic = [0x1f, 0x8b, 8];
    let here = bytes.len().min(magic.len());
    if bytes[..here] != magic[..here] {
        return Err(broken());
    }
    Ok(fields_end(bytes))
}

/// RFC 1952, section 2.3: after ten bytes come the fields that the fourth one names.
fn fields_end(bytes: &[u8]) -> Option<usize> {
    let flags = *bytes.get(3)?;
    let mut at = 10;
    if flags & 4 != 0 {
        let length = [*bytes.get(at)?, *bytes.get(at + 1)?];
        at += 2 + usize::from(u16::from_le_bytes(length));
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            at += memchr::memchr(0, bytes.get(at..)?)? + 1;
        }
    }
    at += if flags & 2 != 0 { 2 } else { 0 };
    (at <= bytes.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, GzBuilder, write};
    use proptest::prelude::*;

    use super::*;

    fn inflated(mut inflate: Inflate, parts: &[&[u8]]) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let mut give = |bytes: &[u8]| {
            out.extend_from_slice(bytes);
            Ok(())
        };
        parts
            .iter()
            .try_for_each(|part| inflate.take(part, &mut give))
            .and_then(|()| inflate.end())
            .map_err(|failure| failure.to_string())?;
        Ok(out)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzBuilder::new()
            .filename("a.txt")
            .comment("for a test")
            .extra(&b"extra"[..])
            .write(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = write::ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn bare(text: &[u8]) -> Vec<u8> {
        let mut encoder = write::DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_reads_end(
            text in proptest::collection::vec(any::<u8>(), 0..3000),
            times in 1..40_usize,
            size in 1..5000_usize,
        ) {
            let text = text.repeat(times);
            let twice = [gzip(&text), gzip(b"more")].concat();
            for (inflate, packed) in [
                (Inflate::gzip as fn() -> Inflate, gzip(&text)),
                (Inflate::deflate, zlib(&text)),
                (Inflate::deflate, bare(&text)),
            ] {
                let parts: Vec<&[u8]> = packed.chunks(size).collect();
                prop_assert_eq!(inflated(inflate(), &parts), Ok(text.clone()));
            }
            let parts: Vec<&[u8]> = twice.chunks(size).collect();
            let both = [text, b"more".to_vec()].concat();
            prop_assert_eq!(inflated(Inflate::gzip(), &parts), Ok(both));
        }
    }

    #[test]
    fn what_is_broken_or_cut_is_told() {
        let whole = gzip(b"hello");
        let told = |inflate: Inflate, bytes: &[u8]| inflated(inflate, &[bytes]).unwrap_err();
        let cut = "malformed answer: its content-encoding is cut";
        for length in 1..whole.len() {
            assert_eq!(told(Inflate::gzip(), &whole[..length]), cut, "{length}");
        }
        let broken = "malformed answer: its content-encoding is broken";
        assert_eq!(told(Inflate::gzip(), b"hello"), broken);
        let mut wrong_sum = whole.clone();
        *wrong_sum.last_mut().unwrap() ^= 1;
        assert_eq!(told(Inflate::gzip(), &wrong_sum), broken);
        assert_eq!(told(Inflate::gzip(), &[&*whole, b"x"].concat()), broken);
        let packed = zlib(b"hello");
        assert_eq!(told(Inflate::deflate(), &packed[..packed.len() - 1]), cut);
        assert_eq!(told(Inflate::deflate(), &[&*packed, b"x"].concat()), broken);
        assert_eq!(told(Inflate::deflate(), b"\xff\xff\xff"), broken);
        assert_eq!(inflated(Inflate::gzip(), &[]), Ok(Vec::new()));
    }
}
