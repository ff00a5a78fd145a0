//! The JSON of a record, in a form that can be read back.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::ser::Formatter;

use crate::error::Error;
use crate::read::reader::LINE_BYTES_MAX;

/// A buffer that once held a huge record is not kept for small ones.
const KEEP_BYTES: usize = 1 << 20;
/// The parser gives up on deeper values.
const DEPTH_MAX: u32 = 127;
/// Left for the frame of a line.
const FRAME_BYTES: usize = 1 << 10;

/// Replaces what is in `scratch` by the JSON of a record.
pub(super) fn encode<T: Serialize + DeserializeOwned>(
    scratch: &mut Vec<u8>,
    record: &T,
) -> Result<(), Error> {
    scratch.clear();
    scratch.shrink_to(KEEP_BYTES);
    let mut seen = Seen::default();
    let mut serializer = serde_json::Serializer::with_formatter(&mut *scratch, &mut seen);
    record
        .serialize(&mut serializer)
        .map_err(|source| Error::Encode(Arc::new(source.into())))?;
    let Seen { deepest, .. } = seen;
    if deepest > DEPTH_MAX {
        return refused(format!("its values are nested {deepest} deep"));
    }
    if scratch.len() > LINE_BYTES_MAX - FRAME_BYTES {
        return refused(format!("it has {} bytes", scratch.len()));
    }
    if seen.line_break {
        return refused("a raw JSON value contains a line break".to_owned());
    }
    // A number that is no number is written as `null`. Only what has one is worth a reading.
    if seen.null {
        serde_json::from_slice::<T>(scratch)
            .map_err(|source| Error::Encode(Arc::new(source.into())))?;
    }
    Ok(())
}

fn refused(why: String) -> Result<(), Error> {
    Err(Error::Encode(Arc::new(io::Error::other(why))))
}

/// Writes compact JSON, and sees in it what may not be read back, so that nothing has to be searched for
/// afterwards.
#[derive(Default)]
struct Seen {
    depth: u32,
    /// How deep values are nested.
    deepest: u32,
    null: bool,
    line_break: bool,
}

impl Seen {
    fn enter(&mut self) {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
    }

    fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Goes through JSON that is valid, and that somebody else has written.
    fn pass(&mut self, json: &[u8]) {
        static NULL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("null"));
        self.null |= NULL.find(json).is_some();
        self.line_break |= memchr::memchr(b'\n', json).is_some();
        let (mut is_text, mut is_escaped) = (false, false);
        for byte in json {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = is_text,
                b'"' => is_text = !is_text,
                b'[' | b'{' if !is_text => self.enter(),
                b']' | b'}' if !is_text => self.leave(),
                _ => {}
            }
        }
    }
}

impl Formatter for &mut Seen {
    fn write_null<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.null = true;
        writer.write_all(b"null")
    }

    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter();
        writer.write_all(b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.leave();
        writer.write_all(b"]")
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter();
        writer.write_all(b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.leave();
        writer.write_all(b"}")
    }

    fn write_raw_fragment<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        self.pass(fragment.as_bytes());
        writer.write_all(fragment.as_bytes())
    }
}
