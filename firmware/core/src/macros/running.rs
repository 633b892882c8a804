//! What happens on an event: macros begin, go on step by step, and end.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hal::{IoError, Op, ProgramEnd};

use super::table::{UnderWay, Verdict, Waits};
use super::tagging::{change, newest, presence};
use super::{Macro, Step};
use crate::Name;
use crate::appliance::Parts;
use crate::context::{Context, Ready};
use crate::control::Change;
use crate::control::types::{EventRecord, Period};
use crate::haul::run::Order;
use crate::journal::Code;
use crate::limits::{MACRO_DEPTH_MAX, MACRO_PROGRAMS_MAX, MACROS_UNDER_WAY_MAX};
use crate::purpose::Purpose;

/// What a step comes to.
enum Outcome {
    /// On to the next.
    On,
    /// It has begun something, and waits for it.
    Waits(Waits),
    /// The same step again, when a program has ended.
    Later,
    /// The rest is not wanted.
    Enough,
}

impl Parts {
    /// Looks at what was said since the last time, and lets every macro go on that can.
    pub fn decide_macros(&mut self, context: &mut Context) {
        self.begin_macros(context);
        let numbers: Vec<u64> = self.macros.under_way.keys().copied().collect();
        for number in numbers {
            self.go_on_with(number, context);
        }
        let waits = self.macros.under_way.values().filter_map(|one| match one.waits {
            Waits::Until(until) => Some(until),
            Waits::Nothing | Waits::Program => None,
        });
        let next = waits.min();
        context.ask_at(Ready::Macros, next);
    }

    fn begin_macros(&mut self, context: &mut Context) {
        let since = core::mem::replace(&mut self.macros.seen, context.shared.journal.next());
        let rules = &self.settings.macros;
        if self.is_stopping() || !rules.iter().any(|rule| rule.enabled) {
            return;
        }
        let mut begin: Vec<(Macro, EventRecord)> = Vec::new();
        for event in context.shared.journal.since(since) {
            let fitting = rules.iter().filter(|rule| rule.enabled && rule.fits(event));
            begin.extend(fitting.map(|rule| (rule.clone(), event.clone())));
        }
        for (rule, event) in begin {
            let depth = self.macros.depth(&event.subject, context.now.at);
            let full = self.macros.under_way.len() >= MACROS_UNDER_WAY_MAX;
            let too_deep = depth >= MACRO_DEPTH_MAX;
            match self.macros.judge(&rule.name, too_deep || full, context.now.at) {
                Verdict::Yes => {
                    let sentence = format!("Macro {} begins: event {}, {}.", rule.name, event.number, event.code);
                    context.say(Code::MacroBegun, &rule.name.clone(), sentence);
                    let one = UnderWay {
                        rule,
                        event,
                        step: 0,
                        depth,
                        waits: Waits::Nothing,
                    };
                    self.macros.under_way.insert(self.macros.next, one);
                    self.macros.next += 1;
                }
                Verdict::Stopped => {
                    let why = if too_deep {
                        format!("what it is on was brought about by {MACRO_DEPTH_MAX} macros, one after the other")
                    } else if full {
                        format!("{MACROS_UNDER_WAY_MAX} are under way")
                    } else {
                        "it began too often in a minute".to_string()
                    };
                    let sentence = format!("Macro {} is stopped at event {}: {why}.", rule.name, event.number);
                    context.say(Code::MacroStopped, &rule.name.clone(), sentence);
                }
                Verdict::Silent => {}
            }
        }
    }

    fn go_on_with(&mut self, number: u64, context: &mut Context) {
        while let Some(mut one) = self.macros.under_way.remove(&number) {
            match one.waits {
                Waits::Program => {
                    self.macros.under_way.insert(number, one);
                    return;
                }
                Waits::Until(until) if until > context.now.at => {
                    self.macros.under_way.insert(number, one);
                    return;
                }
                Waits::Until(_) | Waits::Nothing => one.waits = Waits::Nothing,
            }
            let name = one.rule.name.clone();
            let Some(step) = one.rule.steps.get(one.step).cloned() else {
                let sentence = format!("Macro {name} has ended: event {}.", one.event.number);
                return context.say(Code::MacroEnded, &name, sentence);
            };
            match self.take_step(number, &step, &one, context) {
                Ok(Outcome::On) => one.step += 1,
                Ok(Outcome::Waits(waits)) => {
                    one.step += 1;
                    one.waits = waits;
                }
                Ok(Outcome::Later) => {
                    self.macros.under_way.insert(number, one);
                    return;
                }
                Ok(Outcome::Enough) => {
                    let sentence = format!("Macro {name} has ended at `{step}`: event {}.", one.event.number);
                    return context.say(Code::MacroEnded, &name, sentence);
                }
                Err(why) => return Parts::fail_macro(&name, &step.to_string(), &why, context),
            }
            self.macros.under_way.insert(number, one);
        }
    }

    fn fail_macro(name: &Name, step: &str, why: &str, context: &mut Context) {
        let sentence = format!("Macro {name} failed at `{step}`: {why}.");
        context.say(Code::MacroFailed, name, sentence);
    }

    fn take_step(&mut self, number: u64, step: &Step, one: &UnderWay, context: &mut Context) -> Result<Outcome, String> {
        let now = context.now.at;
        if let Some(job) = step.job() {
            self.macros.touch(job, one.depth, now);
        }
        match step {
            Step::Run { job, last } => {
                let place = self.job_place(job).ok_or("the job is gone")?;
                let Some(job) = &mut self.jobs[place] else {
                    return Err("the job is gone".into());
                };
                if !job.setting.enabled {
                    return Err("the job is switched off".into());
                }
                let period = last.map(|last| Period::Last {
                    duration_ms: last.as_millis() as u64,
                    offset_ms: 0,
                });
                let order = Order {
                    dry_run: false,
                    period,
                    ..Order::default()
                };
                job.run(&order, context);
                Ok(Outcome::On)
            }
            Step::Enable(job) | Step::Disable(job) => {
                let on = matches!(step, Step::Enable(_));
                let place = self.job_place(job).ok_or("the job is gone")?;
                if self.jobs[place].as_ref().is_some_and(|job| job.setting.enabled != on) {
                    self.macros.touch("settings", one.depth, now);
                    self.change(None, Change::EnableJob(job.clone(), on), context);
                }
                Ok(Outcome::On)
            }
            Step::Kick(job) => {
                let place = self.job_place(job).ok_or("the job is gone")?;
                if let Some(job) = &mut self.jobs[place] {
                    job.kick(context);
                }
                Ok(Outcome::On)
            }
            Step::Start { program, within } => {
                if self.macros.programs >= MACRO_PROGRAMS_MAX {
                    return Ok(Outcome::Later);
                }
                self.macros.programs += 1;
                let tag = context.tag(Purpose::Program(number));
                let input = serde_json::to_vec(&one.event).unwrap_or_default();
                context.submit(Op::StartProgram {
                    tag,
                    name: program.clone(),
                    input,
                    limit: *within,
                });
                Ok(Outcome::Waits(Waits::Program))
            }
            Step::Wait(time) => Ok(Outcome::Waits(Waits::Until(now + *time))),
            Step::Tag {
                set,
                tag,
                archive,
                camera,
                last,
            } => {
                let place = self.archive_place(archive).ok_or("the archive is not open")?;
                let archive = self.archives[place].as_mut().ok_or("the archive is not open")?;
                let ranges = newest(archive, camera, one.event.utc_ns, *last);
                change(archive, tag, &ranges, *set, context)?;
                Ok(Outcome::On)
            }
            Step::If {
                archive,
                camera,
                is,
                last,
            } => {
                let archive = self.archive_named(archive).ok_or("the archive is not open")?;
                let there = presence(archive, camera, one.event.utc_ns, *last);
                Ok(if there == *is { Outcome::On } else { Outcome::Enough })
            }
        }
    }

    /// A program has ended, or could not be started.
    pub fn on_program(&mut self, number: u64, result: Result<ProgramEnd, IoError>, context: &mut Context) {
        self.macros.programs -= 1;
        // Others may have waited for their turn.
        context.wake(Ready::Macros);
        let why = match result {
            Ok(ProgramEnd::Exited(0)) => None,
            Ok(ProgramEnd::Exited(code)) => Some(format!("it ended with code {code}")),
            Ok(ProgramEnd::Killed(signal)) => Some(format!("it was ended by signal {signal}")),
            Ok(ProgramEnd::OverTime) => Some("its time was over, and it was ended".to_string()),
            Err(error) => Some(format!("it could not be run: {error}")),
        };
        let Some(one) = self.macros.under_way.get_mut(&number) else {
            return;
        };
        one.waits = Waits::Nothing;
        let step = one.rule.steps.get(one.step - 1).map_or(String::new(), Step::to_string);
        if let (Some(why), name) = (why, one.rule.name.clone()) {
            self.macros.under_way.remove(&number);
            Parts::fail_macro(&name, &step, &why, context);
        }
    }

    /// Which macros a stop has cut short.
    pub fn tell_cut_macros(context: &mut Context) {
        let cut = super::Macros::cut(context.shared.journal.records());
        for (name, times) in cut {
            let sentence = format!(
                "Macro {name} was under way ({times} times) when the appliance stopped, and is not resumed: what it would still do was \
                 meant for then."
            );
            context.say(Code::MacroCut, &name, sentence);
        }
    }

    /// What a rule would do for an event, step by step, as things are now.
    pub fn would(&self, rule: &Macro, event: &EventRecord) -> Vec<(String, String)> {
        let job = |name: &Name| self.live_jobs().find(|job| job.setting.name == *name);
        let words = |step: &Step| match step {
            Step::Run { job: name, .. } => match job(name) {
                None => "would fail: the job is gone".to_string(),
                Some(job) if !job.setting.enabled => "would fail: the job is switched off".to_string(),
                Some(job) if job.is_running() => format!("would join run {}", job.last_run().0),
                Some(job) => format!("would begin run {}", job.last_run().0 + 1),
            },
            Step::Enable(name) | Step::Disable(name) => match job(name) {
                None => "would fail: the job is gone".to_string(),
                Some(job) if job.setting.enabled == matches!(step, Step::Enable(_)) => "would change nothing".to_string(),
                Some(_) => "would switch the job".to_string(),
            },
            Step::Kick(name) => match job(name) {
                None => "would fail: the job is gone".to_string(),
                Some(_) => "would let the job try again".to_string(),
            },
            Step::Start { program, .. } => format!("would start {program} with event {} on its standard input", event.number),
            Step::Wait(_) => "would wait".to_string(),
            Step::Tag {
                archive, camera, last, ..
            } => match self.archive_named(archive) {
                None => "would fail: the archive is not open".to_string(),
                Some(archive) => {
                    let ranges = newest(archive, camera, event.utc_ns, *last);
                    let blocks: u64 = ranges.values().map(|range| range.end - range.start).sum();
                    format!("would concern {blocks} blocks")
                }
            },
            Step::If {
                archive,
                camera,
                is,
                last,
            } => match self.archive_named(archive) {
                None => "would fail: the archive is not open".to_string(),
                Some(archive) if presence(archive, camera, event.utc_ns, *last) == *is => "is so: would go on".to_string(),
                Some(_) => "is not so: would end here".to_string(),
            },
        };
        rule.steps.iter().map(|step| (step.to_string(), words(step))).collect()
    }
}
