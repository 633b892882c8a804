//! The slow thread: everything about disks that blocks and that the ring cannot do.
//!
//! One thread, first come, first served. It never touches the block memory.
//!
//! Invariant: every job has exactly one outcome, in the order of the jobs.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hal::{Access, DeviceFacts, IoError, Tag, VolumeId};

use super::errno::meaning;
use super::file::Files;
use super::ioctl;
use super::listing::list_disks;
use super::open::{Opened, open};
use super::order::Claim;
use super::ring::{DiskError, notify};

/// How long the end waits for the jobs.
const DROP_WAIT: Duration = Duration::from_secs(10);

/// What the slow thread is to do.
pub(super) enum Job {
    List {
        tag: Tag,
    },
    Create {
        tag: Tag,
        path: String,
        size_bytes: u64,
    },
    Remove {
        tag: Tag,
        path: String,
    },
    Open {
        tag: Tag,
        volume: VolumeId,
        path: String,
        access: Access,
    },
    Discard {
        tag: Tag,
        volume: VolumeId,
        file: Arc<OwnedFd>,
        claim: Claim,
    },
    Close {
        tag: Tag,
        file: Arc<OwnedFd>,
    },
}

/// How a job ended.
pub(super) enum Outcome {
    Listed {
        tag: Tag,
        disks: Vec<DeviceFacts>,
    },
    Opened {
        tag: Tag,
        volume: VolumeId,
        result: Result<Opened, IoError>,
    },
    Discarded {
        tag: Tag,
        volume: VolumeId,
        claim: Claim,
        result: Result<(), IoError>,
    },
    Done {
        tag: Tag,
        result: Result<(), IoError>,
    },
}

/// The thread, from outside.
pub(super) struct SlowThread {
    /// None once no more jobs may come.
    jobs: Option<Sender<Job>>,
    outcomes: Receiver<Outcome>,
    thread: Option<JoinHandle<()>>,
}

impl SlowThread {
    /// Starts the thread; it makes `event` readable whenever there is an outcome.
    pub(super) fn start(event: Arc<OwnedFd>) -> Result<SlowThread, DiskError> {
        let (jobs, to_do) = channel::<Job>();
        let (done, outcomes) = channel();
        let thread = std::thread::Builder::new().name("disk-slow".to_owned()).spawn(move || {
            let mut files = Files::default();
            for job in to_do {
                // If nobody takes the outcome any more, the job was still to be done: a close, for example.
                let _ = done.send(run(job, &mut files));
                notify(&event);
            }
        });
        let thread = thread.map_err(|_| DiskError::Exhausted)?;
        Ok(SlowThread {
            jobs: Some(jobs),
            outcomes,
            thread: Some(thread),
        })
    }

    pub(super) fn submit(&self, job: Job) {
        let jobs = self.jobs.as_ref().expect("jobs come before the end");
        jobs.send(job).expect("the slow thread lives until the last job");
    }

    /// The next outcome, if there is one.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.outcomes.try_recv().ok()
    }
}

impl Drop for SlowThread {
    /// Ends the thread after its jobs. One that hangs in the kernel is left behind.
    fn drop(&mut self) {
        let until = Instant::now() + DROP_WAIT;
        self.jobs = None;
        // The channel is cut when the thread ends.
        while self
            .outcomes
            .recv_timeout(until.saturating_duration_since(Instant::now()))
            .is_ok()
        {}
        if let Some(thread) = self.thread.take_if(|_| Instant::now() < until) {
            // A panic of that thread has been reported by itself.
            let _ = thread.join();
        }
    }
}

fn run(job: Job, files: &mut Files) -> Outcome {
    match job {
        Job::List { tag } => Outcome::Listed {
            tag,
            disks: list_disks(),
        },
        Job::Create { tag, path, size_bytes } => Outcome::Done {
            tag,
            result: files.create(&path, size_bytes),
        },
        Job::Remove { tag, path } => Outcome::Done {
            tag,
            result: files.remove(&path),
        },
        Job::Open {
            tag,
            volume,
            path,
            access,
        } => Outcome::Opened {
            tag,
            volume,
            result: open(&path, access),
        },
        Job::Discard {
            tag,
            volume,
            file,
            claim,
        } => {
            let length_bytes = claim.bytes.end - claim.bytes.start;
            let result = ioctl::discard(&file, claim.bytes.start, length_bytes).map_err(meaning);
            Outcome::Discarded {
                tag,
                volume,
                claim,
                result,
            }
        }
        Job::Close { tag, file } => {
            // The last handle: everything else on the volume has finished. The kernel has nothing to say that a flush
            // before did not say.
            drop(file);
            Outcome::Done { tag, result: Ok(()) }
        }
    }
}
