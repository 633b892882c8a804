//! The test picture is what it says it is: an independent decoder shows every frame of it without complaint, and exactly as
//! it was meant; and the scanner of the recorder sees what is in it.
//!
//! Needs `ffmpeg` and `ffprobe`; `cargo ci` installs them.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::{Command, Output};

use blockhaul_core::recorder::container::{Container, Scanner};
use blockhaul_tests::picture::Picture;

const FRAMES: usize = 130;
const RATE: u32 = 25;

fn stream(width: u32, height: u32) -> Vec<Vec<u8>> {
    let mut picture = Picture::new(width, height, RATE);
    (0..FRAMES).map(|_| picture.frame()).collect()
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap_or_else(|error| {
        panic!("{program} cannot be run ({error}): install the package ffmpeg, or run cargo ci, which does")
    })
}

#[test]
fn a_decoder_shows_every_frame_without_complaint() {
    let folder = tempfile::tempdir().unwrap();
    for (width, height) in [(320, 180), (640, 360), (98, 66)] {
        let path = folder.path().join("picture.ts");
        fs::write(&path, stream(width, height).concat()).unwrap();
        let path = path.to_str().unwrap();

        let strict = ["-v", "warning", "-err_detect", "explode", "-i", path, "-f", "null", "-"];
        let decoded = run("ffmpeg", &strict);
        let complaints = String::from_utf8_lossy(&decoded.stderr);
        assert!(
            decoded.status.success() && complaints.is_empty(),
            "{width}x{height}: {complaints}"
        );

        let fields = "stream=codec_name,profile,width,height,r_frame_rate,nb_read_frames";
        let probed = run(
            "ffprobe",
            &[
                "-v",
                "error",
                "-count_frames",
                "-show_entries",
                fields,
                "-of",
                "csv=p=0",
                path,
            ],
        );
        let shown = String::from_utf8_lossy(&probed.stdout);
        let expected = format!("h264,Constrained Baseline,{width},{height},{RATE}/1,{FRAMES}");
        assert_eq!(shown.lines().next(), Some(expected.as_str()));
    }
}

/// Any part that begins at a key frame plays by itself: 25 frames a second, the key frame first.
#[test]
fn a_part_plays_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.ts");
    fs::write(&path, stream(160, 96)[50..].concat()).unwrap();
    let arguments = [
        "-v",
        "error",
        "-count_frames",
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "csv=p=0",
    ];
    let probed = run("ffprobe", &[&arguments[..], &[path.to_str().unwrap()]].concat());
    assert_eq!(String::from_utf8_lossy(&probed.stdout).lines().next(), Some("80"));
    assert!(probed.stderr.is_empty());
}

#[test]
fn the_scanner_sees_tables_and_key_frames() {
    let frames = stream(160, 96);
    let mut scanner = Scanner::new();
    for (number, frame) in frames.iter().enumerate() {
        scanner.scan(frame);
        assert_eq!(
            scanner.take_key_frame(),
            number.is_multiple_of(RATE as usize),
            "frame {number}"
        );
        assert_eq!(scanner.init(), &frame[..2 * 188]);
    }
    assert_eq!(scanner.container(), Container::MpegTs);
}

/// The same with streams of a real encoder, which sets things in its own way.
#[test]
fn the_scanner_sees_what_ffmpeg_makes() {
    let folder = tempfile::tempdir().unwrap();
    let source = [
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=160x96:rate=25:duration=4",
        "-an",
    ];
    let encoders: [(&str, &[&str]); 3] = [
        ("h264.ts", &["-c:v", "libx264", "-g", "25", "-f", "mpegts"]),
        ("mpeg2.ts", &["-c:v", "mpeg2video", "-g", "25", "-f", "mpegts"]),
        (
            "h264.mp4",
            &[
                "-c:v",
                "libx264",
                "-g",
                "25",
                "-movflags",
                "frag_keyframe+empty_moov+default_base_moof",
                "-f",
                "mp4",
            ],
        ),
    ];
    for (name, encoder) in encoders {
        let path = folder.path().join(name);
        let made = run("ffmpeg", &[&source[..], encoder, &[path.to_str().unwrap()]].concat());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let bytes = fs::read(&path).unwrap();
        let (mut scanner, mut key_frames) = (Scanner::new(), 0);
        for piece in bytes.chunks(188) {
            scanner.scan(piece);
            key_frames += usize::from(scanner.take_key_frame());
        }
        let container = if name.ends_with(".ts") {
            Container::MpegTs
        } else {
            Container::Fmp4
        };
        assert_eq!(scanner.container(), container, "{name}");
        assert!((4..=8).contains(&key_frames), "{name}: {key_frames} key frames");

        // What is kept is enough to play the second half of the stream by itself.
        let half = match container {
            Container::MpegTs => bytes.len() / 2 / 188 * 188,
            _ => {
                bytes
                    .windows(4)
                    .enumerate()
                    .filter(|(_, kind)| kind == b"moof")
                    .nth(2)
                    .unwrap()
                    .0
                    - 4
            }
        };
        let part = folder.path().join("part");
        fs::write(&part, [scanner.init(), &bytes[half..]].concat()).unwrap();
        let arguments = [
            "-v",
            "quiet",
            "-count_frames",
            "-show_entries",
            "stream=nb_read_frames",
            "-of",
            "csv=p=0",
        ];
        let probed = run("ffprobe", &[&arguments[..], &[part.to_str().unwrap()]].concat());
        let shown = String::from_utf8_lossy(&probed.stdout);
        let frames: u32 = shown
            .lines()
            .next()
            .and_then(|count| count.trim_end_matches(',').parse().ok())
            .unwrap_or(0);
        assert!((25..=75).contains(&frames), "{name}: {shown} frames of the second half");
    }
}
