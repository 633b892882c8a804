//! Marks on their way to the target: one at a time, until it has said what became of it.
//!
//! Invariants: only what is durable here is told; a mark travels with the cameras that the job hauls; the target knows by the
//! identity of a mark whether it has it, so that a link begins with no memory of the one before.

use super::*;
use crate::archive::marks::{Mark, Point};
use crate::haul::wire::MarkAnswer;

/// The points of a mark that a job hauls.
fn points_of<'a>(
    mark: &'a Mark,
    archive: &'a Archive,
    setting: &'a JobSetting,
) -> impl Iterator<Item = (&'a TrackKey, &'a Point)> + 'a {
    let with_key = |(track, point): (&TrackId, &'a Point)| (&archive.catalog.track(*track).tip.key, point);
    let hauled = |(key, _): &(&TrackKey, &Point)| setting.reach.has(&key.camera);
    mark.points.iter().map(with_key).filter(hauled)
}

impl Session {
    /// Tells the target of the next mark that it may not know.
    pub(super) fn tell_next_mark(&mut self, archive: &Archive, setting: &JobSetting, context: &mut Context) {
        if self.mark_on.is_some() || self.looked_at < archive.catalog.tracks().len() {
            return;
        }
        let marks = archive.catalog.marks.whole();
        let durable = marks.filter(|mark| mark.logged_at < archive.log.durable);
        let mut untold = durable.filter(|mark| !self.marks_told.contains(&mark.head.mark));
        let found = untold.find_map(|mark| {
            let points = points_of(mark, archive, setting).count() as u32;
            (points > 0).then(|| (mark.head.clone(), points))
        });
        if let Some((head, points)) = found {
            self.mark_on = Some(head.mark);
            let message = Message::Mark {
                mark: head.mark,
                name: head.name,
                made_in: head.made_in,
                utc_ns: head.utc_ns,
                points,
            };
            self.send(&message, None, context);
        }
    }

    /// What becomes of the mark at the target.
    pub(super) fn on_marked(
        &mut self,
        mark: Uuid,
        answer: MarkAnswer,
        archive: &Archive,
        setting: &JobSetting,
        context: &mut Context,
    ) -> Result<(), ()> {
        if self.mark_on != Some(mark) {
            return Err(());
        }
        match (answer, archive.catalog.marks.find(&mark)) {
            (MarkAnswer::Send, Some(found)) => {
                for (key, point) in points_of(found, archive, setting) {
                    let message = Message::Point {
                        mark,
                        origin: key.origin,
                        camera: key.camera.clone(),
                        kind: key.kind,
                        next: point.next,
                        hash: point.hash,
                    };
                    self.send(&message, None, context);
                }
            }
            // It was removed meanwhile, and the target waits for its points: a new link begins without them.
            (MarkAnswer::Send, None) => return Err(()),
            (MarkAnswer::Kept | MarkAnswer::NotKept, _) => {
                self.marks_told.insert(mark);
                self.mark_on = None;
                context.wake(self.reader.ready());
            }
        }
        Ok(())
    }
}
