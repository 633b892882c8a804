//! Cameras: a recorder at an appliance, and a feeder that writes a stream into it.

use drivers_sim::{FeederId, Script, SiteId};
use serde_json::json;

use super::play::{Play, SECOND_NS};
use super::stream::chunk;

/// A camera and what feeds it.
#[derive(Clone, Debug)]
pub struct Camera {
    /// Its name, and that of its recorder.
    pub name: String,
    /// Where it is recorded.
    pub site: SiteId,
    /// Its stream.
    pub stream: u32,
    /// What feeds it.
    pub feeder: FeederId,
}

/// How much a camera sends.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Chunks in all.
    pub chunks: u64,
    /// Time between two.
    pub every_ns: u64,
    /// An unfilled block is sealed after so long.
    pub flush_after_ms: u64,
}

impl Pace {
    /// Between a few small blocks and a few full ones a second.
    pub fn draw(play: &mut Play) -> Pace {
        Pace {
            chunks: 40 + play.draw(400),
            every_ns: play.pick(&[SECOND_NS / 60, SECOND_NS / 12, SECOND_NS / 3]),
            flush_after_ms: 1000 + play.draw(2000),
        }
    }
}

impl Camera {
    /// Makes a recorder and starts the feeder.
    pub fn start(play: &mut Play, site: SiteId, archive: &str, name: &str, pace: Pace) -> Result<Camera, String> {
        let listen = format!("/run/{name}");
        let recorder = json!({
            "name": name, "archive": archive, "camera": name, "listen": listen, "flush_after_ms": pace.flush_after_ms,
        });
        play.ask(site, "Recorder.Create", recorder)?;
        let stream = u32::try_from(play.draw(1 << 20)).expect("small");
        let script = Script {
            stream,
            chunk,
            chunks: pace.chunks,
            every_ns: pace.every_ns,
        };
        let feeder = play.world.machines.feed_path(site, &listen, script);
        Ok(Camera {
            name: name.into(),
            site,
            stream,
            feeder,
        })
    }
}
