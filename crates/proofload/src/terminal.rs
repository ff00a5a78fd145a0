//! The only way to the terminal. Much of what is printed comes from files, arguments, reports and
//! targets; none of it reaches the terminal as a character that it obeys, or that deceives a reader.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use action::{visible, visible_json, visible_lines, visible_styled};
use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use serde::Serialize;

const BAD: Style = AnsiColor::Red.on_default().bold();

/// Prints lines to stdout. A reader that has seen enough, such as `head`, is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    write(visible_lines(text).as_bytes())
}

/// As [`print()`], of text in which a renderer has made every text of others visible, and chosen styles,
/// which are removed where they do not belong.
pub(crate) fn print_styled(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout();
    let text = visible_styled(text);
    unless_enough(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// As [`print()`], as JSON that means the same wherever it goes.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(value).context("the result has no JSON form")?;
    write(format!("{}\n", visible_json(&json)).as_bytes())
}

/// As [`print()`], of what is made from the program alone, for another program.
pub(crate) fn print_own(text: &[u8]) -> anyhow::Result<()> {
    write(text)
}

/// A path, as a part of a line.
pub(crate) fn shown(path: &Path) -> String {
    visible(&path.display().to_string()).into_owned()
}

/// Tells a line on stderr.
pub(crate) fn tell(line: &str) {
    // Nobody is left to tell when this cannot be printed.
    let _ = writeln!(io::stderr(), "{}", visible(line));
}

/// Tells why the program ends, in one line on stderr.
pub(crate) fn tell_error(message: &str) {
    let message = message.replace('\n', " ");
    let message = visible(&message);
    let _ = writeln!(anstream::stderr(), "{BAD}error{BAD:#}: {message}");
}

/// Tells what is wrong with the arguments: they are part of the message, so it has no styles of its own.
pub(crate) fn tell_usage(error: &clap::Error) {
    let message = error.render().to_string();
    let _ = write!(io::stderr(), "{}", visible_lines(&message));
}

fn write(text: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    unless_enough(out.write_all(text).and_then(|()| out.flush()))
}

fn unless_enough(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to stdout")
        }
        _ => Ok(()),
    }
}

/// The columns of the terminal that is printed to; 80 where it is none.
pub(crate) fn columns() -> usize {
    const USUAL: usize = 80;
    if !io::stdout().is_terminal() {
        return USUAL;
    }
    let size = ratatui::crossterm::terminal::size();
    // A terminal that does not know its size says 0.
    let known = size.ok().filter(|(columns, _)| *columns > 0);
    known.map_or(USUAL, |(columns, _)| usize::from(columns))
}
