//! A real camera's format: MPEG-TS made by ffmpeg goes into a recorder's socket, is hauled, and comes back at the target byte for byte, with every
//! frame.

use std::fs;
use std::path::Path;
use std::process::Command;

use blockhaul_tests::Result;
use blockhaul_tests::programs::find;

use crate::stage::{CAMERA, CARD, Stage, VAULT, wait_until};
use crate::stream::export;

const FRAMES: u64 = 250;

fn tool(name: &str) -> Result<Command> {
    let path = find(name);
    path.map(Command::new)
        .ok_or_else(|| format!("{name} is not there: install it with `apt-get install ffmpeg`, or let `cargo ci` do it"))
}

#[test]
fn what_ffmpeg_makes_comes_back_with_every_frame() -> Result<()> {
    let stage = Stage::with_files(("64MiB", "ring"), ("64MiB", "append"))?;
    // The path of a socket may have 107 bytes only.
    let socket = stage.source.socket().with_file_name("cam1");
    let listen = format!("unix:{}", socket.display());
    let create = [
        "recorder",
        "create",
        "lobby",
        "--archive",
        CARD,
        "--camera",
        CAMERA,
        "--listen",
        &listen,
    ];
    stage.source.call(&create)?;
    let original = stage.folder.path().join("original.ts");
    let outputs = format!("[f=mpegts]{}|[f=mpegts]{listen}", original.display());
    let made = tool("ffmpeg")?
        .args([
            "-v",
            "error",
            "-nostdin",
            "-y",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=640x360:rate=25:duration=10",
        ])
        .args([
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440:duration=10",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
        ])
        .args(["-g", "25", "-c:a", "aac", "-map", "0:v", "-map", "1:a", "-f", "tee", &outputs])
        .output()
        .map_err(|error| error.to_string())?;
    assert!(made.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&made.stderr));
    let original_bytes = fs::read(&original).map_err(|error| error.to_string())?;
    wait_until("the recorder to have all bytes", || {
        let recorder = stage.source.call(&["recorder", "list"])?["recorders"][0].clone();
        assert_eq!(recorder["dropped_bytes"], 0, "{recorder}");
        Ok(recorder["bytes"] == original_bytes.len())
    })?;
    // What is not full is sealed when the feeder has gone; only then is there nothing left behind the last block.
    let exported = stage.folder.path().join("exported.ts");
    wait_until("all of it at the target", || {
        stage.caught_up()?;
        let info = stage.target.call(&["archive", "info", VAULT])?;
        Ok(
            info["archive"]["tracks"] == 1 && stage.target.taken(VAULT)? == stage.source.taken(CARD)? && {
                let (_, bytes) = export(&stage.target, VAULT, &exported)?;
                bytes.len() == original_bytes.len()
            },
        )
    })?;
    let (ended, bytes) = export(&stage.target, VAULT, &exported)?;
    assert_eq!(ended.exit, 0, "{ended:?}");
    assert!(bytes == original_bytes, "other bytes came back");
    assert_eq!(frames(&original)?, FRAMES);
    assert_eq!(frames(&exported)?, FRAMES);
    Ok(())
}

/// Frames that a decoder gets.
fn frames(file: &Path) -> Result<u64> {
    let counted = tool("ffprobe")?
        .args(["-v", "error", "-count_frames", "-select_streams", "v:0"])
        .args([
            "-show_entries",
            "stream=nb_read_frames",
            "-of",
            "default=nokey=1:noprint_wrappers=1",
        ])
        .arg(file)
        .output()
        .map_err(|error| error.to_string())?;
    let printed = String::from_utf8_lossy(&counted.stdout);
    let first = printed.lines().next().unwrap_or_default().trim();
    first
        .parse()
        .map_err(|_| format!("ffprobe counts no frames in {}: {printed:?}", file.display()))
}
