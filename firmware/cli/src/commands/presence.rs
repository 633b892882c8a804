//! `gaps`, `exists` and `stats`: what is there of cameras, and what is not.

use blockhaul_core::control::types::{
    ArchiveStatus, Archives, ExistsCall, Extant, Gaps, GapsCall, Nothing, Statistics, StatisticsCall,
};
use serde_json::json;

use super::{Context, understood};
use crate::args::media;
use crate::failure::{Exit, Failure};
use crate::render::presence;

/// `blockhaul gaps`
pub fn gaps(context: &Context, gaps: media::Gaps) -> Result<Exit, Failure> {
    let method = "io.blockhaul.Archive.Gaps";
    let camera = gaps.camera.to_string();
    let parameters = GapsCall {
        archive: gaps.archive,
        camera: gaps.camera,
    };
    let answer = context.connect()?.call_patiently(method, parameters)?;
    context.show(method, answer, |found: &Gaps, look| presence::gaps(&camera, found, look))?;
    Ok(Exit::Done)
}

/// `blockhaul exists`
pub fn exists(context: &Context, exists: media::Exists) -> Result<Exit, Failure> {
    let method = "io.blockhaul.Archive.Exists";
    let parameters = ExistsCall {
        archive: exists.archive,
        camera: exists.camera,
        kind: exists.kind.into(),
        from_utc_ns: exists.from,
        to_utc_ns: exists.to,
    };
    let answer = context.connect()?.call_patiently(method, parameters)?;
    let exists = context.show(method, answer, presence::exists)?;
    Ok(match exists.answer {
        Extant::Yes => Exit::Done,
        Extant::Partly => Exit::Partial,
        Extant::No => Exit::NotFound,
    })
}

/// `blockhaul stats`
pub fn stats(context: &Context, stats: media::Stats) -> Result<Exit, Failure> {
    let method = "io.blockhaul.Archive.Statistics";
    let mut client = context.connect()?;
    let archives: Vec<_> = match &stats.archive {
        Some(archive) => vec![archive.clone()],
        None => {
            let method = "io.blockhaul.Archive.List";
            let all: Archives = understood(method, &client.call(method, Nothing {})?)?;
            all.archives.into_iter().map(|archive: ArchiveStatus| archive.name).collect()
        }
    };
    let mut tables = Vec::new();
    for archive in archives {
        let parameters = StatisticsCall {
            archive: archive.clone(),
            camera: stats.camera.clone(),
            from_utc_ns: stats.from,
            to_utc_ns: stats.to,
        };
        let answer = client.call_patiently(method, parameters)?;
        let statistics: Statistics = understood(method, &answer)?;
        if context.json {
            context.print_object(&json!({ "archive": archive, "days": answer["days"], "left_out": answer["left_out"] }))?;
        }
        tables.push((archive.to_string(), statistics));
    }
    if !context.json {
        context.print(&presence::statistics(&tables, &context.look))?;
    }
    Ok(Exit::Done)
}
