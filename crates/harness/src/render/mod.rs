//! A report, drawn: for a terminal, and as Markdown.

mod markdown;
pub(crate) mod quantity;
mod terminal;
mod thresholds;

pub use self::markdown::markdown;
pub use self::terminal::terminal;
