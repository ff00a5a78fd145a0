//! The values of one user: where they lie, where they come from, and which names a place may use.

mod constants;
mod draw;
mod function;
mod random;
mod scope;
mod secrets;
mod traits;

pub use constants::Constants;
pub use draw::{Draw, DrawContext};
pub(crate) use function::Argument;
pub use function::Function;
pub use random::Random;
pub(crate) use scope::Resolved;
pub use scope::{Reach, Scope, Var};
pub use secrets::Secrets;
pub use traits::Traits;

use std::borrow::Cow;
use std::ops::Range;

use crate::json;

/// Where one value of a user lies in its [`Values`]. [`Scope`] hands them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u16);

impl Slot {
    /// Set in the slots whose value outlasts an iteration.
    const LASTING: u16 = 1 << 15;

    /// The identity of an iteration, `${id}`.
    pub const ID: Self = Self(0);
    /// The number of an iteration, `${iteration}`.
    pub const ITERATION: Self = Self(1);
    /// The key that is read or deleted, `${key}`.
    pub const KEY: Self = Self(2);
    /// Where the next page begins, `${cursor}`.
    pub const CURSOR: Self = Self(3);
    /// The number of a user, `${user}`.
    pub const USER: Self = Self(Self::LASTING);

    pub(crate) const FIRST_FREE: u16 = 4;
    pub(crate) const FIRST_FREE_LASTING: u16 = 1;

    pub(crate) fn new(index: u16, lasts: bool) -> Self {
        assert!(index < Self::LASTING, "a file has at most 32,768 values");
        Self(if lasts { index | Self::LASTING } else { index })
    }

    /// Whether its value outlasts an iteration.
    #[must_use]
    pub fn lasts(self) -> bool {
        self.0 & Self::LASTING != 0
    }

    fn index(self) -> usize {
        usize::from(self.0 & !Self::LASTING)
    }
}

/// One value, with its JSON type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'v> {
    /// Nothing: the content of what is absent.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i64),
    /// Text, or the bytes of an answer that is no JSON.
    Text(&'v [u8]),
    /// A list, an object, or a number that is not a whole one of 64 bits, as JSON: so no digit is lost.
    Json(&'v [u8]),
}

impl<'v> Value<'v> {
    /// The value that a valid JSON text stands for. A text with escapes is decoded into `space`.
    pub fn from_json(json: &'v [u8], space: &'v mut Vec<u8>) -> Self {
        match json.first() {
            Some(b'n') => Self::Null,
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'"') => match json::unescape(json, space) {
                Some(plain) => Self::Text(plain),
                None => Self::Text(space),
            },
            _ => std::str::from_utf8(json)
                .ok()
                .and_then(|text| text.parse().ok())
                .map_or(Self::Json(json), Self::Int),
        }
    }

    /// The value's text, as keys, contents and expected texts compare it: a text itself, a list or an
    /// object as canonical JSON (RFC 8785), and nothing at all for null.
    #[must_use]
    pub fn text(self) -> Option<Cow<'v, [u8]>> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(true) => Cow::Borrowed(b"true"),
            Self::Bool(false) => Cow::Borrowed(b"false"),
            Self::Int(number) => Cow::Owned(itoa::Buffer::new().format(number).into()),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Json(json) => Cow::Owned(json::canonical(json)),
        })
    }
}

#[derive(Clone, Copy, Debug, Default)]
enum Stored {
    #[default]
    Unset,
    Null,
    Bool(bool),
    Int(i64),
    Text {
        at: u32,
        len: u32,
    },
    Json {
        at: u32,
        len: u32,
    },
}

impl Stored {
    fn range(self) -> Option<Range<usize>> {
        match self {
            Self::Text { at, len } | Self::Json { at, len } => {
                Some(at as usize..at as usize + len as usize)
            }
            _ => None,
        }
    }
}

/// The values of one user. Texts lie in two arenas, one for those that last as long as the user and
/// one that is emptied when an iteration ends: setting a value allocates only while they grow.
///
/// ```
/// use drivers::{Slot, Value, Values};
///
/// let mut values = Values::default();
/// values.set(Slot::USER, Value::Int(7));
/// values.set(Slot::ID, Value::Text(b"k3v9q2xz-7-0"));
/// values.end_iteration();
/// assert_eq!(values.get(Slot::USER), Some(Value::Int(7)));
/// assert_eq!(values.get(Slot::ID), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Values {
    passing: Space,
    lasting: Space,
    /// Where a text is put together before it is set: it may be made of texts in the arenas.
    pub(crate) scratch: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Space {
    slots: Vec<Stored>,
    arena: Vec<u8>,
}

impl Values {
    /// The value of a slot, unless it has none yet.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<Value<'_>> {
        self.space(slot).get(slot.index())
    }

    /// Sets a value, and copies its text.
    pub fn set(&mut self, slot: Slot, value: Value<'_>) {
        match value {
            Value::Null => self.put(slot, Stored::Null),
            Value::Bool(yes) => self.put(slot, Stored::Bool(yes)),
            Value::Int(number) => self.put(slot, Stored::Int(number)),
            Value::Text(text) => self.set_with(slot, |out| out.extend_from_slice(text)),
            Value::Json(json) => {
                let (at, len) = self.append(slot, |out| out.extend_from_slice(json));
                self.put(slot, Stored::Json { at, len });
            }
        }
    }

    /// Sets a text that is written in place.
    pub fn set_with(&mut self, slot: Slot, write: impl FnOnce(&mut Vec<u8>)) {
        let (at, len) = self.append(slot, write);
        self.put(slot, Stored::Text { at, len });
    }

    /// Sets a value to that of another slot, with its type. An unset one leaves it unset.
    pub fn copy(&mut self, slot: Slot, from: Slot) {
        let stored = self.space(from).stored(from.index());
        let copied = match (stored, stored.range()) {
            (_, None) => stored,
            // Within an arena nothing has to be copied: both slots may lead to one text.
            _ if from.lasts() == slot.lasts() => stored,
            (stored, Some(range)) => {
                let (source, target) = match from.lasts() {
                    true => (&self.lasting, &mut self.passing),
                    false => (&self.passing, &mut self.lasting),
                };
                let at = offset(target.arena.len());
                target.arena.extend_from_slice(&source.arena[range]);
                match stored {
                    Stored::Json { len, .. } => Stored::Json { at, len },
                    Stored::Text { len, .. } => Stored::Text { at, len },
                    other => other,
                }
            }
        };
        self.put(slot, copied);
    }

    /// Sets the slots that last to the values that another user's have, such as those of a set-up
    /// that ran once for all.
    pub fn inherit(&mut self, from: &Self) {
        self.lasting = from.lasting.clone();
    }

    /// Forgets what belongs to the iteration that ends.
    pub fn end_iteration(&mut self) {
        self.passing.slots.clear();
        self.passing.arena.clear();
    }

    fn space(&self, slot: Slot) -> &Space {
        match slot.lasts() {
            true => &self.lasting,
            false => &self.passing,
        }
    }

    fn space_mut(&mut self, slot: Slot) -> &mut Space {
        match slot.lasts() {
            true => &mut self.lasting,
            false => &mut self.passing,
        }
    }

    fn append(&mut self, slot: Slot, write: impl FnOnce(&mut Vec<u8>)) -> (u32, u32) {
        let space = self.space_mut(slot);
        if slot.lasts() {
            space.forget(slot.index());
        }
        let at = space.arena.len();
        write(&mut space.arena);
        (offset(at), offset(space.arena.len() - at))
    }

    fn put(&mut self, slot: Slot, stored: Stored) {
        let slots = &mut self.space_mut(slot).slots;
        if slots.len() <= slot.index() {
            slots.resize(slot.index() + 1, Stored::Unset);
        }
        slots[slot.index()] = stored;
    }
}

impl Space {
    fn stored(&self, index: usize) -> Stored {
        self.slots.get(index).copied().unwrap_or_default()
    }

    fn get(&self, index: usize) -> Option<Value<'_>> {
        let stored = self.stored(index);
        let text = stored.range().map_or(&[][..], |range| &self.arena[range]);
        Some(match stored {
            Stored::Unset => return None,
            Stored::Null => Value::Null,
            Stored::Bool(yes) => Value::Bool(yes),
            Stored::Int(number) => Value::Int(number),
            Stored::Text { .. } => Value::Text(text),
            Stored::Json { .. } => Value::Json(text),
        })
    }

    /// Drops a value that is set anew, and closes the gaps once they outweigh what is in use: a token
    /// that is renewed all day must not grow the arena.
    fn forget(&mut self, index: usize) {
        if let Some(stored) = self.slots.get_mut(index) {
            *stored = Stored::Unset;
        }
        let used: usize = self
            .slots
            .iter()
            .filter_map(|stored| stored.range())
            .map(|range| range.len())
            .sum();
        if self.arena.len() <= 2 * used + 1024 {
            return;
        }
        let old = std::mem::take(&mut self.arena);
        for stored in &mut self.slots {
            let Some(range) = stored.range() else {
                continue;
            };
            let moved = offset(self.arena.len());
            self.arena.extend_from_slice(&old[range]);
            if let Stored::Text { at, .. } | Stored::Json { at, .. } = stored {
                *at = moved;
            }
        }
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("the values of one user are less than 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_type_and_texts_their_bytes() {
        let mut values = Values::default();
        let last = Slot::new(5, true);
        let pass = Slot::new(9, false);
        values.set(last, Value::Json(b"[1,2]"));
        values.set(pass, Value::Text(b"\xff"));
        values.copy(Slot::ID, last);
        assert_eq!(values.get(Slot::ID), Some(Value::Json(b"[1,2]")));
        values.copy(last, pass);
        values.end_iteration();
        assert_eq!(values.get(last), Some(Value::Text(b"\xff")));
        assert_eq!(values.get(pass), None);
        assert_eq!(values.get(Slot::new(700, false)), None);
    }

    #[test]
    fn a_value_that_is_renewed_all_day_does_not_grow_the_arena() {
        let mut values = Values::default();
        let (token, other) = (Slot::new(1, true), Slot::new(2, true));
        values.set(other, Value::Text(b"kept"));
        for i in 0..10_000 {
            values.set_with(token, |out| {
                out.extend_from_slice(format!("token {i}").as_bytes());
            });
        }
        assert!(values.lasting.arena.len() < 4096);
        assert_eq!(values.get(token), Some(Value::Text(b"token 9999")));
        assert_eq!(values.get(other), Some(Value::Text(b"kept")));
    }

    #[test]
    fn a_number_that_does_not_fit_keeps_its_digits() {
        let mut space = Vec::new();
        let money = b"12.50";
        assert_eq!(Value::from_json(money, &mut space), Value::Json(money));
        let mut space = Vec::new();
        assert_eq!(Value::from_json(b"-3", &mut space), Value::Int(-3));
        let mut space = Vec::new();
        assert_eq!(
            Value::from_json(br#""a\nb""#, &mut space),
            Value::Text(b"a\nb")
        );
        assert_eq!(
            Value::Json(br#"{"b":1.0,"a":2}"#).text().unwrap().as_ref(),
            br#"{"a":2,"b":1}"#
        );
    }
}
