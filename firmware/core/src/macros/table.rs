//! The macros that are under way, and how often and how deep they went.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::hash::{Hash, Hasher};

use hal::{ClientId, Instant};

use super::{Macro, OWN};
use crate::Name;
use crate::control::types::EventRecord;
use crate::limits::{MACRO_CAUSE_TIME, MACRO_STARTS_MAX, MACRO_STARTS_TIME};

/// Macros under way.
#[derive(Clone, Debug, Default)]
pub struct Macros {
    /// Number of the next event to be looked at.
    pub(crate) seen: u64,
    pub(super) next: u64,
    pub(super) under_way: BTreeMap<u64, UnderWay>,
    /// Programs that run now.
    pub(super) programs: usize,
    /// What steps have touched: events about it within a time count as brought about by them.
    touched: BTreeMap<String, (u8, Instant)>,
    /// How often each began in this stretch of time.
    begun: BTreeMap<Name, Begun>,
    /// Rules whose programs are being looked up.
    pub(crate) looked_up: BTreeMap<ClientId, (Macro, bool)>,
}

#[derive(Clone, Copy, Debug)]
struct Begun {
    since: Instant,
    times: u32,
    said: bool,
}

/// One macro on its way.
#[derive(Clone, Debug)]
pub(super) struct UnderWay {
    pub rule: Macro,
    pub event: EventRecord,
    /// The step that is next.
    pub step: usize,
    pub depth: u8,
    pub waits: Waits,
}

/// What a macro waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    Nothing,
    Until(Instant),
    Program,
}

/// Whether a macro may begin.
pub(super) enum Verdict {
    Yes,
    /// Not, and this is the first time in a while.
    Stopped,
    /// Not, and that was said.
    Silent,
}

/// What is under way decides; what was counted, and which numbers events have, does so for other events only.
impl Hash for Macros {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for (number, one) in &self.under_way {
            (number, &one.rule, one.step).hash(state);
        }
    }
}

impl Macros {
    /// How deep in a chain an event is.
    pub(super) fn depth(&self, subject: &str, now: Instant) -> u8 {
        match self.touched.get(subject) {
            Some((depth, at)) if now.since(*at) < MACRO_CAUSE_TIME => depth.saturating_add(1),
            _ => 0,
        }
    }

    /// A step of that depth has touched something.
    pub(super) fn touch(&mut self, subject: &str, depth: u8, now: Instant) {
        self.touched.retain(|_, (_, at)| now.since(*at) < MACRO_CAUSE_TIME);
        self.touched.insert(subject.into(), (depth, now));
    }

    /// Whether a rule may begin once more; if not, whether somebody should be told.
    pub(super) fn judge(&mut self, name: &Name, too_deep: bool, now: Instant) -> Verdict {
        let begun = self.begun.entry(name.clone()).or_insert(Begun {
            since: now,
            times: 0,
            said: false,
        });
        if now.since(begun.since) >= MACRO_STARTS_TIME {
            *begun = Begun {
                since: now,
                times: 0,
                said: false,
            };
        }
        begun.times += 1;
        if !too_deep && begun.times <= MACRO_STARTS_MAX {
            return Verdict::Yes;
        }
        if core::mem::replace(&mut begun.said, true) {
            Verdict::Silent
        } else {
            Verdict::Stopped
        }
    }

    /// Macros that were under way when the appliance stopped, as the kept events tell, and how many times.
    pub fn cut<'a>(events: impl Iterator<Item = &'a EventRecord>) -> BTreeMap<String, u32> {
        let mut open: BTreeMap<String, u32> = BTreeMap::new();
        for event in events {
            match event.code.strip_prefix(OWN) {
                Some("begun") => *open.entry(event.subject.clone()).or_default() += 1,
                // One that was told may have lost the start that told it.
                Some("cut") => drop(open.remove(&event.subject)),
                Some("ended" | "failed") => {
                    if let Some(count) = open.get_mut(&event.subject) {
                        *count = count.saturating_sub(1);
                    }
                }
                // What was under way before an earlier start has been told.
                None if event.code == "started" => open.clear(),
                _ => {}
            }
        }
        open.retain(|_, count| *count > 0);
        open
    }
}
