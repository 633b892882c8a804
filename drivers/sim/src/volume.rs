//! Volumes: what an appliance does to disks, and what comes of it.

use std::sync::Arc;

use hal::{Access, Event, IoError, Span, Tag, VolumeFacts, VolumeId};

use crate::disk::Beyond;
use crate::disk::{Flying, Holder};
use crate::due::Due;
use crate::fault::{FailedReads, note, strike};
use crate::memory::Use;
use crate::site::Volume;
use crate::wound::Cause;
use crate::{DiskId, DiskModel, Effect, IoKind, Machines, SiteId};

/// How long a device that is not there takes to say so.
const GONE_NS: u64 = 20_000;

impl Machines {
    pub(crate) fn create_file(&mut self, site: SiteId, path: &str, size_bytes: u64) -> Result<(), IoError> {
        let here = &mut self.sites[site.0];
        if here.nodes.contains_key(path) {
            return Err(IoError::Exists);
        }
        here.file_room_bytes = here.file_room_bytes.checked_sub(size_bytes).ok_or(IoError::Full)?;
        self.add_disk(site, path, DiskModel::file(size_bytes));
        Ok(())
    }

    pub(crate) fn remove_file(&mut self, site: SiteId, path: &str) -> Result<(), IoError> {
        let disk = self.disk_at(site, path).ok_or(IoError::NotFound)?;
        if self.disks[disk.0].model.form != hal::VolumeForm::File {
            return Err(IoError::Refused);
        }
        self.sites[site.0].nodes.remove(path);
        Ok(())
    }

    pub(crate) fn open(&mut self, site: SiteId, volume: VolumeId, path: &str, access: Access) -> Result<VolumeFacts, IoError> {
        let id = self.disk_at(site, path).ok_or(IoError::NotFound)?;
        let disk = &mut self.disks[id.0];
        if let Some(error) = disk.refusal(access) {
            return Err(error);
        }
        let run = self.sites[site.0].run;
        disk.holders.push(Holder {
            site,
            run,
            volume,
            access,
        });
        let volume_facts = disk.volume_facts(u64::try_from(id.0).expect("a count") + 1);
        let open = Volume {
            disk: id,
            insertion: disk.insertion,
            access,
            flying: 0,
            closing: None,
        };
        self.sites[site.0].volumes.insert(volume, open);
        Ok(volume_facts)
    }

    pub(crate) fn close(&mut self, site: SiteId, volume: VolumeId, tag: Tag) {
        let open = self.open_volume(site, volume);
        open.closing = Some(tag);
        self.close_if_done(site, volume);
    }

    pub(crate) fn transfer(&mut self, site: SiteId, volume: VolumeId, tag: Tag, kind: IoKind, at_bytes: u64, span: Span) {
        let disk = self.open_volume(site, volume).disk;
        let alignment = self.disks[disk.0].model.alignment_bytes;
        assert!(
            at_bytes.is_multiple_of(u64::from(alignment)),
            "an offset of {at_bytes} is not aligned to {alignment}"
        );
        assert!(
            span.offset_bytes.is_multiple_of(alignment),
            "{span:?} is not aligned to {alignment}"
        );
        assert!(
            span.length_bytes.is_multiple_of(alignment),
            "{span:?} is not aligned to {alignment}"
        );
        assert!(span.length_bytes > 0, "a transfer of nothing");
        let used = if kind == IoKind::Read { Use::Writes } else { Use::Reads };
        let lent = self.sites[site.0].memory.lend(span, used);
        self.fly(site, volume, tag, kind, at_bytes, u64::from(span.length_bytes), Some(lent));
    }

    pub(crate) fn command(&mut self, site: SiteId, volume: VolumeId, tag: Tag, kind: IoKind, at_bytes: u64, length_bytes: u64) {
        self.fly(site, volume, tag, kind, at_bytes, length_bytes, None);
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one disk operation")]
    fn fly(
        &mut self,
        site: SiteId,
        volume: VolumeId,
        tag: Tag,
        kind: IoKind,
        at_bytes: u64,
        length_bytes: u64,
        lent: Option<crate::memory::Lent>,
    ) {
        let open = self.open_volume(site, volume);
        assert!(
            match open.access {
                Access::Exclusive => true,
                Access::ExclusiveToRead => matches!(kind, IoKind::Read | IoKind::Flush),
                Access::ReadOnly => kind == IoKind::Read,
            },
            "{kind:?} on a read-only {volume:?}"
        );
        open.flying += 1;
        let (id, insertion) = (open.disk, open.insertion);
        let run = self.sites[site.0].run;
        let (number, since_ns) = (self.number(), self.now_ns);
        let disk = &mut self.disks[id.0];
        let covers = disk.completed();
        let flying = Flying {
            site,
            run,
            volume,
            tag,
            kind,
            at_bytes,
            length_bytes,
            since_ns,
            lent,
            left_behind: None,
            covers,
            insertion,
        };
        disk.flying.insert(number, flying);
        self.log_submitted(id, number, kind);
        let delay_ns = self.delay_ns(id, kind, length_bytes);
        self.after(delay_ns, Due::Disk { disk: id, number });
    }

    fn delay_ns(&mut self, id: DiskId, kind: IoKind, length_bytes: u64) -> u64 {
        let disk = &self.disks[id.0];
        if !disk.present {
            return GONE_NS;
        }
        let latency = &disk.latency;
        let (range, moved_bytes) = match kind {
            IoKind::Read => (&latency.read_ns, length_bytes),
            IoKind::Write => (&latency.write_ns, length_bytes),
            IoKind::Flush => (&latency.flush_ns, 0),
            IoKind::Discard => (&latency.write_ns, 0),
        };
        let transfer_ns = moved_bytes.saturating_mul(1_000_000_000) / latency.bytes_per_second;
        (self.random.within(range) + transfer_ns).saturating_mul(latency.factor)
    }

    /// A disk operation is over, unless the disk hangs.
    pub(crate) fn complete(&mut self, id: DiskId, number: u64) {
        let disk = &mut self.disks[id.0];
        if disk.hung && disk.present && disk.flying.contains_key(&number) {
            disk.waiting.push(number);
            return;
        }
        let Some(flying) = disk.flying.remove(&number) else { return };
        let result = self.take_effect(id, &flying);
        if result.is_ok() {
            self.disks[id.0].log_completed(number, flying.kind);
        }
        let Flying {
            site,
            run,
            volume,
            tag,
            lent,
            ..
        } = flying;
        if self.is_alive(site, run) {
            self.post(site, Event::Done { tag, result }, lent.into_iter().collect());
            self.open_volume(site, volume).flying -= 1;
            self.close_if_done(site, volume);
        } else {
            let disk = &mut self.disks[id.0];
            if disk.flying.values().all(|other| (other.site, other.run) != (site, run)) {
                disk.holders.retain(|holder| (holder.site, holder.run) != (site, run));
            }
        }
    }

    fn take_effect(&mut self, id: DiskId, flying: &Flying) -> Result<(), IoError> {
        let Self {
            disks,
            sites,
            random,
            now_ns,
            ..
        } = self;
        let disk = &mut disks[id.0];
        let &Flying {
            kind,
            at_bytes,
            length_bytes,
            ..
        } = flying;
        if !disk.present || flying.insertion != disk.insertion {
            return Err(IoError::Gone);
        }
        if kind != IoKind::Flush && at_bytes.saturating_add(length_bytes) > disk.model.size_bytes {
            return Err(if kind == IoKind::Read { IoError::Short } else { IoError::Full });
        }
        if kind != IoKind::Read && disk.read_only {
            return Err(IoError::ReadOnly);
        }
        let mut cause = None;
        let mut effect = strike(&mut disk.faults, kind, at_bytes, length_bytes);
        if let Some((real_bytes, beyond)) = disk.counterfeit
            && matches!(kind, IoKind::Read | IoKind::Write)
            && at_bytes + length_bytes > real_bytes
        {
            cause = Some(Cause::Counterfeit);
            effect = Some(match beyond {
                Beyond::Vanishes => Effect::Nothing,
                Beyond::Wraps => Effect::Astray {
                    to_bytes: at_bytes % real_bytes,
                },
            });
        }
        if let Some(effect) = effect {
            note(&mut disk.struck, kind, effect, *now_ns);
        }
        let meant = at_bytes;
        let at_bytes = if let Some(Effect::Astray { to_bytes }) = effect {
            to_bytes
        } else {
            at_bytes
        };
        let memory = &mut sites[flying.site.0].memory;
        if kind == IoKind::Read && !matches!(effect, Some(Effect::Error(_))) {
            disk.failed_reads.remove(&(at_bytes, length_bytes));
        }
        match (kind, effect) {
            (IoKind::Read, _) => {
                let Some(lent) = flying.lent else { return Ok(()) };
                let into = memory.lent_bytes_mut(lent.span);
                match effect {
                    Some(Effect::Error(error)) => {
                        into.fill(0xee);
                        let failed = disk.failed_reads.entry((at_bytes, length_bytes));
                        let failed = failed.or_insert(FailedReads {
                            times: 0,
                            since_ns: *now_ns,
                            error,
                        });
                        failed.times += 1;
                        return Err(error);
                    }
                    Some(Effect::Nothing) => into.fill(0),
                    Some(Effect::Astray { .. } | Effect::Flip) | None => disk.current().read(at_bytes, into),
                }
                if effect == Some(Effect::Flip) {
                    flip(into, random);
                }
                Ok(())
            }
            (IoKind::Write, Some(Effect::Nothing)) => {
                disk.lose_write(meant, written(flying, memory), cause.unwrap_or(Cause::LostWrite));
                Ok(())
            }
            (IoKind::Write, _) => {
                let mut bytes = written(flying, memory);
                if let Some(Effect::Error(error)) = effect {
                    disk.write_torn(at_bytes, &bytes, random);
                    return Err(error);
                }
                match effect {
                    Some(Effect::Flip) => {
                        flip(Arc::make_mut(&mut bytes), random);
                        disk.write_wrongly(at_bytes, bytes, Cause::Altered);
                    }
                    Some(Effect::Astray { .. }) => {
                        let cause = cause.unwrap_or(Cause::Misdirected);
                        disk.lose_write(meant, bytes.clone(), cause);
                        disk.write_wrongly(at_bytes, bytes, cause);
                    }
                    Some(Effect::Error(_) | Effect::Nothing) | None => disk.write(at_bytes, bytes),
                }
                Ok(())
            }
            (IoKind::Flush, Some(Effect::Error(error))) => {
                disk.fail_flush(flying.covers, random);
                Err(error)
            }
            (IoKind::Discard, Some(Effect::Error(error))) => Err(error),
            (IoKind::Flush, Some(Effect::Nothing)) => {
                disk.lie(flying.covers);
                Ok(())
            }
            (IoKind::Discard, Some(Effect::Nothing)) => Ok(()),
            (IoKind::Flush, _) => {
                disk.flush(flying.covers);
                Ok(())
            }
            (IoKind::Discard, _) if disk.model.discard_bytes == 0 => Err(IoError::Unsupported),
            (IoKind::Discard, _) => {
                disk.clear(at_bytes, length_bytes);
                Ok(())
            }
        }
    }

    fn open_volume(&mut self, site: SiteId, volume: VolumeId) -> &mut Volume {
        let open = self.sites[site.0].volumes.get_mut(&volume);
        open.unwrap_or_else(|| panic!("{volume:?} is not open"))
    }

    fn close_if_done(&mut self, site: SiteId, volume: VolumeId) {
        let open = self.open_volume(site, volume);
        let Some(tag) = open.closing.filter(|_| open.flying == 0) else {
            return;
        };
        let disk = open.disk;
        let run = self.sites[site.0].run;
        self.sites[site.0].volumes.remove(&volume);
        let disk = &mut self.disks[disk.0];
        disk.holders
            .retain(|holder| (holder.site, holder.run, holder.volume) != (site, run, volume));
        if disk.holders.is_empty() {
            disk.forget_failed_flushes();
        }
        self.post_soon(site, Event::Done { tag, result: Ok(()) });
    }

    /// Lets operations of a disk not complete from now on.
    pub fn hang_disk(&mut self, id: DiskId) {
        self.say(&format!("{} hangs", self.disks[id.0].name));
        self.disks[id.0].hung = true;
    }

    /// Lets a hung disk go on, and complete what is late.
    pub fn release_disk(&mut self, id: DiskId) {
        self.say(&format!("{} goes on", self.disks[id.0].name));
        self.disks[id.0].hung = false;
        for number in std::mem::take(&mut self.disks[id.0].waiting) {
            let delay_ns = self.random.within(&(10_000..=2_000_000));
            self.after(delay_ns, Due::Disk { disk: id, number });
        }
    }

    /// Takes a disk away: what was in its cache is lost as in a power cut, and what was open on it fails.
    pub fn take_disk(&mut self, id: DiskId) {
        self.say(&format!("{} is taken away", self.disks[id.0].name));
        let in_flight = self.writes_in_flight(id);
        self.disks[id.0].present = false;
        self.disks[id.0].lose_power(in_flight, &mut self.random);
        self.release_disk(id);
        self.device_changed(id, false);
    }

    /// Offsets and contents of the writes that a disk has not completed.
    pub(crate) fn writes_in_flight(&self, id: DiskId) -> Vec<(u64, Arc<[u8]>)> {
        let flying = self.disks[id.0].flying.values();
        flying
            .filter(|flying| flying.kind == IoKind::Write)
            .map(|flying| (flying.at_bytes, written(flying, &self.sites[flying.site.0].memory)))
            .collect()
    }

    /// Puts a disk back: volumes that were open on it stay dead.
    pub fn return_disk(&mut self, id: DiskId) {
        self.say(&format!("{} is back", self.disks[id.0].name));
        self.disks[id.0].present = true;
        self.disks[id.0].insertion += 1;
        self.device_changed(id, true);
    }

    /// Lets a path of a site lead to a disk from now on: a card moved, swapped, or known under a second name.
    pub fn plug(&mut self, site: SiteId, path: &str, disk: DiskId) {
        let name = self.disks[disk.0].name.clone();
        self.note(site, format_args!("# {path} is {name} now"));
        self.sites[site.0].nodes.insert(path.into(), disk);
    }

    /// A path of a site leads nowhere from now on.
    pub fn unplug(&mut self, site: SiteId, path: &str) {
        self.note(site, format_args!("# {path} is unplugged"));
        self.sites[site.0].nodes.remove(path);
    }

    /// A second disk with the same bytes and the same serial number.
    pub fn clone_disk(&mut self, id: DiskId, site: SiteId, path: &str) -> DiskId {
        let snapshot = self.disks[id.0].snapshot();
        let clone = self.add_disk(site, path, self.disks[id.0].model.clone());
        self.disks[clone.0].restore(&snapshot);
        clone
    }

    fn device_changed(&mut self, id: DiskId, added: bool) {
        for site in (0..self.sites.len()).map(SiteId) {
            let here = &self.sites[site.0];
            let paths: Vec<String> = here
                .nodes
                .iter()
                .filter(|(_, disk)| **disk == id)
                .map(|(path, _)| path.clone())
                .collect();
            if here.running {
                for path in paths {
                    self.post_soon(site, Event::DeviceChanged { path, added });
                }
            }
        }
    }
}

/// The content of a write that completes.
pub(crate) fn written(flying: &Flying, memory: &crate::BlockMemory) -> Arc<[u8]> {
    match (&flying.left_behind, flying.lent) {
        (Some(bytes), _) => bytes.clone(),
        (None, Some(lent)) => memory.lent_bytes(lent.span).into(),
        (None, None) => unreachable!("a write has content"),
    }
}

fn flip(bytes: &mut [u8], random: &mut crate::Random) {
    let bits = u64::try_from(bytes.len()).expect("lengths fit in 64 bits") * 8;
    let bit = random.below(bits);
    bytes[usize::try_from(bit / 8).expect("below a length")] ^= 1 << (bit % 8);
}
