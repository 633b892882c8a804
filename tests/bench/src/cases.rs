//! Cases that are measured in turns, so that whatever else the machine does falls on all of them alike.

use std::collections::BTreeMap;

use blockhaul_tests::Result;

use crate::report::{Table, figures, shown};
use crate::sample::{Sample, Series};

const COLUMNS: [&str; 8] = [
    "case",
    "MiB/s",
    "CPU s/GiB, both ends",
    "of that the target",
    "kernel workers s/GiB",
    "wake-ups/GiB",
    "RSS MiB",
    "CPU / model",
];

/// Cases in the order in which they came, and what was measured.
#[derive(Default)]
pub struct Cases {
    names: Vec<String>,
    series: BTreeMap<String, Series>,
    models: BTreeMap<String, String>,
}

impl Cases {
    /// Measures a case once more.
    pub fn run(&mut self, name: &str, measure: impl FnOnce() -> Result<Sample>) -> Result<()> {
        let sample = measure().map_err(|why| format!("{name}: {why}"))?;
        eprintln!(
            "  {name}: {:.0} MiB/s, {:.3} CPU s/GiB",
            sample.bytes as f64 / f64::from(1 << 20) / sample.wall.as_secs_f64(),
            sample.cpu.as_secs_f64() * f64::from(1 << 30) / sample.bytes as f64
        );
        if !self.series.contains_key(name) {
            self.names.push(name.into());
        }
        self.series.entry(name.into()).or_default().0.push(sample);
        Ok(())
    }

    /// The case that another one is held against.
    pub fn held_against(&mut self, name: &str, model: &str) {
        self.models.insert(name.into(), model.into());
    }

    /// Processor time of one case by that of another, from the medians.
    pub fn ratio(&self, name: &str, model: &str) -> Option<f64> {
        Some(self.series.get(name)?.cpu().median / self.series.get(model)?.cpu().median)
    }

    /// A line for each case.
    pub fn table(&self, title: &str, about: &str) -> Table {
        let mut table = Table::new(title, about, &COLUMNS);
        for name in &self.names {
            let series = &self.series[name];
            let ratio = self.models.get(name).and_then(|model| self.ratio(name, model));
            let or_none = |spread: crate::sample::Spread| if spread.most == 0.0 { "–".into() } else { shown(spread) };
            let cells = vec![
                name.clone(),
                shown(series.rate()),
                shown(series.cpu()),
                or_none(series.cpu_target()),
                shown(series.kernel()),
                shown(series.wakeups()),
                or_none(series.resident()),
                ratio.map_or("–".into(), |ratio| format!("{ratio:.2}")),
            ];
            table.add(cells, figures(series));
        }
        table
    }
}
