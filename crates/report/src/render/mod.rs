//! A report, drawn: for a terminal, as Markdown, as one page of HTML, and in the formats of other
//! programs.

mod csv;
mod html;
mod junit;
mod markdown;
mod page;
mod prometheus;
mod terminal;
pub(crate) mod text;
mod times;

pub use self::csv::{CsvFile, csv};
pub use self::html::html;
pub use self::junit::junit;
pub(crate) use self::markdown::escape as cell;
pub use self::markdown::markdown;
pub use self::prometheus::{PROTOBUF, prometheus, prometheus_now, prometheus_now_protobuf};
pub use self::terminal::{terminal, terminal_in};
pub use crate::units::{duration, rate};
