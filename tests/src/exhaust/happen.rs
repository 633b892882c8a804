//! What a choice does to the world, and the words for it.

use std::rc::Rc;

use hal::{Event, IoError, LinkError, LinkId};

use super::bench::Bench;
use super::choice::Choice;
use super::links::Item;
use super::site::{Flight, Work};
use super::world::World;

impl World {
    /// Lets one thing happen. The error is what is wrong with it.
    pub fn happen(&mut self, choice: Choice, bench: &mut Bench) -> Result<(), String> {
        match choice {
            Choice::Done(at, index) => self.complete(at, index, bench),
            Choice::Fail(at, index, written) => self.fail(at, index, written, bench),
            Choice::Fed(at, index) => {
                let (feed, door) = self.door(at, index);
                let Some(into) = door.fill.and_then(|fill| fill.into) else {
                    return Ok(());
                };
                let (bytes, end) = self.sites[at].next_bytes(&door, u64::from(into.length_bytes));
                self.put(at, into.part(0, bytes.len() as u32), &bytes, bench);
                // A fill returns when it is full, when the feeder ends, or when its time has come.
                let event = self.sites[at].filled(feed, bytes.len() as u64, end);
                self.hand(at, event, bench)
            }
            Choice::Due(at, index) => {
                let (feed, _) = self.door(at, index);
                let event = self.sites[at].filled(feed, 0, false);
                self.hand(at, event, bench)
            }
            Choice::Knock(index) => self.knock(index, bench),
            Choice::Connect(index) => {
                let [dialler, acceptor] = &mut self.links[index].ends;
                dialler.up = true;
                let (at, link, other) = (dialler.site, dialler.link, acceptor.site);
                let (peer, address) = (self.sites[other].key, self.sites[other].name.to_owned());
                self.hand(at, Event::LinkUp { link, peer, address }, bench)
            }
            Choice::Sent(index, place) => {
                let end = &mut self.links[index].ends[place];
                let Some(sending) = end.sending.pop_front() else {
                    return Ok(());
                };
                let (at, link) = (end.site, end.link);
                let result = match end.breaks {
                    Some((_, why)) => Err(why),
                    None => Ok(()),
                };
                let event = Event::Sent {
                    tag: sending.tag,
                    link,
                    result,
                };
                self.hand(at, event, bench)
            }
            Choice::Arrive(index, place) => self.arrive(index, place, bench),
            Choice::Down(index, place) => {
                let now_ns = self.now_ns;
                let [first, second] = &mut self.links[index].ends;
                let (end, other) = if place == 0 { (first, second) } else { (second, first) };
                end.over = true;
                let why = match end.breaks {
                    Some((_, why)) => why,
                    None => {
                        if other.up {
                            other.coming.push_back((now_ns, Item::Close));
                        } else {
                            other.over = true;
                        }
                        LinkError::Closed
                    }
                };
                end.lent.clear();
                end.coming.clear();
                let (at, link) = (end.site, end.link);
                self.links.retain(|link| !link.is_over());
                self.opened.retain(|(site, other, _), _| (*site, *other) != (at, link));
                self.hand(at, Event::LinkDown { link, why }, bench)
            }
            Choice::Cut(index) => {
                self.strike();
                let now_ns = self.now_ns;
                for end in &mut self.links[index].ends {
                    end.break_off(now_ns, LinkError::Lost);
                }
                Ok(())
            }
            Choice::Timer => {
                let Some(due_ns) = self.next_timer() else { return Ok(()) };
                self.now_ns = self.now_ns.max(due_ns);
                for at in 0..self.sites.len() {
                    let deadline = self.sites[at].brain.as_ref().and_then(|brain| brain.deadline());
                    if deadline.is_some_and(|deadline| deadline.boot_ns <= self.now_ns) {
                        return self.hand(at, Event::Tick, bench);
                    }
                }
                Ok(())
            }
            Choice::PowerCut(at, which, saved) => {
                self.crashes_left -= 1;
                self.calm_since_ns = self.now_ns;
                self.lose_power(at, which, saved, bench);
                self.start(at, bench)
            }
            Choice::Restart(at) => {
                self.restarts_left -= 1;
                self.calm_since_ns = self.now_ns;
                self.sites[at].disk.reopen();
                self.die(at);
                self.start(at, bench)
            }
        }
    }

    fn door(&self, at: usize, index: usize) -> (hal::FeedId, super::site::Door) {
        let (feed, door) = self.sites[at].doors.iter().nth(index).expect("a door that was chosen");
        (*feed, door.clone())
    }

    fn strike(&mut self) {
        self.faults_left -= 1;
        self.restarts_left += 1;
        self.calm_since_ns = self.now_ns;
    }

    /// Puts bytes into memory that was lent.
    fn put(&mut self, at: usize, into: hal::Span, bytes: &[u8], bench: &mut Bench) {
        use hal::Memory;
        let site = &mut self.sites[at];
        bench.arena.load(&site.memory, &bench.store);
        bench.arena.bytes_mut(into).copy_from_slice(bytes);
        let Some(brain) = &site.brain else { return };
        bench
            .arena
            .unload(&mut site.memory, &mut bench.store, |page| brain.uses_memory(page));
    }

    fn complete(&mut self, at: usize, index: usize, bench: &mut Bench) -> Result<(), String> {
        let Flight { work, tag, .. } = self.sites[at].flights.remove(index);
        let site = &mut self.sites[at];
        let mut flushed = false;
        let mut event = Event::Done { tag, result: Ok(()) };
        match work {
            Work::Read { at: page, into } => {
                let from = into.offset_bytes as usize / super::pages::BYTES;
                for offset in 0..into.length_bytes as usize / super::pages::BYTES {
                    site.memory.set(from + offset, site.disk.current().get(page + offset));
                }
            }
            Work::Write(write) => site.disk.write(write),
            Work::Flush { below } => {
                site.disk.flush(below);
                flushed = true;
            }
            Work::Open => {
                let result = Ok(site.volume_facts());
                event = Event::Opened { tag, result };
            }
            Work::Nothing => {}
            Work::Save(document) => site.settings = Some(document),
            Work::Door(feed) => event = Event::FeedOpened { feed, result: Ok(()) },
        }
        self.hand(at, event, bench)?;
        if flushed { self.look(at, bench) } else { Ok(()) }
    }

    fn fail(&mut self, at: usize, index: usize, written: bool, bench: &mut Bench) -> Result<(), String> {
        self.strike();
        let Flight { work, tag, .. } = self.sites[at].flights.remove(index);
        match work {
            Work::Write(write) if written => self.sites[at].disk.write(write),
            Work::Flush { below } => self.sites[at].disk.fail_flush(below),
            _ => {}
        }
        let result = Err(IoError::Media);
        self.hand(at, Event::Done { tag, result }, bench)
    }

    fn knock(&mut self, index: usize, bench: &mut Bench) -> Result<(), String> {
        let now_ns = self.now_ns;
        let (from, to) = (self.links[index].ends[0].site, self.links[index].ends[1].site);
        let peer = self.sites[from].key;
        if !self.sites[to].trusted.contains(&peer) {
            self.links[index].ends[0].break_off(now_ns, LinkError::KeyRefused);
            return Ok(());
        }
        let link = LinkId(2 * self.sites[to].accepted + 1);
        self.sites[to].accepted += 1;
        let end = &mut self.links[index].ends[1];
        (end.link, end.up, end.over) = (link, true, false);
        let address = self.sites[from].name.to_owned();
        self.hand(to, Event::LinkUp { link, peer, address }, bench)
    }

    fn arrive(&mut self, index: usize, place: usize, bench: &mut Bench) -> Result<(), String> {
        let now_ns = self.now_ns;
        let end = &mut self.links[index].ends[place];
        let (at, link) = (end.site, end.link);
        match end.coming.pop_front() {
            None => Ok(()),
            Some((_, Item::Close)) => {
                end.break_off(now_ns, LinkError::Closed);
                Ok(())
            }
            Some((_, Item::Frame { message, body })) => {
                let span = match &body {
                    None => None,
                    Some(body) => {
                        let lent = end.lent.pop_front().ok_or("a body without memory")?;
                        Some(lent.part(0, body.len() as u32))
                    }
                };
                if let (Some(span), Some(body)) = (span, &body) {
                    self.put(at, span, body, bench);
                }
                let event = Event::Frame {
                    link,
                    message,
                    body: span,
                };
                self.hand(at, event, bench)
            }
        }
    }

    /// The power of a site goes; its disk is one of those that may be left.
    pub fn lose_power(&mut self, at: usize, which: usize, saved: bool, bench: &mut Bench) {
        let leavings = self.leavings(at, bench);
        let site = &mut self.sites[at];
        site.disk = leavings.0[which].1.clone();
        let mut saves = site.flights.iter().filter_map(|flight| match &flight.work {
            Work::Save(document) => Some(document.clone()),
            _ => None,
        });
        if let Some(document) = saves.next_back().filter(|_| saved) {
            site.settings = Some(document);
        }
        self.die(at);
    }

    /// What runs on a site is gone; the other side of its links will hear of it.
    fn die(&mut self, at: usize) {
        self.sites[at].forget();
        let now_ns = self.now_ns;
        for link in &mut self.links {
            for place in 0..2 {
                if link.ends[place].site == at {
                    let end = &mut link.ends[place];
                    end.over = true;
                    end.coming.clear();
                    end.sending.clear();
                    end.lent.clear();
                    link.ends[1 - place].break_off(now_ns, LinkError::Lost);
                }
            }
        }
        self.links.retain(|link| !link.is_over());
        self.opened.retain(|(site, _, _), _| *site != at);
    }

    /// What a choice is, in words.
    pub fn words(&self, choice: Choice, bench: &mut Bench) -> String {
        let name = |at: usize| self.sites[at].name;
        let flight = |at: usize, index: usize| {
            let flight = &self.sites[at].flights[index];
            let what = match &flight.work {
                Work::Read { at, .. } => format!("read at page {at}"),
                Work::Write(write) => format!("write at page {}", write.at),
                Work::Flush { .. } => "flush".into(),
                Work::Open => "open".into(),
                Work::Nothing => "close or discard".into(),
                Work::Save(_) => "save of the settings".into(),
                Work::Door(feed) => format!("door {}", feed.0),
            };
            format!("{what} {}", flight.purpose)
        };
        let end = |link: usize, place: usize| {
            let end = &self.links[link].ends[place];
            format!("link {} of {}", end.link.0, name(end.site))
        };
        match choice {
            Choice::Done(at, index) => format!("{}: {} succeeds", name(at), flight(at, index)),
            Choice::Fail(at, index, false) => format!("{}: {} FAILS", name(at), flight(at, index)),
            Choice::Fail(at, index, true) => format!("{}: {} FAILS, though it was written", name(at), flight(at, index)),
            Choice::Fed(at, index) => format!("{}: a feeder brings bytes to {}", name(at), self.door(at, index).1.path),
            Choice::Due(at, index) => format!("{}: {} has waited long enough", name(at), self.door(at, index).1.path),
            Choice::Knock(link) => format!("{}: a call comes in", name(self.links[link].ends[1].site)),
            Choice::Connect(link) => format!("{} is up", end(link, 0)),
            Choice::Sent(link, place) => format!("{}: a send returns", end(link, place)),
            Choice::Arrive(link, place) => {
                let what: String = match self.links[link].ends[place].coming.front() {
                    Some((_, Item::Frame { message, .. })) => match blockhaul_core::haul::wire::Message::decode(message) {
                        Some(message) => format!("{message:?}").chars().take(120).collect(),
                        None => "a frame".into(),
                    },
                    Some((_, Item::Close)) | None => "the end".into(),
                };
                format!("{}: {what} arrives", end(link, place))
            }
            Choice::Down(link, place) => format!("{} is down", end(link, place)),
            Choice::Cut(link) => format!("{} is LOST", end(link, 0)),
            Choice::Timer => {
                let after_ns = self.next_timer().unwrap_or(self.now_ns).saturating_sub(self.now_ns);
                format!("{} ms pass", after_ns / 1_000_000)
            }
            Choice::PowerCut(at, which, saved) => {
                let leavings: Rc<_> = self.leavings(at, bench);
                let saved = if saved { ", settings saved" } else { "" };
                format!("{}: POWER CUT, pending writes:{}{saved}", name(at), leavings.0[which].0)
            }
            Choice::Restart(at) => format!("{}: restarted by a person", name(at)),
        }
    }
}
