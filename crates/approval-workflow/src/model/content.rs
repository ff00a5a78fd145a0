//! Values as bytes of JSON.

use std::io;

use serde::Serialize;

/// How many bytes a value's JSON has.
pub(crate) fn json_bytes(value: &impl Serialize) -> usize {
    let mut count = Count(0);
    write_json(&mut count, value);
    count.0
}

pub(crate) fn write_json(to: &mut impl io::Write, value: &impl Serialize) {
    // The sinks never fail, and what is written here has text keys throughout.
    serde_json::to_writer(to, value).expect("the value has a JSON form");
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
