//! `io.blockhaul.Job`: definitions and runs.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use hal::{ClientId, Digest, Role};

use super::{Done, Outcome, no_such, no_such_method, parse};
use crate::Name;
use crate::appliance::Parts;
use crate::archive::creation::refusal;
use crate::context::{Context, Ready};
use crate::control::changes::Change;
use crate::control::reply;
use crate::control::types::{
    Bounds, Call, History, HistoryCall, JobCreate, JobMode, JobRun, JobShown, JobSwitch, JobWait, Jobs, Named, Nothing,
    RefusalCode, RunRecord, RunResult, RunStarted,
};
use crate::control::waiting::What;
use crate::haul::incoming::Incoming;
use crate::haul::job::Job;
use crate::haul::plan::holes_are_not_full;
use crate::haul::run::Order;
use crate::settings::JobSetting;
use crate::settings::tenants::Reach;

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[
    ("Create", Role::Admin),
    ("List", Role::Read),
    ("Show", Role::Read),
    ("Run", Role::Operate),
    ("Wait", Role::Read),
    ("Stop", Role::Operate),
    ("History", Role::Read),
    ("Switch", Role::Admin),
    ("Freeze", Role::Operate),
    ("Thaw", Role::Operate),
    ("ReleaseHeld", Role::Operate),
    ("Enable", Role::Operate),
    ("Disable", Role::Operate),
    ("Delete", Role::Admin),
    ("Kick", Role::Operate),
    ("Release", Role::Admin),
    ("Guard", Role::Admin),
];

impl Parts {
    pub(super) fn call_job(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        let name = || parse::<Named>(call).map(|named| named.name);
        match method {
            "Create" => self.create_job(client, parse(call)?, context)?,
            "List" => {
                let jobs = self.job_states(context.now);
                reply(client, &Jobs { jobs }, false, context);
            }
            "Show" => {
                let name = name()?;
                let job = self.job_status(&name, context.now).ok_or_else(|| no_such("job", &name))?;
                reply(client, &JobShown { job }, false, context);
            }
            "Run" => self.run_job(client, &parse(call)?, context)?,
            "Wait" => {
                let wait: JobWait = parse(call)?;
                self.job_place(&wait.name).ok_or_else(|| no_such("job", &wait.name))?;
                let until = wait.timeout_ms.map(|ms| context.now.at + Duration::from_millis(ms));
                self.wait(
                    client,
                    What::Job {
                        job: wait.name,
                        wait_for: wait.wait_for,
                    },
                    until,
                    context,
                );
            }
            "Stop" => self.stop_job(client, &name()?, context)?,
            "History" => {
                let wanted: HistoryCall = parse(call)?;
                let runs = self.runs(wanted.name.as_ref(), context);
                reply(client, &History { runs }, false, context);
            }
            "Switch" => {
                let switch: JobSwitch = parse(call)?;
                self.change(
                    Some(client),
                    Change::SwitchJob(switch.name, switch.mode, switch.plan),
                    context,
                );
            }
            "Freeze" => self.change(Some(client), Change::FreezeJob(name()?, true), context),
            "Thaw" => self.change(Some(client), Change::FreezeJob(name()?, false), context),
            "ReleaseHeld" => {
                let name = name()?;
                let index = self.job_place(&name).ok_or_else(|| no_such("job", &name))?;
                if let Some(job) = &mut self.jobs[index] {
                    job.release_held(context);
                }
                reply(client, &Nothing {}, false, context);
            }
            "Enable" => self.change(Some(client), Change::EnableJob(name()?, true), context),
            "Disable" => self.change(Some(client), Change::EnableJob(name()?, false), context),
            "Delete" => self.change(Some(client), Change::DeleteJob(name()?), context),
            "Release" => self.release_job(client, &parse(call)?, context)?,
            "Guard" => self.change(Some(client), Change::GuardJob(name()?, true), context),
            "Kick" => {
                let name = name()?;
                let index = self.job_place(&name).ok_or_else(|| no_such("job", &name))?;
                if let Some(job) = &mut self.jobs[index] {
                    job.kick(context);
                }
                reply(client, &Nothing {}, false, context);
            }
            _ => return Err(no_such_method()),
        }
        Ok(())
    }

    fn create_job(&mut self, client: ClientId, call: JobCreate, context: &mut Context) -> Done {
        let token: Digest = call.token.trim().parse().map_err(|_| {
            Outcome::Refused(refusal(
                RefusalCode::Usage,
                "The token is not 64 hexadecimal digits.",
                "Use the token that `blockhaul grant create` printed on the target.",
            ))
        })?;
        let made = || format!("{}-to-{}-{}", call.from, call.peer, call.archive);
        let shortened: String = made().chars().take(crate::NAME_BYTES_MAX).collect();
        let name = match &call.name {
            Some(name) => name.clone(),
            None => shortened.parse().unwrap_or_else(|_| call.from.clone()),
        };
        let setting = JobSetting {
            name,
            from: call.from,
            peer: call.peer,
            archive: call.archive,
            cameras: call.cameras,
            tenants: call.tenants,
            reach: Reach::default(),
            mode: call.mode,
            full: call.full,
            token,
            enabled: true,
            created_utc_ns: context.now.utc_ns,
            released: false,
            target: None,
            plan: call.plan,
        };
        self.change(Some(client), Change::AddJob(setting), context);
        Ok(())
    }

    /// Ends the run that is on.
    fn stop_job(&mut self, client: ClientId, name: &Name, context: &mut Context) -> Done {
        let index = self.job_place(name).ok_or_else(|| no_such("job", name))?;
        let Some(job) = &mut self.jobs[index] else { return Ok(()) };
        if job.setting.mode == JobMode::Always {
            let next = format!("blockhaul job disable {name}, or blockhaul job switch {name} --mode on-demand");
            return Err(refusal(RefusalCode::Busy, format!("Job {name} is always on."), next).into());
        }
        if !job.is_running() {
            let sentence = format!("No run of job {name} is on.");
            return Err(refusal(RefusalCode::NotFound, sentence, format!("blockhaul job history {name}")).into());
        }
        job.end_run(RunResult::Aborted, context);
        reply(client, &Nothing {}, false, context);
        Ok(())
    }

    /// Runs of the past and those that are on, oldest first.
    fn runs(&self, name: Option<&Name>, context: &Context) -> Vec<RunRecord> {
        let mut history = context.shared.history.clone();
        for record in self.live_jobs().filter_map(Job::run_record) {
            history.put(record);
        }
        for record in self.incoming.values().filter_map(Incoming::run_record) {
            history.put(record);
        }
        let fits = |record: &&RunRecord| name.is_none_or(|name| record.of == *name);
        history.all().filter(fits).cloned().collect()
    }

    fn run_job(&mut self, client: ClientId, call: &JobRun, context: &mut Context) -> Done {
        let index = self.job_place(&call.name).ok_or_else(|| no_such("job", &call.name))?;
        let Some(job) = &mut self.jobs[index] else { return Ok(()) };
        if !job.setting.enabled {
            let next = format!("blockhaul job enable {}", call.name);
            return Err(refusal(RefusalCode::Busy, format!("Job {} is switched off.", call.name), next).into());
        }
        let order = Order {
            period: call.period.clone(),
            bounds: call.bounds.clone(),
            full: call.full,
            dry_run: call.dry_run,
        };
        order.check()?;
        let period = call.period.as_ref().unwrap_or(&job.setting.plan.period);
        holes_are_not_full(period, call.full || job.setting.full)?;
        if call.full && job.is_running() && job.fills_holes() {
            let sentence = format!(
                "The run of job {} that is on fills holes only, and cannot become a full one.",
                call.name
            );
            let next = format!("blockhaul job stop {}, or wait for its end", call.name);
            return Err(refusal(RefusalCode::Busy, sentence, next).into());
        }
        if job.is_running() && (call.period.is_some() || call.bounds != Bounds::default()) {
            let sentence = format!(
                "Run {} of job {} is on, and its period and bounds stay.",
                job.last_run().0,
                call.name
            );
            let next = match job.setting.mode {
                JobMode::Always => format!("It is always on: blockhaul job switch {} --mode on-demand", call.name),
                JobMode::OnDemand | JobMode::Schedule => format!("blockhaul job stop {}, or wait for its end", call.name),
            };
            return Err(refusal(RefusalCode::Busy, sentence, next).into());
        }
        if call.dry_run && job.is_comparing() {
            let sentence = format!("A full run of job {} is on.", call.name);
            let next = format!("See how far it is: blockhaul job show {}", call.name);
            return Err(refusal(RefusalCode::Busy, sentence, next).into());
        }
        if let Some(name) = &call.bounds.mark {
            let archive = self.archives[job.archive].as_ref();
            let mark = archive.and_then(|archive| Some((archive, archive.catalog.marks.named(name)?)));
            let Some((archive, mark)) = mark else {
                let sentence = format!("Archive {} has no mark {name}.", job.setting.from);
                let next = format!("blockhaul mark list --archive {}", job.setting.from);
                return Err(refusal(RefusalCode::NotFound, sentence, next).into());
            };
            if mark.progress(&archive.catalog).awaited > 0 {
                let sentence = format!("Not all that mark {name} names is in archive {} yet.", job.setting.from);
                let next = format!("blockhaul mark wait {name} --archive {}", job.setting.from);
                return Err(refusal(RefusalCode::Busy, sentence, next).into());
            }
        }
        let (run, joined) = job.run(&order, context);
        if call.wait {
            let until = call.timeout_ms.map(|ms| context.now.at + Duration::from_millis(ms));
            self.wait(
                client,
                What::Run {
                    job: call.name.clone(),
                    run,
                    joined,
                },
                until,
                context,
            );
        } else {
            reply(
                client,
                &RunStarted {
                    run,
                    joined,
                    result: None,
                    full: None,
                },
                false,
                context,
            );
        }
        Ok(())
    }

    /// Forgets a job whose link has been closed.
    pub(in crate::control) fn forget_job(&mut self, index: usize, context: &mut Context) {
        if let Some(job) = &mut self.jobs[index] {
            job.hang_up(context);
        }
        self.retire_job(index);
        if let Some(job) = &self.jobs[index] {
            let archive = job.archive;
            self.guards_changed(archive, context);
        }
        context.ask_at(Ready::Job(index), None);
    }
}
