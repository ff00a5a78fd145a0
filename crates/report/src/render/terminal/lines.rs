//! Lines of at most so many columns.

use std::fmt::Write as _;

use anstyle::Style;

use crate::render::text::visible;

/// How far the further lines of what does not fit into one are indented.
const INDENT: usize = 6;

/// Text for a terminal, line by line.
pub(super) struct Lines {
    pub(super) text: String,
    pub(super) columns: usize,
}

// A `String` takes every write, so the results below are not looked at.

impl Lines {
    pub(super) fn new(columns: usize) -> Self {
        Self {
            text: String::new(),
            columns,
        }
    }

    /// A head in a style and a text behind it, on as many lines as it takes. Names and messages come from
    /// targets: no control character of theirs reaches the terminal.
    pub(super) fn wrapped(&mut self, style: Style, head: &str, body: &str) {
        let indented = head.trim_start();
        let margin = head.len() - indented.len();
        let (head, body) = (visible(indented), visible(body));
        let mut rows = Vec::new();
        let mut row = String::new();
        let mut room = self.columns - margin;
        for word in head.split_whitespace().chain(body.split_whitespace()) {
            // A word longer than a line is left whole: the terminal breaks it, and it can be copied.
            if !row.is_empty() && width(&row) + 1 + width(word) > room {
                rows.push(std::mem::take(&mut row));
                room = self.columns - INDENT;
            }
            if !row.is_empty() {
                row.push(' ');
            }
            row.push_str(word);
        }
        rows.push(row);
        let mut styled = head.len();
        for (number, row) in rows.iter().enumerate() {
            let margin = if number == 0 { margin } else { INDENT };
            let mut end = styled.min(row.len());
            while !row.is_char_boundary(end) {
                end -= 1;
            }
            let (inside, outside) = row.split_at(end);
            // The blank on which the line was broken counts as well.
            styled = styled.saturating_sub(row.len() + 1);
            let _ = write!(self.text, "{:margin$}", "");
            if inside.is_empty() {
                let _ = writeln!(self.text, "{outside}");
            } else {
                let _ = writeln!(self.text, "{style}{inside}{style:#}{outside}");
            }
        }
    }

    /// A line as it is, in a style.
    pub(super) fn line(&mut self, style: Style, line: &str) {
        let _ = writeln!(self.text, "{style}{}{style:#}", line.trim_end());
    }

    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(columns: usize, head: &str, body: &str) -> String {
        let mut lines = Lines::new(columns);
        lines.wrapped(Style::new(), head, body);
        lines.text
    }

    #[test]
    fn what_does_not_fit_goes_on_below_indented() {
        assert_eq!(
            wrapped(20, "  head", "one two three four"),
            "  head one two three\n      four\n"
        );
        assert_eq!(wrapped(80, "head", "one\ntwo"), "head one\\ntwo\n");
    }

    #[test]
    fn no_line_is_longer_than_the_terminal_unless_a_word_is() {
        let long = "long".repeat(50);
        for columns in [20, 40, 80] {
            let text = wrapped(
                columns,
                "  FAIL",
                &format!("a {long} é and so on, to the end of it"),
            );
            let is_long = |line: &str| width(line) > columns;
            let longer: Vec<&str> = text.lines().filter(|line| is_long(line)).collect();
            assert!(longer.len() == 1 && longer[0].trim() == long, "{text}");
            let letters = |text: &str| text.replace([' ', '\n'], "");
            let all = format!("FAILa{long}éandsoon,totheendofit");
            assert_eq!(letters(&text), all);
        }
    }
}
