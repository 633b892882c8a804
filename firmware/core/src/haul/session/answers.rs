//! What the target says: tips, acknowledgements, credit, rejections.
//!
//! Not here: what is sent (`session.rs`).

use super::*;
use crate::haul::wire::Holder;

impl Session {
    /// A message from the target. True if something moved; `Err` if it makes no sense.
    pub(in crate::haul) fn on_message(
        &mut self,
        message: Message,
        archive: &Archive,
        lasting: &mut Lasting<'_>,
        context: &mut Context,
    ) -> Result<bool, ()> {
        let setting = lasting.setting;
        match message {
            Message::Tip {
                track,
                next,
                hash,
                lease,
            } => {
                self.on_tip(
                    track,
                    (next, hash, lease),
                    archive,
                    setting,
                    lasting.trouble,
                    lasting.acked,
                    context,
                )?;
                Ok(false)
            }
            Message::Ack { track, next, duplicate } => {
                let entry = self.tracks.get(track as usize).ok_or(())?;
                let known = archive.catalog.track(entry.id).durable_next;
                if next > known {
                    return Err(());
                }
                lasting.acked.insert(entry.key.clone(), next);
                self.told.push(Told::Holds(entry.key.clone(), next));
                lasting.stats.duplicates += u64::from(duplicate);
                let now = context.now.at;
                self.unacked.retain(|sent| {
                    let done = sent.track == track && !sent.fill && sent.next <= next;
                    if done && sent.is_block {
                        lasting.done.add(&entry.key, sent.next - 1);
                        self.full_told = false;
                        lasting.stats.acknowledged(sent.bytes, now);
                    }
                    !done
                });
                Ok(true)
            }
            Message::Credit { blocks } => {
                self.credit = self.credit.saturating_add(blocks);
                Ok(false)
            }
            Message::Rejected { track, why, holder } => {
                self.on_rejected(track, (why, holder), archive, setting, lasting.trouble, context)?;
                Ok(false)
            }
            Message::Compared {
                track,
                from,
                there,
                wanted,
                hash,
            } => {
                self.on_compared((track, from), (&there, &wanted), hash, lasting, context)?;
                Ok(true)
            }
            Message::Filled { track, number, taken } => {
                self.on_filled(track, number, taken, lasting, context);
                Ok(true)
            }
            Message::Marked { mark, answer } => {
                self.on_marked(mark, answer, archive, setting, context)?;
                Ok(false)
            }
            Message::Covered {
                track,
                from_utc_ns,
                to_utc_ns,
                newest_utc_ns,
                follows,
                stretches,
            } => {
                let times = (from_utc_ns, to_utc_ns);
                self.on_covered(track, times, (newest_utc_ns, follows), &stretches, context.now.at)?;
                Ok(true)
            }
            Message::Heartbeat => Ok(false),
            Message::Hello { .. }
            | Message::Welcome { .. }
            | Message::Refused { .. }
            | Message::Open { .. }
            | Message::Block { .. }
            | Message::Compare { .. }
            | Message::Cover { .. }
            | Message::Gap { .. }
            | Message::Mark { .. }
            | Message::Point { .. }
            | Message::Ended { .. } => Err(()),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what outlives the link belongs to the job")]
    pub(super) fn on_tip(
        &mut self,
        number: u32,
        (next, hash, lease): (u64, Digest, Lease),
        archive: &Archive,
        setting: &JobSetting,
        trouble: &mut Option<Trouble>,
        acked: &mut BTreeMap<TrackKey, u64>,
        context: &mut Context,
    ) -> Result<(), ()> {
        let track = self.tracks.get_mut(number as usize).ok_or(())?;
        if track.state != State::Opening {
            return Err(());
        }
        self.tips_awaited -= 1;
        let here = archive.catalog.track(track.id);
        // It may have more than there is here now: what comes here later is there already.
        let before = acked.insert(track.key.clone(), next).unwrap_or(0);
        let camera = track.key.camera.clone();
        if next < before {
            let sentence = format!(
                "Camera {camera} at {}/{} went back from block {before} to {next}; it is sent again from there.",
                setting.peer, setting.archive
            );
            context.say(Code::NeedsDecision, &setting.name.clone(), sentence);
        }
        track.lease = lease;
        let next_wanted = if has(Bug::CursorCached) { next.max(before) } else { next };
        track.passed.clear();
        track.covered = holes::Known::default();
        track.next = next_wanted;
        self.turn(number, State::Open);
        let track = &self.tracks[number as usize];
        self.seek_again = true;
        let at_the_end = next == here.durable_next;
        self.told.push(match at_the_end {
            true => Told::Holds(track.key.clone(), next),
            false => Told::NoMore(track.key.clone(), next),
        });
        let other_history =
            at_the_end && next > 0 && hash != NO_HASH && here.durable_hash != NO_HASH && hash != here.durable_hash;
        if other_history {
            self.stop(number, JobState::Diverged, setting, trouble, context);
        } else if next > here.durable_next && next <= here.tip.next {
            // What is missing here up to there is stated, and the statement is not durable yet.
            self.turn(number, State::Again);
            let at = context.now.at + ASK_AGAIN;
            self.retry_at = Some(self.retry_at.map_or(at, |before| before.min(at)));
        } else if next > here.durable_next && self.tracks[number as usize].key.origin == archive.uuid {
            let why = format!(
                "{}/{} has {next} blocks of camera {camera} and this archive, where they were recorded, only {}",
                setting.peer, setting.archive, here.durable_next
            );
            context.say(
                Code::NeedsDecision,
                &setting.name.clone(),
                format!("Job {}: {why}.", setting.name),
            );
            self.turn(number, State::Stopped);
            self.told.push(Told::Doubt(self.tracks[number as usize].key.clone()));
            let action = "The source was put back to an earlier state. Record into a new archive; what is at the target stays."
                .to_string();
            *trouble = Some(Trouble {
                state: JobState::NeedsDecision,
                why,
                action,
            });
        }
        Ok(())
    }

    pub(super) fn stop(
        &mut self,
        number: u32,
        state: JobState,
        setting: &JobSetting,
        trouble: &mut Option<Trouble>,
        context: &mut Context,
    ) {
        self.turn(number, State::Stopped);
        let track = &self.tracks[number as usize];
        if state == JobState::Diverged {
            self.told.push(Told::Doubt(track.key.clone()));
        }
        let camera = &track.key.camera;
        let (code, why, action) = match state {
            JobState::Diverged => (
                Code::Diverged,
                format!("camera {camera} has another history at {}/{}", setting.peer, setting.archive),
                "Nothing was changed. Compare both with `archive verify`; record this camera under a new name to go on.",
            ),
            _ => (
                Code::ScopeViolation,
                format!("the grant at {} does not allow camera {camera}", setting.peer),
                "Ask for a grant that names it, or leave the camera out of the job.",
            ),
        };
        context.say(code, &setting.name.clone(), format!("Job {}: {why}.", setting.name));
        *trouble = Some(Trouble {
            state,
            why,
            action: action.to_string(),
        });
    }

    pub(super) fn on_rejected(
        &mut self,
        number: u32,
        (why, holder): (WhyRejected, Option<Holder>),
        archive: &Archive,
        setting: &JobSetting,
        trouble: &mut Option<Trouble>,
        context: &mut Context,
    ) -> Result<(), ()> {
        let track = self.tracks.get(number as usize).ok_or(())?;
        let id = track.id;
        if track.state == State::Opening {
            self.tips_awaited -= 1;
        }
        self.turn(number, State::Again);
        self.unacked.retain(|sent| sent.track != number);
        if let Some(reconcile) = &mut self.reconciling {
            reconcile.disturb();
        }
        let now = context.now.at;
        let mut again = |after: Duration| {
            let at = now + after;
            self.retry_at = Some(self.retry_at.map_or(at, |before| before.min(at)));
        };
        match why {
            WhyRejected::Scope => self.stop(number, JobState::Failed, setting, trouble, context),
            WhyRejected::Diverged => self.stop(number, JobState::Diverged, setting, trouble, context),
            WhyRejected::OwnOrigin => self.turn(number, State::Stopped),
            // Whoever brings it has brought all that is here.
            WhyRejected::Held(next) if next >= archive.catalog.track(id).durable_next => {
                again(LEASE_TIME);
                self.turn(number, State::Elsewhere);
            }
            WhyRejected::Held(_) | WhyRejected::Taken => {
                again(LEASE_TIME);
                let (camera, to) = (&self.tracks[number as usize].key.camera, (&setting.peer, &setting.archive));
                let who = match holder {
                    Some(Holder::Recorder(name)) => {
                        format!("{}/{} records camera {camera} itself, by recorder {name}", to.0, to.1)
                    }
                    Some(Holder::Peer(name)) => format!("camera {camera} comes into {}/{} from its peer {name}", to.0, to.1),
                    None => format!("camera {camera} comes into {}/{} from somebody else", to.0, to.1),
                };
                let why = format!("{who}; a camera comes from one source");
                let action =
                    "Leave the camera out of this job, or end the other source there; it is tried again by itself.".to_string();
                *trouble = Some(Trouble {
                    state: JobState::Waiting,
                    why,
                    action,
                });
            }
            WhyRejected::Fenced | WhyRejected::Expected(_) => again(Duration::ZERO),
            WhyRejected::Digest => {
                self.bad_digests += 1;
                if self.bad_digests >= DIGESTS_MAX {
                    return Err(());
                }
                again(Duration::ZERO);
            }
            WhyRejected::Full | WhyRejected::TooMany => {
                again(ASK_AGAIN);
                if !core::mem::replace(&mut self.full_told, true) {
                    let sentence = format!(
                        "Job {}: {}/{} is full; blocks wait here.",
                        setting.name, setting.peer, setting.archive
                    );
                    context.say(Code::TargetFull, &setting.name.clone(), sentence);
                }
                let why = format!("{}/{} has no free slot; blocks wait here", setting.peer, setting.archive);
                let action = "Make room at the target, or haul to another archive.".to_string();
                *trouble = Some(Trouble {
                    state: JobState::TargetFull,
                    why,
                    action,
                });
            }
            WhyRejected::Closed => {
                again(ASK_AGAIN);
                let why = format!("{}/{} takes no blocks now", setting.peer, setting.archive);
                let action = "Look at the archive on the target; it is tried again by itself.".to_string();
                *trouble = Some(Trouble {
                    state: JobState::Waiting,
                    why,
                    action,
                });
            }
            WhyRejected::Malformed => return Err(()),
        }
        context.wake(Ready::Waiting);
        Ok(())
    }
}
