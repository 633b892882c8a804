//! What was measured, as tables for people and figures for programs.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::sample::{Series, Spread};

/// One table: a line for each case.
pub struct Table {
    title: String,
    about: String,
    columns: Vec<String>,
    lines: Vec<Vec<String>>,
    figures: Map<String, Value>,
}

impl Table {
    /// An empty one. `about` is a sentence below the title.
    pub fn new(title: &str, about: &str, columns: &[&str]) -> Table {
        Table {
            title: title.into(),
            about: about.into(),
            columns: columns.iter().map(|&column| column.into()).collect(),
            lines: Vec::new(),
            figures: Map::new(),
        }
    }

    /// A line: its cells, and the same for programs under the first of them.
    pub fn add(&mut self, cells: Vec<String>, figures: Value) {
        self.figures.insert(cells.first().cloned().unwrap_or_default(), figures);
        self.lines.push(cells);
    }

    /// As Markdown, with columns in line.
    pub fn markdown(&self) -> String {
        let cell = |line: &[String], at: usize| line.get(at).cloned().unwrap_or_default();
        let all = || std::iter::once(&self.columns).chain(&self.lines);
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|at| all().map(|line| cell(line, at).chars().count()).max().unwrap_or(0).max(3))
            .collect();
        let mut text = format!("### {}\n\n", self.title);
        if !self.about.is_empty() {
            let _ = writeln!(text, "{}\n", self.about);
        }
        for (number, line) in all().enumerate() {
            for (at, width) in widths.iter().enumerate() {
                let _ = write!(text, "| {:<width$} ", cell(line, at));
            }
            text.push_str("|\n");
            if number == 0 {
                for width in &widths {
                    let _ = write!(text, "|{}", "-".repeat(width + 2));
                }
                text.push_str("|\n");
            }
        }
        text
    }

    /// Title and figures for programs.
    pub fn to_json(&self) -> (String, Value) {
        (self.title.clone(), Value::Object(self.figures.clone()))
    }
}

/// A figure with its spread, to three places that mean something.
pub fn shown(spread: Spread) -> String {
    let one = |figure: f64| match figure {
        figure if figure >= 100.0 => format!("{figure:.0}"),
        figure if figure >= 10.0 => format!("{figure:.1}"),
        figure => format!("{figure:.3}"),
    };
    if spread.least == spread.most {
        one(spread.median)
    } else {
        format!("{} ({}–{})", one(spread.median), one(spread.least), one(spread.most))
    }
}

/// The figures of a series for programs.
pub fn figures(series: &Series) -> Value {
    json!({
        "mib_per_s": series.rate().to_json(),
        "cpu_s_per_gib": series.cpu().to_json(),
        "cpu_target_s_per_gib": series.cpu_target().to_json(),
        "kernel_s_per_gib": series.kernel().to_json(),
        "wakeups_per_gib": series.wakeups().to_json(),
        "resident_mib": series.resident().to_json(),
        "runs": series.0.len(),
    })
}
