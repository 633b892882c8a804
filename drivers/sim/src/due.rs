//! What can become due, and where it is handled.

use hal::{Event, FeedId, IoError, LinkError, Op, VolumeId};

use crate::client::CallerId;
use crate::memory::Lent;
use crate::{DiskId, FeederId, Machines, SiteId};

/// Something that happens at a later time. It looks up whom it is about and does nothing if they are gone.
#[derive(Clone, Debug)]
pub(crate) enum Due {
    /// An event for a process.
    Post { site: SiteId, run: u64, event: Box<Event> },
    /// A disk operation completes.
    Disk { disk: DiskId, number: u64 },
    /// A card answers.
    Card {
        site: SiteId,
        run: u64,
        op: Box<Op>,
        lent: Option<Lent>,
    },
    /// The oldest save of the settings completes.
    Save { site: SiteId, run: u64 },
    /// A file is made.
    Create {
        site: SiteId,
        run: u64,
        tag: hal::Tag,
        path: String,
        size_bytes: u64,
    },
    /// An open is answered.
    Open {
        site: SiteId,
        run: u64,
        tag: hal::Tag,
        volume: VolumeId,
        path: String,
        access: hal::Access,
    },
    /// A call reaches the listener.
    Knock { wire: u64 },
    /// The dialling end learns that it is connected.
    Connected { wire: u64 },
    /// Frames of one end reach the other.
    Arrive { wire: u64, from: usize },
    /// An end learns that its link is lost.
    Break { wire: u64, end: usize, why: LinkError },
    /// An end gives up if it has been stuck since then.
    Stall { wire: u64, end: usize, since_ns: u64 },
    /// A feeder makes its next chunk, or tries to connect.
    Feed { feeder: FeederId },
    /// The time of a fill or drain is over.
    FillOver {
        site: SiteId,
        run: u64,
        feed: FeedId,
        number: u64,
    },
    /// A call reaches the appliance.
    Call { caller: CallerId, message: Vec<u8> },
    /// A caller has read the chunks on their way to it.
    Read { caller: CallerId },
}

impl Machines {
    pub(crate) fn happen(&mut self, due: Due) {
        match due {
            Due::Post { site, run, event } => {
                if self.is_alive(site, run) {
                    self.post(site, *event, Vec::new());
                }
            }
            Due::Disk { disk, number } => self.complete(disk, number),
            Due::Card { site, run, op, lent } => {
                if self.is_alive(site, run) {
                    self.on_card_due(site, *op, lent);
                }
            }
            Due::Save { site, run } => {
                if self.is_alive(site, run) {
                    self.saved(site);
                }
            }
            Due::Create {
                site,
                run,
                tag,
                path,
                size_bytes,
            } => {
                if self.is_alive(site, run) {
                    let result = self.create_file(site, &path, size_bytes);
                    self.post(site, Event::Done { tag, result }, Vec::new());
                }
            }
            Due::Open {
                site,
                run,
                tag,
                volume,
                path,
                access,
            } => {
                if self.is_alive(site, run) {
                    let result = self.open(site, volume, &path, access);
                    self.post(site, Event::Opened { tag, result }, Vec::new());
                }
            }
            Due::Knock { wire } => self.knock(wire),
            Due::Connected { wire } => self.connected(wire),
            Due::Arrive { wire, from } => self.arrive(wire, from),
            Due::Break { wire, end, why } => self.break_end(wire, end, why),
            Due::Stall { wire, end, since_ns } => self.stall_over(wire, end, since_ns),
            Due::Feed { feeder } => self.feed_on(feeder),
            Due::FillOver { site, run, feed, number } => {
                if self.is_alive(site, run) {
                    self.fill_over(site, feed, number);
                }
            }
            Due::Call { caller, message } => self.call_arrives(caller, message),
            Due::Read { caller } => self.caller_reads(caller),
        }
    }

    /// That process is the one that runs there.
    pub(crate) fn is_alive(&self, site: SiteId, run: u64) -> bool {
        let site = &self.sites[site.0];
        site.running && site.run == run
    }

    fn saved(&mut self, id: SiteId) {
        let state = &mut self.sites[id.0].state;
        let Some((tag, document)) = state.saving.pop_front() else {
            return;
        };
        let result = if state.failing_saves > 0 {
            state.failing_saves -= 1;
            Err(IoError::Full)
        } else {
            state.settings = Some(document);
            Ok(())
        };
        self.post(id, Event::Done { tag, result }, Vec::new());
    }
}
