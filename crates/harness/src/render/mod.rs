//! A report, drawn: for a terminal, and as Markdown.

mod markdown;
mod quantity;
mod terminal;

pub(crate) use self::markdown::escape as cell;
pub use self::markdown::markdown;
pub use self::quantity::{duration, rate};
pub use self::terminal::terminal;
