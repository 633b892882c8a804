//! Links that are up: frames, credit, and every way in which they end.

use std::sync::Arc;

use hal::{Event, LinkError, LinkId, Message, Span, Tag};

use crate::due::Due;
use crate::memory::Use;
use crate::wire::{Load, OnTheWay, Phase, Sending};
use crate::{Machines, SiteId};

/// What a kernel takes of one connection before the other side has it.
const SOCKET_BYTES: u64 = 2 << 20;
/// A connection on which nothing moves is given up after this long.
const STALL_NS: u64 = 15_000_000_000;
/// Bytes of a frame besides message and body.
const FRAME_BYTES: u64 = 32;

impl Machines {
    pub(crate) fn receive(&mut self, site: SiteId, link: LinkId, into: Span) {
        let lent = self.sites[site.0].memory.lend(into, Use::Writes);
        let (wire, end) = self.link(site, link);
        if let Some(delivery) = self.sites[site.0].queued_down(link) {
            return delivery.returns.push(lent);
        }
        let end = &mut self.wires.get_mut(&wire).expect("a link has a wire").ends[end];
        assert!(end.phase == Phase::Up, "{link:?} is not up");
        end.lent.push_back(lent);
    }

    pub(crate) fn send(&mut self, site: SiteId, tag: Tag, link: LinkId, message: Message, body: Option<Span>) {
        let memory = &mut self.sites[site.0].memory;
        let lent = body.map(|span| memory.lend(span, Use::Reads));
        let bytes: Arc<[u8]> = body.map(|span| memory.lent_bytes(span)).unwrap_or_default().into();
        let (number, which) = self.link(site, link);
        if let Some(delivery) = self.sites[site.0].queued_down(link) {
            let down = delivery.event.clone();
            let Event::LinkDown { why, .. } = down else {
                unreachable!("found as such")
            };
            let sent = Event::Sent {
                tag,
                link,
                result: Err(why),
            };
            return self.sites[site.0].post_before(&down, sent, lent.into_iter().collect());
        }
        let ends = &self.wires.get(&number).expect("a link has a wire").ends;
        let (from, to) = (ends[which].site, ends[1 - which].site);
        let bytes = self.body_on_the_way(from, to, bytes);
        let end = &mut self.wires.get_mut(&number).expect("a link has a wire").ends[which];
        assert!(end.phase == Phase::Up, "{link:?} is not up");
        assert!(!end.hanging_up, "a send on {link:?} after it was hung up");
        let length = FRAME_BYTES + u64::try_from(message.len() + bytes.len()).expect("lengths fit in 64 bits");
        end.sent_bytes += length;
        end.sending.push_back(Sending {
            tag,
            lent,
            through_bytes: end.sent_bytes,
        });
        self.put_on_the_way(
            number,
            which,
            Load::Frame {
                message: Box::new(message),
                body: bytes,
            },
            length,
        );
        self.take_sent(number, which);
    }

    pub(crate) fn hang_up(&mut self, site: SiteId, link: LinkId) {
        let (number, which) = self.link(site, link);
        if self.sites[site.0].queued_down(link).is_some() {
            return;
        }
        let end = &mut self.wires.get_mut(&number).expect("a link has a wire").ends[which];
        if end.phase == Phase::Dialling {
            return self.reset(number, which, LinkError::HungUp);
        }
        if !end.hanging_up {
            end.hanging_up = true;
            self.put_on_the_way(number, which, Load::Close, FRAME_BYTES);
            self.take_sent(number, which);
        }
    }

    fn link(&self, site: SiteId, link: LinkId) -> (u64, usize) {
        *self.sites[site.0]
            .links
            .get(&link)
            .unwrap_or_else(|| panic!("there is no {link:?}"))
    }

    fn put_on_the_way(&mut self, number: u64, which: usize, load: Load, bytes: u64) {
        let ends = &self.wires[&number].ends;
        let (from, to) = (ends[which].site, ends[1 - which].site);
        let path = self.path(from, to);
        let latency_ns = self.random.within(&path.latency_ns);
        let end = &mut self.wires.get_mut(&number).expect("looked up before").ends[which];
        let transfer_ns = bytes.saturating_mul(1_000_000_000) / path.bytes_per_second;
        end.free_at_ns = end.free_at_ns.max(self.now_ns) + transfer_ns;
        let arrives_at_ns = (end.free_at_ns + latency_ns).max(end.last_arrival_ns);
        end.last_arrival_ns = arrives_at_ns;
        end.on_the_way.push_back(OnTheWay {
            load,
            bytes,
            arrives_at_ns,
        });
        let delay_ns = arrives_at_ns - self.now_ns;
        self.after(
            delay_ns,
            Due::Arrive {
                wire: number,
                from: which,
            },
        );
    }

    /// Gives back what the kernel has taken.
    fn take_sent(&mut self, number: u64, which: usize) {
        let Some(wire) = self.wires.get_mut(&number) else { return };
        let end = &mut wire.ends[which];
        if end.phase != Phase::Up {
            return;
        }
        while end
            .sending
            .front()
            .is_some_and(|first| first.through_bytes <= end.arrived_bytes + SOCKET_BYTES)
        {
            let sent = end.sending.pop_front().expect("looked at before");
            let event = Event::Sent {
                tag: sent.tag,
                link: end.link,
                result: Ok(()),
            };
            self.sites[end.site.0].post(event, sent.lent.into_iter().collect());
        }
        if end.hanging_up && end.sending.is_empty() {
            self.bring_down(number, which, LinkError::HungUp);
        }
    }

    /// Takes in what has arrived from one end.
    pub(crate) fn arrive(&mut self, number: u64, from: usize) {
        while let Some(wire) = self.wires.get_mut(&number) {
            let (sender, receiver) = (wire.ends[from].site, wire.ends[1 - from].site);
            let due = wire.ends[from]
                .on_the_way
                .front()
                .is_some_and(|item| item.arrives_at_ns <= self.now_ns);
            if !due || wire.ends[from].stuck_since_ns.is_some() {
                return;
            }
            if !self.gets_through(sender, receiver) {
                return self.get_stuck(number, from);
            }
            let wire = self.wires.get_mut(&number).expect("looked up before");
            let end = &mut wire.ends[from];
            let item = end.on_the_way.pop_front().expect("looked at before");
            end.arrived_bytes += item.bytes;
            self.take_in(number, 1 - from, item.load);
            self.take_sent(number, from);
            self.forget_if_over(number);
        }
    }

    fn take_in(&mut self, number: u64, which: usize, load: Load) {
        let wire = self.wires.get_mut(&number).expect("frames travel on a wire");
        let end = &mut wire.ends[which];
        if end.phase != Phase::Up {
            if wire.ends[1 - which].phase == Phase::Up && matches!(load, Load::Frame { .. }) {
                self.answer_with_reset(number, 1 - which);
            }
            return;
        }
        match load {
            Load::Close => self.bring_down(number, which, LinkError::Closed),
            Load::Reset(why) => self.bring_down(number, which, why),
            Load::Frame { message, body } => {
                let length = u32::try_from(body.len()).expect("a body was a span");
                if length == 0 {
                    let event = Event::Frame {
                        link: end.link,
                        message: *message,
                        body: None,
                    };
                    return self.sites[end.site.0].post(event, Vec::new());
                }
                let credit = end.lent.front().filter(|lent| lent.span.length_bytes >= length);
                if credit.is_none() {
                    return self.reset(number, which, LinkError::Malformed);
                }
                let lent = end.lent.pop_front().expect("looked at before");
                let span = lent.span.part(0, length);
                let event = Event::Frame {
                    link: end.link,
                    message: *message,
                    body: Some(span),
                };
                let site = &mut self.sites[end.site.0];
                site.memory.lent_bytes_mut(span).copy_from_slice(&body);
                site.post(event, vec![lent]);
            }
        }
    }

    /// Nobody is at that end any more: the sender will hear of it.
    fn answer_with_reset(&mut self, number: u64, sender: usize) {
        let ends = &self.wires[&number].ends;
        let (from, to) = (ends[1 - sender].site, ends[sender].site);
        if self.gets_through(from, to) {
            let delay_ns = self.way_ns(from, to);
            self.break_soon(number, sender, LinkError::Lost, delay_ns);
        } else {
            self.get_stuck(number, sender);
        }
    }

    fn get_stuck(&mut self, number: u64, which: usize) {
        let since_ns = self.now_ns;
        let end = &mut self.wires.get_mut(&number).expect("looked up before").ends[which];
        end.stuck_since_ns = Some(since_ns);
        self.after(
            STALL_NS,
            Due::Stall {
                wire: number,
                end: which,
                since_ns,
            },
        );
    }

    pub(crate) fn stall_over(&mut self, number: u64, which: usize, since_ns: u64) {
        let Some(wire) = self.wires.get_mut(&number) else { return };
        if wire.ends[which].stuck_since_ns == Some(since_ns) {
            wire.ends[which].on_the_way.clear();
            self.bring_down(number, which, LinkError::TimedOut);
            self.forget_if_over(number);
        }
    }

    pub(crate) fn break_end(&mut self, number: u64, which: usize, why: LinkError) {
        let Some(wire) = self.wires.get(&number) else { return };
        let end = &wire.ends[which];
        let of_the_call = matches!(
            why,
            LinkError::NameUnknown | LinkError::NicDown | LinkError::TimedOut | LinkError::Unreachable | LinkError::KeyRefused
        );
        if !of_the_call || end.phase == Phase::Dialling {
            self.bring_down(number, which, why);
            self.forget_if_over(number);
        }
    }

    /// Ends a link from one end, at once: the other end hears of it.
    pub(crate) fn reset(&mut self, number: u64, which: usize, why: LinkError) {
        self.bring_down(number, which, why);
        if self.wires.contains_key(&number) {
            self.put_on_the_way(number, which, Load::Reset(LinkError::Lost), FRAME_BYTES);
        }
    }

    /// Tells an appliance that its link is down, after giving back every send.
    fn bring_down(&mut self, number: u64, which: usize, why: LinkError) {
        let Self {
            wires, sites, random, ..
        } = self;
        let end = &mut wires.get_mut(&number).expect("looked up before").ends[which];
        if end.phase == Phase::Down {
            return;
        }
        end.phase = Phase::Down;
        end.stuck_since_ns = None;
        let site = &mut sites[end.site.0];
        for sending in end.sending.drain(..) {
            let event = Event::Sent {
                tag: sending.tag,
                link: end.link,
                result: Err(why),
            };
            site.post(event, sending.lent.into_iter().collect());
        }
        for lent in &end.lent {
            // A body may have arrived up to any byte.
            let arrived = random.below(u64::from(lent.span.length_bytes) + 1);
            let part = lent.span.part(0, u32::try_from(arrived).expect("below a length"));
            site.memory.lent_bytes_mut(part).fill(0xee);
        }
        site.post(Event::LinkDown { link: end.link, why }, end.lent.drain(..).collect());
    }

    fn forget_if_over(&mut self, number: u64) {
        if self.wires.get(&number).is_some_and(crate::wire::Wire::is_over) {
            self.wires.remove(&number);
        }
    }

    /// A process is dead: its kernel sends some of what was queued, then resets.
    pub(crate) fn break_links_of(&mut self, site: SiteId) {
        let powered = self.sites[site.0].powered;
        let links: Vec<(u64, usize)> = self.sites[site.0].links.values().copied().collect();
        for (number, which) in links {
            let Some(wire) = self.wires.get_mut(&number) else { continue };
            let end = &mut wire.ends[which];
            let was_up = end.phase == Phase::Up;
            end.phase = Phase::Down;
            end.lent.clear();
            end.sending.clear();
            end.stuck_since_ns = None;
            let queued = u64::try_from(end.on_the_way.len()).expect("a count");
            let kept = if powered { self.random.below(queued + 1) } else { 0 };
            let end = &mut self.wires.get_mut(&number).expect("looked up before").ends[which];
            end.on_the_way.truncate(usize::try_from(kept).expect("a count"));
            if powered && was_up {
                self.put_on_the_way(number, which, Load::Reset(LinkError::Lost), FRAME_BYTES);
            }
            self.forget_if_over(number);
        }
    }

    /// A network interface is down: connections bound to it are dead on this side.
    pub(crate) fn break_links_of_nic(&mut self, site: SiteId, nic: &str) {
        let links: Vec<(u64, usize)> = self.sites[site.0].links.values().copied().collect();
        for (number, which) in links {
            let bound = self
                .wires
                .get(&number)
                .is_some_and(|wire| wire.route.nic.as_deref() == Some(nic));
            if bound && which == 0 {
                self.bring_down(number, which, LinkError::NicDown);
            }
        }
    }
}
