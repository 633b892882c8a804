//! `io.blockhaul.Tag`: labels on ranges of tracks.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use hal::{ClientId, Role};

use super::{Done, no_such, no_such_method, parse};
use crate::appliance::Parts;
use crate::archive::TrackId;
use crate::archive::creation::refusal;
use crate::context::Context;
use crate::control::reading::Ask;
use crate::control::reply;
use crate::control::survey::{Extent, Quest};
use crate::control::types::{Call, RefusalCode, TagChange, TagInfo, TagInfos, TagList};

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[("Set", Role::Operate), ("Unset", Role::Operate), ("List", Role::Read)];

impl Parts {
    pub(super) fn call_tag(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        match method {
            "Set" => self.change_tag(client, parse(call)?, true, context),
            "Unset" => self.change_tag(client, parse(call)?, false, context),
            "List" => self.list_tags(client, &parse(call)?, context),
            _ => Err(no_such_method()),
        }
    }

    fn change_tag(&mut self, client: ClientId, call: TagChange, set: bool, context: &mut Context) -> Done {
        self.one_call(client)?;
        let archive = self.giving(&call.archive)?;
        let place = archive.index;
        let tracks: BTreeSet<TrackId> = archive.tracks_of(Some(&call.camera), call.kind, call.origin).collect();
        if tracks.is_empty() {
            let sentence = format!("Archive {} has no such track of camera {}.", call.archive, call.camera);
            let next = format!("See its tracks: blockhaul archive info {}", call.archive);
            return Err(refusal(RefusalCode::NotFound, sentence, next).into());
        }
        let by_time = call.from_utc_ns.is_some() || call.to_utc_ns.is_some();
        let by_sequence = call.from.is_some() || call.to.is_some();
        if by_time && by_sequence {
            let sentence = "A range is given by times or by blocks, not by both.";
            return Err(refusal(RefusalCode::Usage, sentence, "Leave out the one or the other.").into());
        }
        if by_time {
            let times = (call.from_utc_ns, call.to_utc_ns);
            let quest = Quest::Extent(Extent::new(times.0, times.1));
            return self.survey(client, place, tracks, times, quest, Ask::Tag(Box::new(call), set), context);
        }
        let range = call.from.unwrap_or(0)..call.to.unwrap_or(u64::MAX);
        let ranges: BTreeMap<_, _> = tracks.into_iter().map(|track| (track, range.clone())).collect();
        Ok(self.tag_ranges(client, place, &call, ranges, set, context)?)
    }

    fn list_tags(&mut self, client: ClientId, call: &TagList, context: &mut Context) -> Done {
        let archive = self
            .archive_named(&call.archive)
            .ok_or_else(|| no_such("archive", &call.archive))?;
        let all = archive.catalog.tagged.all().filter_map(|(track, tag, range, _)| {
            let key = &archive.catalog.track(track).tip.key;
            let wanted = call.camera.as_ref().is_none_or(|camera| *camera == key.camera);
            wanted.then(|| TagInfo {
                tag: tag.clone(),
                origin: key.origin,
                camera: key.camera.clone(),
                kind: key.kind,
                from: range.start,
                to: range.end,
            })
        });
        reply(client, &TagInfos { tags: all.collect() }, false, context);
        Ok(())
    }
}
