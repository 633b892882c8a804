//! Tables without lines: aligned columns, and under a row the notes that belong to it.
//!
//! Invariant: cells hold one line each and nothing that drives a terminal; colour is put on after the columns are aligned.

use comfy_table::{CellAlignment, ContentArrangement, Table as Grid, presets};

use super::text::printable;
use super::{Look, Tone};

/// Spaces between columns.
const APART: usize = 2;

/// A table as it is built.
pub struct Table {
    heads: Vec<&'static str>,
    right: Vec<bool>,
    rows: Vec<Row>,
}

/// One row and its notes.
struct Row {
    cells: Vec<String>,
    tone: Option<(usize, Tone)>,
    notes: Vec<(String, Tone)>,
}

impl Table {
    /// A table with these heads. A head that begins with `>` is of a column of numbers, aligned to the right.
    pub fn new(heads: &[&'static str]) -> Self {
        Self {
            heads: heads.iter().map(|head| head.trim_start_matches('>')).collect(),
            right: heads.iter().map(|head| head.starts_with('>')).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) -> &mut Self {
        assert_eq!(N, self.heads.len());
        let cells = cells
            .iter()
            .map(|cell| if cell.is_empty() { "-".into() } else { printable(cell) })
            .collect();
        self.rows.push(Row {
            cells,
            tone: None,
            notes: Vec::new(),
        });
        self
    }

    /// Gives one cell of the last row its tone.
    pub fn tone(&mut self, column: usize, tone: Tone) -> &mut Self {
        if let Some(row) = self.rows.last_mut() {
            row.tone = Some((column, tone));
        }
        self
    }

    /// Puts `label: text` under the last row; nothing if there is no text.
    pub fn note(&mut self, label: &str, text: &str, tone: Tone) -> &mut Self {
        if let Some(row) = self.rows.last_mut()
            && !text.is_empty()
        {
            row.notes.push((format!("  {label} {}", printable(text)), tone));
        }
        self
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines, each with its line end.
    pub fn lines(&self, look: &Look) -> String {
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(&self.heads);
        for row in &self.rows {
            grid.add_row(&row.cells);
        }
        for (column, right) in grid.column_iter_mut().zip(&self.right) {
            column.set_padding((0, APART as u16));
            column.set_cell_alignment(if *right { CellAlignment::Right } else { CellAlignment::Left });
        }
        let widths: Vec<usize> = grid
            .column_max_content_widths()
            .iter()
            .map(|width| usize::from(*width))
            .collect();
        let mut lines = grid.lines();
        let mut text = look.paint(Tone::Head, lines.next().unwrap_or_default().trim_end()) + "\n";
        for (row, line) in self.rows.iter().zip(lines) {
            text += &painted(line.trim_end(), row.tone, &widths, look);
            text.push('\n');
            for (note, tone) in &row.notes {
                text += &look.paint(*tone, note);
                text.push('\n');
            }
        }
        text
    }
}

/// The line with the cell of one column in its tone.
fn painted(line: &str, tone: Option<(usize, Tone)>, widths: &[usize], look: &Look) -> String {
    let Some((column, tone)) = tone.filter(|_| look.color) else {
        return line.to_owned();
    };
    let start: usize = widths.iter().take(column).map(|width| width + APART).sum();
    let width = widths.get(column).copied().unwrap_or(0);
    let before: String = line.chars().take(start).collect();
    let cell: String = line.chars().skip(start).take(width).collect();
    let after: String = line.chars().skip(start + width).collect();
    let word = cell.trim();
    let lead = cell.len() - cell.trim_start().len();
    let tail = cell.len() - lead - word.len();
    format!(
        "{before}{}{}{}{after}",
        " ".repeat(lead),
        look.paint(tone, word),
        " ".repeat(tail)
    )
}

/// Labels and what they stand for, one a line.
pub fn facts(facts: &[(&str, String)], look: &Look) -> String {
    let width = facts.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (label, fact) in facts {
        let fact = if fact.is_empty() { "-".into() } else { printable(fact) };
        text += &format!("{}  {fact}\n", look.paint(Tone::Quiet, &format!("{label:width$}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "STATE", ">BLOCKS"]);
        table.row(["lobby".into(), "ok".into(), "1,204".into()]).tone(1, Tone::Good);
        table
            .row(["y".into(), "gone\u{7}".into(), String::new()])
            .tone(1, Tone::Bad)
            .note("why:", "a\nb", Tone::Bad);
        table
    }

    #[test]
    fn columns_are_aligned_and_notes_follow_their_row() {
        assert_eq!(
            table().lines(&sample::plain()),
            "NAME   STATE      BLOCKS\nlobby  ok          1,204\ny      gone\\u{7}       -\n  why: a\\nb\n"
        );
    }

    #[test]
    fn colour_moves_no_column() {
        let look = Look {
            color: true,
            ..sample::plain()
        };
        let text = table().lines(&look);
        assert!(text.contains("lobby  \u{1b}[32mok\u{1b}[0m          1,204"), "{text:?}");
        assert!(text.contains("\u{1b}[1m\u{1b}[31mgone\\u{7}\u{1b}[0m       -"), "{text:?}");
    }

    #[test]
    fn facts_are_aligned() {
        let text = facts(&[("Name", "card".into()), ("Block size", String::new())], &sample::plain());
        assert_eq!(text, "Name        card\nBlock size  -\n");
    }
}
