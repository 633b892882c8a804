//! One measurement and many: medians and spread. Not how they are taken.

use std::time::Duration;

use serde_json::{Value, json};

const GIBIBYTE: f64 = (1u64 << 30) as f64;

/// One run of one job.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// What was moved.
    pub bytes: u64,
    /// How long that took.
    pub wall: Duration,
    /// User and system time of the processes of both ends.
    pub cpu: Duration,
    /// The part of it at the target; 0 if it was not looked at.
    pub cpu_target: Duration,
    /// Processor time of the kernel's workers in that time.
    pub kernel: Duration,
    /// Voluntary context switches of both ends.
    pub wakeups: u64,
    /// Highest resident memory of one end; 0 if it was not looked at.
    pub resident_bytes: u64,
}

/// Middle, least and greatest of a figure.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    /// Median.
    pub median: f64,
    /// Least.
    pub least: f64,
    /// Greatest.
    pub most: f64,
}

impl Spread {
    /// Of some figures; zeros if there are none.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Spread {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        match (figures.first(), figures.last()) {
            (Some(least), Some(most)) => Spread {
                median: figures[figures.len() / 2],
                least: *least,
                most: *most,
            },
            _ => Spread::default(),
        }
    }

    /// For programs.
    pub fn to_json(self) -> Value {
        json!({ "median": round(self.median), "min": round(self.least), "max": round(self.most) })
    }
}

/// Four significant places are more than such figures have.
pub fn round(figure: f64) -> f64 {
    (figure * 10_000.0).round() / 10_000.0
}

/// All runs of one case.
#[derive(Clone, Debug, Default)]
pub struct Series(pub Vec<Sample>);

impl Series {
    /// MiB a second.
    pub fn rate(&self) -> Spread {
        Spread::of(
            self.0
                .iter()
                .map(|one| one.bytes as f64 / f64::from(1 << 20) / one.wall.as_secs_f64()),
        )
    }

    /// Processor seconds for a GiB.
    pub fn cpu(&self) -> Spread {
        Spread::of(self.per_gibibyte(|one| one.cpu.as_secs_f64()))
    }

    /// The target's part of that.
    pub fn cpu_target(&self) -> Spread {
        Spread::of(self.per_gibibyte(|one| one.cpu_target.as_secs_f64()))
    }

    /// Processor seconds of the kernel's workers for a GiB.
    pub fn kernel(&self) -> Spread {
        Spread::of(self.per_gibibyte(|one| one.kernel.as_secs_f64()))
    }

    /// Wake-ups for a GiB.
    pub fn wakeups(&self) -> Spread {
        Spread::of(self.per_gibibyte(|one| one.wakeups as f64))
    }

    /// Highest resident memory of one end, in MiB.
    pub fn resident(&self) -> Spread {
        Spread::of(self.0.iter().map(|one| one.resident_bytes as f64 / f64::from(1 << 20)))
    }

    fn per_gibibyte(&self, figure: impl Fn(&Sample) -> f64) -> impl Iterator<Item = f64> {
        self.0.iter().map(move |one| figure(one) * GIBIBYTE / one.bytes as f64)
    }
}
