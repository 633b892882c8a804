//! One op of an appliance: noted, then handed to the part of the machine that does it.

use hal::{Event, Op};

use crate::due::Due;
use crate::trace::Fold;
use crate::{IoKind, Machines, SiteId};

impl Machines {
    /// Starts what the appliance of a site wants. Panics on what [`hal`] forbids.
    pub fn submit(&mut self, site: SiteId, op: Op) {
        self.note_op(site, &op);
        let run = self.sites[site.0].run;
        assert!(
            self.sites[site.0].running,
            "an op of {}, where nothing runs",
            self.sites[site.0].name
        );
        assert!(!self.sites[site.0].stopping, "an op after Stop");
        match op {
            Op::ListDevices { tag } => {
                let here = &self.sites[site.0];
                let present = here.nodes.iter().map(|(path, disk)| (path, &self.disks[disk.0]));
                let event = Event::Devices {
                    tag,
                    disks: present
                        .filter(|(_, disk)| disk.present && disk.model.form != hal::VolumeForm::File)
                        .map(|(path, disk)| disk.device_facts(path))
                        .chain(here.cards.iter().map(|(path, card)| card.device_facts(path)))
                        .collect(),
                    nics: here.nics.clone(),
                };
                self.post_soon(site, event);
            }
            Op::CreateFile { tag, path, size_bytes } => {
                let delay_ns = self.random.within(&(1_000_000..=30_000_000));
                self.after(
                    delay_ns,
                    Due::Create {
                        site,
                        run,
                        tag,
                        path,
                        size_bytes,
                    },
                );
            }
            Op::RemoveFile { tag, path } => {
                let result = self.remove_file(site, &path);
                self.post_soon(site, Event::Done { tag, result });
            }
            Op::Open {
                tag,
                volume,
                path,
                access,
            } => {
                assert!(
                    !self.sites[site.0].volumes.contains_key(&volume),
                    "{volume:?} is open already"
                );
                let delay_ns = self.random.within(&(50_000..=2_000_000));
                self.after(
                    delay_ns,
                    Due::Open {
                        site,
                        run,
                        tag,
                        volume,
                        path,
                        access,
                    },
                );
            }
            Op::Read {
                tag,
                volume,
                at_bytes,
                into,
            } => {
                self.transfer(site, volume, tag, IoKind::Read, at_bytes, into);
            }
            Op::Write {
                tag,
                volume,
                at_bytes,
                from,
            } => {
                self.transfer(site, volume, tag, IoKind::Write, at_bytes, from);
            }
            Op::Flush { tag, volume } => self.command(site, volume, tag, IoKind::Flush, 0, 0),
            Op::Discard {
                tag,
                volume,
                at_bytes,
                length_bytes,
            } => {
                self.command(site, volume, tag, IoKind::Discard, at_bytes, length_bytes);
            }
            Op::Close { tag, volume } => self.close(site, volume, tag),
            op @ (Op::OpenCard { .. }
            | Op::ListCard { .. }
            | Op::LookCard { .. }
            | Op::ReadCard { .. }
            | Op::CloseCard { .. }) => self.ask_card(site, op),
            Op::TrustKeys { keys } => self.trust(site, keys),
            Op::Dial { link, route, expect } => self.dial(site, link, route, expect),
            Op::Receive { link, into } => self.receive(site, link, into),
            Op::Send {
                tag,
                link,
                message,
                body,
            } => self.send(site, tag, link, message, body),
            Op::HangUp { link } => self.hang_up(site, link),
            Op::OpenFeed { feed, path } => self.open_feed(site, feed, path),
            Op::AdoptFeed { feed, client } => self.adopt_feed(site, feed, client),
            Op::Fill { feed, into, until } => self.fill(site, feed, Some(into), until),
            Op::Drain { feed, until } => self.fill(site, feed, None, until),
            Op::CloseFeed { feed } => self.close_feed(site, feed),
            Op::Reply { client, message } => self.reply(site, client, message),
            Op::Deliver { tag, client, chunk } => self.deliver_chunk(site, tag, client, chunk),
            Op::Dismiss { client } => self.dismiss(site, client),
            Op::SaveSettings { tag, document } => {
                self.sites[site.0].state.saving.push_back((tag, document));
                let delay_ns = self.random.within(&(500_000..=20_000_000));
                self.after(delay_ns, Due::Save { site, run });
            }
            Op::ListPrograms { tag } => {
                let names = self.sites[site.0].programs.keys().cloned().collect();
                self.post_soon(site, Event::Programs { tag, names });
            }
            Op::StartProgram { tag, name, input, limit } => self.start_program(site, tag, name, input, limit),
            Op::KeepEvent { line } => self.sites[site.0].state.keep(self.now_ns, line),
            Op::Stop => self.sites[site.0].stopping = true,
        }
    }

    /// An event that costs a system call or two.
    pub(crate) fn post_soon(&mut self, site: SiteId, event: Event) {
        let delay_ns = self.random.within(&(5_000..=200_000));
        self.post_after(delay_ns, site, event);
    }

    fn note_op(&mut self, site: SiteId, op: &Op) {
        let (here, now_ns) = (&self.sites[site.0], self.now_ns);
        match op {
            Op::Write {
                tag,
                volume,
                at_bytes,
                from,
            } => {
                let hash = Fold::of(here.memory.lent_bytes(*from));
                let length = from.length_bytes;
                self.trace.note(
                    now_ns,
                    &here.name,
                    format_args!(
                        "> write {} on volume {} at {at_bytes} + {length} {hash:016x}",
                        tag.0, volume.0
                    ),
                );
            }
            Op::Send {
                tag,
                link,
                message,
                body,
            } => {
                let (hash, length) = (Fold::of(message), message.len());
                self.trace.note(
                    now_ns,
                    &here.name,
                    format_args!("> send {} on {} of {length} bytes {hash:016x} body {body:?}", tag.0, link.0),
                );
            }
            Op::Reply { client, message } => {
                let text = String::from_utf8_lossy(message);
                self.trace
                    .note(now_ns, &here.name, format_args!("> reply to client {}: {text}", client.0));
            }
            Op::SaveSettings { tag, document } => {
                let text = String::from_utf8_lossy(document);
                self.trace
                    .note(now_ns, &here.name, format_args!("> save settings {}: {text}", tag.0));
            }
            Op::KeepEvent { line } => {
                let text = String::from_utf8_lossy(line);
                self.trace.note(now_ns, &here.name, format_args!("> keep event: {text}"));
            }
            other => self.trace.note(now_ns, &here.name, format_args!("> {other:?}")),
        }
    }
}
