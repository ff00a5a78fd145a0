//! Bytes that were received and not yet used.

/// Bytes that were received and not yet used. It grows to what one answer's head or one read needs, and
/// stays.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    from: usize,
    to: usize,
}

/// What a read asks for at least. Half of it holds the answers of most services.
const READ: usize = 16 << 10;

impl Buffer {
    pub(crate) fn filled(&self) -> &[u8] {
        &self.bytes[self.from..self.to]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.from == self.to
    }

    pub(crate) fn len(&self) -> usize {
        self.to - self.from
    }

    /// Forgets bytes that were used.
    pub(crate) fn consume(&mut self, count: usize) {
        self.from += count;
        assert!(self.from <= self.to, "only what was received is used");
        if self.from == self.to {
            self.clear();
        }
    }

    pub(crate) fn clear(&mut self) {
        (self.from, self.to) = (0, 0);
    }

    /// Space for a read, behind what is there.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.bytes.len() - self.to < READ / 2 && self.from > 0 {
            self.bytes.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
        }
        if self.bytes.len() - self.to < READ / 2 {
            let size = (2 * self.bytes.len()).max(READ);
            self.bytes.resize(size, 0);
        }
        &mut self.bytes[self.to..]
    }

    /// Tells that so many bytes of the [space](Self::space) were filled.
    pub(crate) fn fill(&mut self, count: usize) {
        self.to += count;
        assert!(self.to <= self.bytes.len(), "a read stays in its space");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_makes_room_without_growth() {
        let mut buffer = Buffer::default();
        let (mut written, mut read) = (0_usize, 0_usize);
        for round in 0..1000 {
            for byte in &mut buffer.space()[..3000] {
                *byte = (written % 251) as u8;
                written += 1;
            }
            buffer.fill(3000);
            // Sometimes less is used than came, sometimes all that is left.
            let used = if round % 3 == 2 { buffer.len() } else { 2000 };
            for byte in &buffer.filled()[..used] {
                assert_eq!(usize::from(*byte), read % 251);
                read += 1;
            }
            buffer.consume(used);
        }
        assert!(buffer.bytes.len() <= 2 * READ, "{}", buffer.bytes.len());
    }
}
