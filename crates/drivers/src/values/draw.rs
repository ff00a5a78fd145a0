//! How the values of a step are made when it begins.

use super::function::Function;
use super::random::Random;
use super::{Slot, Value, Values};
use crate::outcome::Failure;
use crate::template::Template;

/// How one value is made when a step begins: by a function, from another value, or as a text.
///
/// A list of them, as [`Scope::vars`](super::Scope::vars) and
/// [`Scope::take_draws`](super::Scope::take_draws) give it, is in the order in which they have to be
/// made.
#[derive(Clone, Debug)]
pub struct Draw {
    pub(crate) slot: Slot,
    pub(crate) how: How,
}

#[derive(Clone, Debug)]
pub(crate) enum How {
    /// Drawn by a function; the number is the place it is drawn at.
    Function(Function, u64),
    /// The value of another slot, with its type.
    Copy(Slot),
    /// Several parts, which make a text.
    Text(Template),
}

/// Where a value is drawn: every value is a function of this and of its step and name.
#[derive(Clone, Copy, Debug)]
pub struct DrawContext {
    /// The seed of the run.
    pub seed: u64,
    /// The user, or in an open model the arrival. The two have to differ, such as by their highest
    /// bit.
    pub who: u64,
    /// The user's iteration.
    pub iteration: u64,
    /// The time in microseconds since 1970, for `now()`.
    pub now_us: fn() -> i64,
}

impl Draw {
    /// Makes the value.
    ///
    /// # Errors
    ///
    /// A text in which a value stands that is not known yet.
    pub fn draw(&self, context: &DrawContext, values: &mut Values) -> Result<(), Failure> {
        match &self.how {
            How::Function(function, place) => {
                let mut random =
                    Random::of(&[context.seed, context.who, context.iteration, *place]);
                function.draw(self.slot, values, &mut random, context.now_us);
            }
            How::Copy(from) => values.copy(self.slot, *from),
            How::Text(template) => {
                let mut text = std::mem::take(&mut values.scratch);
                text.clear();
                let rendered = template.render(values, &mut text);
                if rendered.is_ok() {
                    values.set(self.slot, Value::Text(&text));
                }
                values.scratch = text;
                rendered?;
            }
        }
        Ok(())
    }
}
