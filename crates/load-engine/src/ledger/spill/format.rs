//! How entries and found things stand in a file: little-endian numbers, and texts after their length.
//! Only the program that wrote such a file reads it.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use crate::ledger::digest::Digest;
use crate::ledger::verify::Found;
use crate::ledger::{Effect, LedgerEntry};

const CREATED: u8 = 0;
const UPDATED: u8 = 1;
const REMOVED: u8 = 2;
const ATTEMPTED: u8 = 3;

pub(super) fn write_entry(
    out: &mut impl Write,
    kind: u16,
    entry: &LedgerEntry<'_>,
) -> io::Result<()> {
    let (tag, digest) = match entry.effect {
        Effect::Created(digest) => (CREATED, digest.to_bits()),
        Effect::Updated(digest) => (UPDATED, digest.to_bits()),
        Effect::Removed => (REMOVED, 0),
        Effect::Attempted => (ATTEMPTED, 0),
    };
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&[tag])?;
    out.write_all(&digest.to_le_bytes())?;
    out.write_all(&entry.user.to_le_bytes())?;
    out.write_all(&entry.started_ns.to_le_bytes())?;
    out.write_all(&entry.settled_ns.to_le_bytes())?;
    write_text(out, &entry.key)
}

pub(super) fn read_entry(
    from: &mut impl Read,
    kinds: &[Cow<'static, str>],
) -> io::Result<LedgerEntry<'static>> {
    let kind = u16::from_le_bytes(bytes(from)?);
    let kind = kinds
        .get(usize::from(kind))
        .ok_or_else(|| damaged(format!("there is no kind {kind}")))?;
    let [tag] = bytes(from)?;
    let digest = Digest::from_bits(u64::from_le_bytes(bytes(from)?));
    let effect = match tag {
        CREATED => Effect::Created(digest),
        UPDATED => Effect::Updated(digest),
        REMOVED => Effect::Removed,
        ATTEMPTED => Effect::Attempted,
        other => return Err(damaged(format!("there is no effect {other}"))),
    };
    Ok(LedgerEntry {
        kind: kind.clone(),
        effect,
        user: u32::from_le_bytes(bytes(from)?),
        started_ns: u64::from_le_bytes(bytes(from)?),
        settled_ns: u64::from_le_bytes(bytes(from)?),
        key: Cow::Owned(read_text(from)?),
    })
}

pub(super) fn write_found(out: &mut impl Write, found: &Found) -> io::Result<()> {
    out.write_all(&found.digest.to_bits().to_le_bytes())?;
    write_text(out, &found.kind)?;
    write_text(out, &found.key)
}

pub(super) fn read_found(from: &mut impl Read) -> io::Result<Found> {
    let digest = Digest::from_bits(u64::from_le_bytes(bytes(from)?));
    Ok(Found {
        digest,
        kind: Cow::Owned(read_text(from)?),
        key: read_text(from)?,
    })
}

fn write_text(out: &mut impl Write, text: &str) -> io::Result<()> {
    let length = u32::try_from(text.len()).map_err(|_| damaged("a key has 4 GiB".to_owned()))?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(text.as_bytes())
}

fn read_text(from: &mut impl Read) -> io::Result<String> {
    let length = u32::from_le_bytes(bytes(from)?);
    let mut text = String::new();
    // Not allocated in advance: the length of a damaged file may be anything.
    let read = from.take(length.into()).read_to_string(&mut text)?;
    if read != length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(text)
}

fn bytes<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn damaged(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_found_things_are_read_back_as_they_were_written() {
        let effects = [
            Effect::Created(Digest::of(b"a")),
            Effect::Updated(Digest::of(b"b")),
            Effect::Removed,
            Effect::Attempted,
        ];
        let mut file = Vec::new();
        let entries = effects.map(|effect| LedgerEntry {
            kind: "row".into(),
            key: "ключ \n".into(),
            effect,
            user: u32::MAX,
            started_ns: 7,
            settled_ns: u64::MAX,
        });
        for entry in &entries {
            write_entry(&mut file, 0, entry).unwrap();
        }
        let found = Found::new("row", "", Digest::of(b"c"));
        write_found(&mut file, &found).unwrap();
        let mut file = file.as_slice();
        for entry in entries {
            assert_eq!(read_entry(&mut file, &["row".into()]).unwrap(), entry);
        }
        assert_eq!(read_found(&mut file).unwrap(), found);
        let error = read_found(&mut file).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
