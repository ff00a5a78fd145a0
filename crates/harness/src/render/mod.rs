//! A report, drawn: for a terminal, and as Markdown.

mod markdown;
pub(crate) mod quantity;
mod terminal;
mod thresholds;

pub(crate) use self::markdown::escape as cell;
pub use self::markdown::markdown;
pub use self::quantity::{duration, rate};
pub use self::terminal::terminal;
