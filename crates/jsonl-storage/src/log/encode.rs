//! The JSON of a record, in a form that can be read back.

use std::io::{self, Write};
use std::sync::Arc;

use memchr::memmem;
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
    let mut depth = Depth::default();
    let mut serializer = serde_json::Serializer::with_formatter(&mut *scratch, &mut depth);
    record
        .serialize(&mut serializer)
        .map_err(|source| Error::Encode(Arc::new(source.into())))?;
    if depth.most > DEPTH_MAX {
        return refused(format!("its values are nested {} deep", depth.most));
    }
    if scratch.len() > LINE_BYTES_MAX - FRAME_BYTES {
        return refused(format!("it has {} bytes", scratch.len()));
    }
    if memchr::memchr(b'\n', scratch).is_some() {
        return refused("a raw JSON value contains a line break".to_owned());
    }
    // A number that is no number is written as `null`. Only what has one is worth a reading.
    if memmem::find(scratch, b"null").is_some() {
        serde_json::from_slice::<T>(scratch)
            .map_err(|source| Error::Encode(Arc::new(source.into())))?;
    }
    Ok(())
}

fn refused(why: String) -> Result<(), Error> {
    Err(Error::Encode(Arc::new(io::Error::other(why))))
}

/// Writes compact JSON, and counts how deep its values are nested.
#[derive(Default)]
struct Depth {
    now: u32,
    most: u32,
}

impl Depth {
    fn enter(&mut self) {
        self.now += 1;
        self.most = self.most.max(self.now);
    }

    fn leave(&mut self) {
        self.now = self.now.saturating_sub(1);
    }

    /// Goes through JSON that is valid.
    fn pass(&mut self, json: &[u8]) {
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

impl Formatter for &mut Depth {
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
