//! What the machine does with each op, and how it answers.

use blockhaul_core::haul::wire::Message;
use hal::{
    DeviceFacts, Event, FeedId, FlushClass, Instant, IoError, LinkError, LinkId, Memory, NicFacts, Op, Span, VolumeFacts,
    VolumeForm,
};

use super::begin::DISK_BYTES;
use super::{Desk, Fill, Link, VOLUME};

impl Desk {
    pub(super) fn submit(&mut self, op: Op) {
        let done = |tag, result| Event::Done { tag, result };
        let event = match op {
            Op::ListDevices { tag } => Event::Devices {
                tag,
                disks: vec![device()],
                nics: vec![nic()],
            },
            Op::CreateFile { tag, .. } => done(tag, Err(IoError::Full)),
            Op::RemoveFile { tag, .. } => done(tag, Err(IoError::NotFound)),
            Op::Open { tag, volume, path, .. } => {
                let result = if path != VOLUME {
                    Err(IoError::NotFound)
                } else if self.open.is_empty() {
                    self.open.insert(volume);
                    Ok(facts())
                } else {
                    Err(IoError::Busy)
                };
                Event::Opened { tag, result }
            }
            Op::Read { tag, at_bytes, into, .. } => {
                self.disk.read(at_bytes, self.ram.bytes_mut(into));
                done(tag, Ok(()))
            }
            Op::Write { tag, at_bytes, from, .. } => {
                self.disk.put(at_bytes, self.ram.bytes(from));
                done(tag, Ok(()))
            }
            Op::Flush { tag, .. } | Op::Discard { tag, .. } => done(tag, Ok(())),
            Op::Close { tag, volume } => {
                self.open.remove(&volume);
                done(tag, Ok(()))
            }
            Op::SaveSettings { tag, document } => {
                self.settings = Some(document);
                done(tag, Ok(()))
            }
            Op::OpenFeed { feed, .. } => Event::FeedOpened { feed, result: Ok(()) },
            Op::AdoptFeed { feed, client } => {
                let result = match self.clients.get_mut(&client) {
                    Some(adopted) => {
                        *adopted = Some(feed);
                        Ok(())
                    }
                    None => Err(IoError::Gone),
                };
                Event::FeedOpened { feed, result }
            }
            Op::Fill { feed, into, until } => return self.wait(feed, Some(into), until),
            Op::Drain { feed, until } => return self.wait(feed, None, until),
            Op::CloseFeed { feed } => return self.close_feed(feed),
            Op::Reply { client, message } => {
                let answer = serde_json::from_slice(&message).expect("an answer is JSON");
                if self.clients.contains_key(&client) {
                    self.replies.push((client, answer));
                }
                return;
            }
            Op::Deliver { tag, client, chunk } => {
                self.delivered.push(self.ram.bytes(chunk).to_vec());
                let there = self.clients.contains_key(&client);
                let result = if there { Ok(()) } else { Err(IoError::Gone) };
                Event::Delivered { tag, client, result }
            }
            Op::Dismiss { client } => match self.clients.remove(&client) {
                Some(_) => Event::ClientGone { client },
                None => return,
            },
            Op::TrustKeys { keys } => return self.trust(keys),
            Op::Dial { link, expect, .. } => {
                if !self.reachable {
                    let why = LinkError::Unreachable;
                    self.owed.push_back(Event::LinkDown { link, why });
                    return;
                }
                let lent = std::collections::VecDeque::new();
                self.links.insert(link, Link { peer: expect, lent });
                self.dialled.push(link);
                let address = "192.0.2.2:7411".to_owned();
                Event::LinkUp {
                    link,
                    peer: expect,
                    address,
                }
            }
            Op::Receive { link, into } => {
                if let Some(link) = self.links.get_mut(&link) {
                    link.lent.push_back(into);
                }
                return;
            }
            Op::Send { tag, link, message, .. } => {
                let message = Message::decode(&message).expect("what is sent can be read");
                let up = self.links.contains_key(&link);
                if up {
                    self.said.push((link, message));
                }
                let result = if up { Ok(()) } else { Err(LinkError::Lost) };
                Event::Sent { tag, link, result }
            }
            Op::HangUp { link } => return self.hang_up(link, LinkError::HungUp),
            Op::OpenCard { tag, .. } => Event::CardOpened {
                tag,
                result: Err(hal::IoError::NotFound),
            },
            Op::ListCard { .. } | Op::LookCard { .. } | Op::ReadCard { .. } | Op::CloseCard { .. } => {
                unreachable!("no card was ever opened here")
            }
            Op::ListPrograms { tag } => Event::Programs {
                tag,
                names: vec!["beep".to_owned()],
            },
            Op::StartProgram { tag, .. } => Event::ProgramEnded {
                tag,
                result: Ok(hal::ProgramEnd::Exited(1)),
            },
            Op::KeepEvent { line } => {
                let line: Result<serde_json::Value, _> = serde_json::from_slice(&line);
                assert!(line.is_ok(), "an event that is kept is JSON");
                return;
            }
            Op::Stop => return,
        };
        self.owed.push_back(event);
    }

    fn wait(&mut self, feed: FeedId, into: Option<Span>, until: Instant) {
        self.fills.insert(feed, Fill { into, until });
    }

    fn close_feed(&mut self, feed: FeedId) {
        if self.fills.remove(&feed).is_some() {
            self.owed.push_back(Event::Filled {
                feed,
                bytes: 0,
                end: true,
            });
        }
        let adopted = self.clients.iter().find(|(_, taken)| **taken == Some(feed));
        if let Some(client) = adopted.map(|(client, _)| *client) {
            self.clients.remove(&client);
            self.owed.push_back(Event::ClientGone { client });
        }
    }

    fn hang_up(&mut self, link: LinkId, why: LinkError) {
        if self.links.remove(&link).is_some() {
            self.owed.push_back(Event::LinkDown { link, why });
        }
    }

    fn trust(&mut self, keys: Vec<hal::Fingerprint>) {
        let accepted = |link: &LinkId| link.0 % 2 == 1;
        let lost = self
            .links
            .iter()
            .filter(|(link, up)| accepted(link) && !keys.contains(&up.peer));
        let lost: Vec<LinkId> = lost.map(|(link, _)| *link).collect();
        self.trusted = keys;
        lost.into_iter().for_each(|link| self.hang_up(link, LinkError::KeyRefused));
    }
}

fn facts() -> VolumeFacts {
    VolumeFacts {
        form: VolumeForm::Disk,
        size_bytes: DISK_BYTES,
        logical_sector_bytes: 512,
        physical_sector_bytes: 4096,
        alignment_bytes: 4096,
        flush: FlushClass::WriteBack,
        fua: false,
        discard_bytes: 0,
        removable: false,
        erase_bytes: 0,
        starts_at_bytes: 0,
        serial: "1".to_owned(),
        same_as: 1,
    }
}

fn device() -> DeviceFacts {
    DeviceFacts {
        path: VOLUME.to_owned(),
        form: VolumeForm::Disk,
        model: "desk".to_owned(),
        serial: "1".to_owned(),
        size_bytes: DISK_BYTES,
        logical_sector_bytes: 512,
        physical_sector_bytes: 4096,
        flush: FlushClass::WriteBack,
        fua: false,
        discard_bytes: 0,
        removable: true,
        read_only: false,
        held_by: String::new(),
        health: String::new(),
    }
}

fn nic() -> NicFacts {
    NicFacts {
        name: "eth0".to_owned(),
        up: true,
        speed_mbit: 1000,
        mtu_bytes: 1500,
        addresses: vec!["192.0.2.9/24".to_owned()],
        hardware: String::new(),
        received_bytes: 0,
        sent_bytes: 0,
        errors: 0,
    }
}
