//! A table: aligned text for terminals, Markdown, HTML.

use serde::Serialize;

use super::{escape, inert};

/// A cell of more characters is broken into lines on a page.
const LONG_CELL: usize = 40;
/// What a cell holds that says "yes" and nothing else.
pub const MARK: &str = "\u{25cf}";

/// Rows of cells under column names. Columns of numbers are set flush right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    title: Option<String>,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    note: Option<String>,
}

impl Table {
    /// An empty table.
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Table {
        Table { title: None, columns: columns.into_iter().map(Into::into).collect(), rows: Vec::new(), note: None }
    }

    /// What the table shows, set above it.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Table {
        self.title = Some(title.into());
        self
    }

    /// What a reader must know to read it (number of items, meaning of an interval), set below it.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Table {
        self.note = Some(note.into());
        self
    }

    /// Appends a row; missing cells are empty, surplus ones are left out.
    #[must_use]
    pub fn row<S: Into<String>>(mut self, cells: impl IntoIterator<Item = S>) -> Table {
        self.push(cells);
        self
    }

    /// Appends a row in place, as [`Table::row`] does.
    pub fn push<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let mut row: Vec<String> = cells.into_iter().map(Into::into).collect();
        row.resize(self.columns.len(), String::new());
        self.rows.push(row);
    }

    /// Whether every cell of column `c` looks like a number, a unit behind it allowed ("-", "" and "n/a" may stand between).
    fn numeric(&self, c: usize) -> bool {
        let number = |cell: &str| {
            let figure = cell.trim_start_matches(['-', '+', '<', '>', '±', ' ']).trim_end_matches(char::is_alphabetic);
            figure.starts_with(|d: char| d.is_ascii_digit()) && !figure.contains(char::is_alphabetic)
        };
        let filler = |cell: &str| matches!(cell.trim(), "" | "-" | "–" | "n/a");
        let cells = || self.rows.iter().map(|row| row[c].as_str());
        cells().any(number) && cells().all(|cell| number(cell) || filler(cell))
    }

    /// Whether a column holds sentences, which are broken into lines on a page.
    fn wordy(&self, c: usize) -> bool {
        self.rows.iter().any(|row| width(&row[c]) > LONG_CELL)
    }

    /// Whether a column of a table with marks holds nothing else; on a phone its name stands upright and it is narrow.
    fn marked(&self, c: usize) -> bool {
        let marks = self.rows.iter().flatten().any(|cell| cell == MARK);
        marks && self.rows.iter().all(|row| matches!(row[c].as_str(), "" | MARK))
    }

    /// Aligned columns for a terminal, ending in a line break.
    pub fn plain(&self) -> String {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|c| self.rows.iter().map(|row| width(&row[c])).chain([width(&self.columns[c])]).max().unwrap_or(0))
            .collect();
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells
                .iter()
                .enumerate()
                .map(|(c, cell)| {
                    let gap = " ".repeat(widths[c] - width(cell));
                    if self.numeric(c) { gap + cell } else { format!("{cell}{gap}") }
                })
                .collect();
            cells.join("  ").trim_end().to_owned() + "\n"
        };
        let mut out = self.title.as_ref().map(|t| format!("{t}\n")).unwrap_or_default();
        out.push_str(&line(&self.columns));
        let rule: Vec<String> = widths.iter().map(|&w| "-".repeat(w)).collect();
        out.push_str(&(rule.join("  ") + "\n"));
        self.rows.iter().for_each(|row| out.push_str(&line(row)));
        if let Some(note) = &self.note {
            out.push_str(&format!("{note}\n"));
        }
        out
    }

    /// A Markdown table, ending in a line break.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|c| inert(c).replace('|', "\\|").replace('\n', " ")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut out = self.title.as_ref().map(|t| format!("**{t}**\n\n")).unwrap_or_default();
        out.push_str(&line(&self.columns));
        let rule: Vec<&str> = (0..self.columns.len()).map(|c| if self.numeric(c) { "---:" } else { "---" }).collect();
        out.push_str(&format!("|{}|\n", rule.join("|")));
        self.rows.iter().for_each(|row| out.push_str(&line(row)));
        if let Some(note) = &self.note {
            out.push_str(&format!("\n{note}\n"));
        }
        out
    }

    /// A `figure` that scrolls sideways where the screen is narrow.
    pub(super) fn html(&self) -> String {
        let row = |cells: &[String], tag: &str| {
            let cells = cells.iter().enumerate().map(|(c, cell)| {
                let class = match () {
                    () if self.numeric(c) => " class=\"n\"",
                    () if self.wordy(c) => " class=\"w\"",
                    () if self.marked(c) => " class=\"m\"",
                    () => "",
                };
                let scope = if tag == "th" { " scope=\"col\"" } else { "" };
                // A number keeps its unit where a line must break.
                let cell = escape(cell).replace(" %", "\u{a0}%");
                let cell = if tag == "td" && self.numeric(c) { whole_words(&cell) } else { cell };
                format!("<{tag}{scope}{class}>{cell}</{tag}>")
            });
            format!("<tr>{}</tr>\n", cells.collect::<String>())
        };
        let caption = self.title.as_ref().map(|t| format!("<caption>{}</caption>", escape(t))).unwrap_or_default();
        let body: String = self.rows.iter().map(|cells| row(cells, "td")).collect();
        let note = self.note.as_ref().map(|n| format!("<p class=\"small\">{}</p>\n", escape(n))).unwrap_or_default();
        format!(
            "<div class=\"table\"><table>{caption}<thead>{}</thead>\n<tbody>{body}</tbody></table></div>\n{note}",
            row(&self.columns, "th")
        )
    }
}

/// Escaped text that breaks between its words only, not after the hyphens of a date.
fn whole_words(text: &str) -> String {
    if !text.contains(' ') {
        return text.to_owned();
    }
    text.split(' ').map(|word| format!("<span>{word}</span>")).collect::<Vec<_>>().join(" ")
}

/// Columns a cell takes on a terminal; characters are counted, which is right for the Latin text we print.
fn width(cell: &str) -> usize {
    cell.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let table = Table::new(["model", "R@1", "note"])
            .row(["ours", "12.5", ""])
            .row(["chance", "0.1", "1 in 1,000"])
            .row(["x"]);
        let want = "model    R@1  note\n------  ----  ----------\nours    12.5\nchance   0.1  1 in 1,000\nx\n";
        assert_eq!(table.plain(), want);
        assert!(table.markdown().contains("|---|---:|---|"));
    }

    #[test]
    fn columns_are_set_by_what_they_hold() {
        let html = Table::new(["text", "posts"]).row([MARK, "3 %"]).row(["", "12 %"]).row(["", "7 (1 %)"]).html();
        for part in [
            "<th scope=\"col\" class=\"m\">text</th>",
            "<td class=\"n\">12\u{a0}%</td>",
            "<td class=\"n\"><span>7</span> <span>(1\u{a0}%)</span></td>",
            "<td class=\"m\"></td>",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }
}
