//! What this machine can do at all: the parts of the pipeline alone, and the bare pipeline, each as processes of their own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use blockhaul_tests::Result;
use blockhaul_tests::appliance::free_address;

use crate::cost::{Cost, kernel_workers};
use crate::sample::Sample;

/// A piece of work for the model.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// Device that is read.
    pub from: Option<&'a Path>,
    /// Device that is written.
    pub to: Option<&'a Path>,
    /// All bytes.
    pub bytes: u64,
    /// Bytes of a block.
    pub block: u32,
    /// Folder of the certificate, if it is encrypted.
    pub tls: Option<&'a Path>,
    /// Blocks are checked.
    pub check: bool,
}

impl Work<'_> {
    /// Reads only.
    pub fn read(&self) -> Result<Sample> {
        self.measure(|| finish(model("read", self, self.from, &[])?).map(drop))
    }

    /// Writes only.
    pub fn write(&self) -> Result<Sample> {
        self.measure(|| finish(model("write", self, self.to, &[])?).map(drop))
    }

    /// From end to end.
    pub fn pipe(&self) -> Result<Sample> {
        self.measure(|| self.both(&[]).map(drop))
    }

    /// From end to end, one block at a time: the time of each.
    pub fn each(&self) -> Result<Vec<Duration>> {
        let printed = self.both(&["--each"])?;
        let times = printed.lines().filter_map(|line| line.trim().parse().ok());
        Ok(times.map(Duration::from_nanos).collect())
    }

    fn both(&self, more: &[&str]) -> Result<String> {
        let address = free_address()?.to_string();
        let more = [more, &["--address", &address]].concat();
        let mut receiver = model("receive", self, self.to, &more)?;
        let ready = receiver.stdout.take().map(BufReader::new);
        let mut line = String::new();
        ready
            .ok_or("the model has no output")?
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        let sender = model("send", self, self.from, &more)?;
        let printed = finish(sender)?;
        finish(receiver)?;
        Ok(printed)
    }

    fn measure(&self, work: impl FnOnce() -> Result<()>) -> Result<Sample> {
        let (before, kernel, begun) = (Cost::of_children()?, kernel_workers(), Instant::now());
        work()?;
        let wall = begun.elapsed();
        let spent = Cost::of_children()? - before;
        Ok(Sample {
            bytes: self.bytes,
            wall,
            cpu: spent.cpu,
            kernel: kernel_workers().saturating_sub(kernel),
            wakeups: spent.wakeups,
            ..Sample::default()
        })
    }
}

/// Starts one end of the model.
fn model(role: &str, work: &Work, device: Option<&Path>, more: &[&str]) -> Result<Child> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["model", role, "--bytes", &work.bytes.to_string()]);
    command.args(["--block", &work.block.to_string()]).args(more);
    if let Some(device) = device {
        command.arg("--device").arg(device);
    }
    if let Some(folder) = work.tls {
        command.arg("--tls").arg(folder);
    }
    if work.check {
        command.arg("--check");
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    child.map_err(|error| format!("the model cannot be run: {error}"))
}

fn finish(child: Child) -> Result<String> {
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("the model failed ({})", output.status))
    }
}
