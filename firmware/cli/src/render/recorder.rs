//! Recorders, and what was recorded and exported.

use blockhaul_core::control::types::{Exported, Recorded, RecorderStatus};

use super::table::Table;
use super::units::{count, size, things};
use super::{Look, Tone};

/// One row for each recorder.
pub fn table(recorders: &[RecorderStatus], look: &Look) -> String {
    let mut table = Table::new(&[
        "RECORDER", "STATE", "ARCHIVE", "CAMERA", "KIND", ">BLOCKS", ">TAKEN", ">DROPPED", "SOCKET",
    ]);
    for recorder in recorders {
        let open = recorder.why.is_empty();
        let (word, tone) = if open { ("open", Tone::Good) } else { ("closed", Tone::Bad) };
        table
            .row([
                recorder.name.to_string(),
                word.into(),
                recorder.archive.to_string(),
                recorder.camera.to_string(),
                recorder.kind.to_string(),
                count(recorder.blocks),
                size(recorder.bytes),
                size(recorder.dropped_bytes),
                recorder.listen.clone(),
            ])
            .tone(1, tone);
        table.note("why:", &recorder.why, tone);
        if recorder.dropped_bytes > 0 {
            let told = format!(
                "the disk of archive {} was too slow, {}",
                recorder.archive,
                things(recorder.drops, "time")
            );
            table.note("dropped:", &told, Tone::Watch);
        }
    }
    if table.is_empty() {
        "There is no recorder.\n".into()
    } else {
        table.lines(look)
    }
}

/// What a `record` came to.
pub fn recorded(archive: &str, camera: &str, recorded: &Recorded) -> String {
    let told = format!(
        "Recorded {} of camera {camera} in {} of archive {archive}; all of it is durable.\n",
        size(recorded.bytes),
        things(recorded.blocks, "block")
    );
    match recorded.dropped_bytes {
        0 => told,
        dropped => told + &format!("{} were dropped because the disk was too slow.\n", size(dropped)),
    }
}

/// What an `export` came to.
pub fn exported(camera: &str, to: &str, exported: &Exported) -> String {
    let mut told = format!(
        "Exported {} of camera {camera} ({}) to {to}.\n",
        size(exported.bytes),
        things(exported.blocks, "block")
    );
    for share in &exported.origins {
        told += &format!("  {}: {}", share.origin, things(share.blocks, "block"));
        if share.left_out > 0 {
            told += &format!(
                "; {} left out, as the origins before have that time",
                things(share.left_out, "block")
            );
        }
        told.push('\n');
    }
    if exported.missing > 0 {
        told += &format!("{} missing in that range; see `blockhaul gaps`.\n", are(exported.missing));
    }
    if exported.damaged > 0 {
        told += &format!(
            "{} damaged and left out; see `blockhaul archive verify`.\n",
            are(exported.damaged)
        );
    }
    told
}

fn are(blocks: u64) -> String {
    format!("{} {}", things(blocks, "block"), if blocks == 1 { "is" } else { "are" })
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::render::sample;

    /// A recorder that has dropped something.
    pub fn lobby() -> RecorderStatus {
        RecorderStatus {
            name: "lobby".parse().unwrap(),
            archive: "card".parse().unwrap(),
            camera: "lobby".parse().unwrap(),
            kind: Default::default(),
            listen: "/run/lobby.sock".into(),
            why: String::new(),
            blocks: 12,
            bytes: 12 << 20,
            dropped_bytes: 2048,
            drops: 1,
        }
    }

    #[test]
    fn a_recorder_tells_its_drops_and_why_it_is_closed() {
        let closed = RecorderStatus {
            why: "archive card is offline".into(),
            dropped_bytes: 0,
            ..lobby()
        };
        assert_eq!(
            table(&[lobby(), closed], &sample::plain()),
            "\
RECORDER  STATE   ARCHIVE  CAMERA  KIND   BLOCKS     TAKEN  DROPPED  SOCKET
lobby     open    card     lobby   video      12  12.0 MiB  2.0 KiB  /run/lobby.sock
  dropped: the disk of archive card was too slow, 1 time
lobby     closed  card     lobby   video      12  12.0 MiB      0 B  /run/lobby.sock
  why: archive card is offline
"
        );
    }

    #[test]
    fn an_export_with_holes_says_so() {
        let holes = Exported {
            blocks: 3,
            bytes: 3 << 20,
            missing: 1,
            damaged: 2,
            holes: Vec::new(),
            ..Exported::default()
        };
        assert_eq!(
            exported("lobby", "out.ts", &holes),
            "\
Exported 3.0 MiB of camera lobby (3 blocks) to out.ts.
1 block is missing in that range; see `blockhaul gaps`.
2 blocks are damaged and left out; see `blockhaul archive verify`.
"
        );
    }
}
