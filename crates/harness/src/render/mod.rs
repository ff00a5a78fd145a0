//! A report, drawn: for a terminal, and as Markdown.

mod markdown;
mod quantity;
mod terminal;

pub use self::markdown::markdown;
pub use self::terminal::terminal;
