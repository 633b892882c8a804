//! Feeds: doors of the appliance through which a feeder's bytes come in.

use hal::{ClientId, Event, FeedId, Instant, IoError, Span};

use crate::due::Due;
use crate::feeder::Door;
use crate::memory::{Lent, Use, index};
use crate::{FeederId, Machines, SiteId};

/// A deadline this far away never comes.
const NEVER_NS: u64 = u64::MAX / 4;

/// A fill or drain that has not finished.
#[derive(Clone, Debug)]
struct Filling {
    /// None for a drain.
    lent: Option<Lent>,
    bytes: u64,
    number: u64,
}

/// An open feed.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    pub door: Door,
    pub feeder: Option<FeederId>,
    filling: Option<Filling>,
}

impl Machines {
    pub(crate) fn open_feed(&mut self, site: SiteId, feed: FeedId, path: String) {
        let door = Door::Path(path);
        let taken = self.sites[site.0].feeds.values().any(|other| other.door == door);
        let result = if taken { Err(IoError::Busy) } else { Ok(()) };
        if result.is_ok() {
            self.sites[site.0].feeds.insert(
                feed,
                Feed {
                    door,
                    feeder: None,
                    filling: None,
                },
            );
        }
        self.post_soon(site, Event::FeedOpened { feed, result });
    }

    pub(crate) fn adopt_feed(&mut self, site: SiteId, feed: FeedId, client: ClientId) {
        let caller = self.sites[site.0].clients.get(&client).copied();
        let caller = caller.unwrap_or_else(|| panic!("there is no {client:?}"));
        let result = if self.callers[caller.0].is_gone() {
            Err(IoError::Gone)
        } else {
            Ok(())
        };
        if result.is_ok() {
            let door = Door::Caller(caller);
            self.sites[site.0].feeds.insert(
                feed,
                Feed {
                    door,
                    feeder: None,
                    filling: None,
                },
            );
        }
        self.post_soon(site, Event::FeedOpened { feed, result });
    }

    /// Starts a fill, or a drain without a span.
    pub(crate) fn fill(&mut self, site: SiteId, feed: FeedId, into: Option<Span>, until: Instant) {
        let number = self.number();
        let run = self.sites[site.0].run;
        let over_ns = self.sites[site.0].world_ns(until).saturating_sub(self.now_ns);
        let here = &mut self.sites[site.0];
        let open = here.feeds.get_mut(&feed).unwrap_or_else(|| panic!("{feed:?} is not open"));
        assert!(open.filling.is_none(), "{feed:?} has something in flight");
        let lent = into.map(|span| here.memory.lend(span, Use::Writes));
        open.filling = Some(Filling { lent, bytes: 0, number });
        if over_ns < NEVER_NS {
            self.after(over_ns, Due::FillOver { site, run, feed, number });
        }
        self.pour(site, feed);
    }

    /// Moves what a feeder has written into the fill or drain that is in flight.
    pub(crate) fn pour(&mut self, site: SiteId, feed: FeedId) {
        let Self {
            sites, feeders, callers, ..
        } = self;
        let here = &mut sites[site.0];
        let Some(open) = here.feeds.get_mut(&feed) else { return };
        let Some(filling) = &mut open.filling else { return };
        let mut full = false;
        if let Some(feeder) = open.feeder.map(|id| &mut feeders[id.0]) {
            loop {
                let moved = match filling.lent {
                    None => feeder.drain(),
                    Some(Lent { span, .. }) => {
                        let bytes = here.memory.lent_bytes_mut(span);
                        let got = usize::try_from(filling.bytes).expect("within the span");
                        full = got == index(span.length_bytes);
                        feeder.read(&mut bytes[got..])
                    }
                };
                filling.bytes += u64::try_from(moved).expect("lengths fit in 64 bits");
                if moved == 0 || full {
                    break;
                }
            }
        }
        let ended = match (open.feeder, &open.door) {
            (Some(id), _) => feeders[id.0].is_drained(),
            (None, Door::Caller(caller)) => callers[caller.0].is_gone(),
            (None, Door::Path(_)) => false,
        };
        if full {
            self.filled(site, feed, false);
        } else if ended {
            self.filled(site, feed, true);
        }
    }

    pub(crate) fn fill_over(&mut self, site: SiteId, feed: FeedId, number: u64) {
        let open = self.sites[site.0].feeds.get(&feed);
        let current = open.and_then(|open| open.filling.as_ref()).map(|filling| filling.number);
        if current == Some(number) {
            self.filled(site, feed, false);
        }
    }

    fn filled(&mut self, site: SiteId, feed: FeedId, end: bool) {
        let open = self.sites[site.0].feeds.get_mut(&feed).expect("looked up before");
        let Some(filling) = open.filling.take() else { return };
        if end {
            // The next feeder may come.
            open.feeder = None;
        }
        self.post(
            site,
            Event::Filled {
                feed,
                bytes: filling.bytes,
                end,
            },
            filling.lent.into_iter().collect(),
        );
    }

    pub(crate) fn close_feed(&mut self, site: SiteId, feed: FeedId) {
        assert!(self.sites[site.0].feeds.contains_key(&feed), "{feed:?} is not open");
        self.filled(site, feed, false);
        let open = self.sites[site.0].feeds.remove(&feed).expect("looked up before");
        if let Some(feeder) = open.feeder {
            self.feeders[feeder.0].disconnect();
        }
    }
}
