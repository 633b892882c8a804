//! `retention …`, `job release`, `job guard`

use blockhaul_core::Name;
use blockhaul_core::control::types::{
    CameraRetention, JobRelease, JobReleased, Named, Retention as Policy, RetentionSet, RetentionShow, RetentionShown,
};

use super::{Context, understood};
use crate::args::job::Release;
use crate::args::retention::{Bound, Retention, Set, Switch};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::render::retention;

const SHOW: &str = "io.blockhaul.Retention.Show";
const SET: &str = "io.blockhaul.Retention.Set";

/// `blockhaul retention …`
pub fn run(context: &Context, command: Retention) -> Result<Exit, Failure> {
    match command {
        Retention::Show(show) => {
            let parameters = RetentionShow { archive: show.archive };
            context.ask(SHOW, parameters, retention::shown)
        }
        Retention::Set(set) => self::set(context, *set),
    }
}

/// Has freed what every job that counts has at its target.
pub fn remove_after_success(client: &mut Client, archive: Name) -> Result<(), Failure> {
    let before = client.call(
        SHOW,
        RetentionShow {
            archive: archive.clone(),
        },
    )?;
    let mut retention = understood::<RetentionShown>(SHOW, &before)?.retention;
    if retention.remove_after_success {
        return Ok(());
    }
    retention.remove_after_success = true;
    let parameters = RetentionSet {
        archive,
        retention,
        dry_run: false,
    };
    client.call(SET, parameters).map(drop)
}

fn set(context: &Context, set: Set) -> Result<Exit, Failure> {
    let mut client = context.connect()?;
    let archive = set.archive.clone();
    let before = client.call(SHOW, RetentionShow { archive })?;
    let mut policy = understood::<RetentionShown>(SHOW, &before)?.retention;
    change(&mut policy, &set);
    let dry_run = set.dry_run;
    let parameters = RetentionSet {
        archive: set.archive,
        retention: policy,
        dry_run,
    };
    let answer = client.call(SET, parameters)?;
    context.show(SET, answer, |shown: &RetentionShown, look| match dry_run {
        true => retention::tried(shown, look),
        false => retention::shown(shown, look),
    })?;
    Ok(Exit::Done)
}

/// What was said, put into what was there.
fn change(policy: &mut Policy, set: &Set) {
    if let Some(switch) = set.remove_after_success {
        policy.remove_after_success = switch == Switch::On;
    }
    if let Some(switch) = set.protect {
        policy.protect = switch == Switch::On;
    }
    if let Some(guards) = &set.guards {
        policy.count = guards.count;
        policy.jobs.clone_from(&guards.jobs);
    }
    let put = |place: &mut Option<u64>, bound: Option<Bound>| {
        if let Some(Bound(bound)) = bound {
            *place = bound;
        }
    };
    let Some(name) = &set.camera else {
        put(&mut policy.max_age_ms, set.max_age);
        put(&mut policy.max_bytes, set.max_size);
        put(&mut policy.min_age_ms, set.min_age);
        put(&mut policy.min_bytes, set.min_size);
        return;
    };
    let known = policy.cameras.iter().position(|camera| camera.camera == *name);
    let mut camera = match known {
        Some(at) => policy.cameras.remove(at),
        None => CameraRetention {
            camera: name.clone(),
            max_age_ms: None,
            max_bytes: None,
            min_age_ms: None,
            min_bytes: None,
        },
    };
    put(&mut camera.max_age_ms, set.max_age);
    put(&mut camera.max_bytes, set.max_size);
    put(&mut camera.min_age_ms, set.min_age);
    put(&mut camera.min_bytes, set.min_size);
    let bounds = [camera.max_age_ms, camera.max_bytes, camera.min_age_ms, camera.min_bytes];
    if bounds.iter().any(Option::is_some) {
        policy.cameras.push(camera);
    }
}

/// `blockhaul job release`
pub fn release(context: &Context, release: Release) -> Result<Exit, Failure> {
    let parameters = JobRelease {
        name: release.name,
        dry_run: release.dry_run,
    };
    context.ask("io.blockhaul.Job.Release", parameters, |released: &JobReleased, _| {
        retention::released(released)
    })
}

/// `blockhaul job guard`
pub fn guard(context: &Context, name: Name) -> Result<Exit, Failure> {
    context.ask("io.blockhaul.Job.Guard", Named { name }, |guarding: &JobReleased, _| {
        retention::guarding(guarding)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_stays() {
        let set = |camera: Option<&str>, min_size: Option<Bound>| Set {
            archive: "yard".parse().unwrap(),
            remove_after_success: None,
            protect: Some(Switch::On),
            guards: None,
            camera: camera.map(|name| name.parse().unwrap()),
            max_age: None,
            max_size: None,
            min_age: None,
            min_size,
            dry_run: false,
        };
        let mut policy = Policy {
            remove_after_success: true,
            ..Policy::default()
        };
        change(&mut policy, &set(Some("gate"), Some(Bound(Some(7)))));
        assert!(policy.remove_after_success && policy.protect && policy.min_bytes.is_none());
        assert_eq!(policy.cameras[0].min_bytes, Some(7));
        change(&mut policy, &set(Some("gate"), Some(Bound(None))));
        assert!(policy.cameras.is_empty());
        change(&mut policy, &set(None, Some(Bound(Some(9)))));
        assert_eq!(policy.min_bytes, Some(9));
    }
}
