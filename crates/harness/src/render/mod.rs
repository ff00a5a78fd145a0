//! A report, drawn: for a terminal, as Markdown, as one page of HTML, and in the formats of other
//! programs.

mod csv;
mod html;
mod junit;
mod markdown;
mod page;
mod plot;
mod prometheus;
mod quantity;
mod terminal;
mod text;

pub use self::csv::{CsvFile, csv};
pub use self::html::html;
pub use self::junit::junit;
pub use self::markdown::markdown;
pub use self::prometheus::prometheus;
pub use self::terminal::terminal;
