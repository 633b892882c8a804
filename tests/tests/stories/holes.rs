//! A camera is recorded by the store while it is in reach, and all the time on its own card. The link is down for a while. The card is
//! put into another appliance, whose job brings to the store what it has nothing of; the export of the store is one film of both.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use blockhaul_tests::Result;
use blockhaul_tests::programs::tree;
use serde_json::Value;

use crate::card::{run, taken};
use crate::stage::{CAMERA, CARD, Stage, VAULT, archive_field, ask, create_file, events, wait_until};

/// Seconds before the hole, of it, and behind it.
const BEFORE: u64 = 12;
const HOLE: u64 = 14;
const BEHIND: u64 = 12;
/// Length of a file on the card.
const FILE_SECONDS: u64 = 2;

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn failed(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A film of two seconds as a transport stream.
fn film(path: &Path, number: u64) -> Result<Vec<u8>> {
    let source = format!("testsrc=size=640x480:rate=10:duration={FILE_SECONDS},hue=h={}", number * 25);
    let shown = path.display().to_string();
    let arguments = [
        "-v", "error", "-y", "-f", "lavfi", "-i", &source, "-c:v", "mpeg4", "-q:v", "2", "-g", "5", "-f", "mpegts", &shown,
    ];
    run("ffmpeg", &arguments)?;
    fs::read(path).map_err(failed)
}

/// A file of the card: when it began, and its bytes.
struct File {
    begun: u64,
    bytes: Vec<u8>,
}

/// The FAT32 card of a camera that recorded from a time to a time.
fn fat32(folder: &Path, from: u64, to: u64) -> Result<(PathBuf, Vec<File>)> {
    let image = folder.join("card.img");
    let shown = image.display().to_string();
    fs::File::create(&image)
        .and_then(|file| file.set_len(64 << 20))
        .map_err(failed)?;
    let serial = &blake3::hash(shown.as_bytes()).to_hex()[..8];
    run("mkfs.fat", &["-F", "32", "-s", "1", "-i", serial, &shown])?;
    let mut files = Vec::new();
    for (number, begun) in (from..to).step_by(FILE_SECONDS as usize).enumerate() {
        let path = folder.join(format!("{begun}.ts"));
        let bytes = film(&path, number as u64)?;
        let written = UNIX_EPOCH + Duration::from_secs(begun + FILE_SECONDS);
        let file = fs::File::options().write(true).open(&path).map_err(failed)?;
        file.set_modified(written).map_err(failed)?;
        let output = Command::new("mcopy")
            .args(["-m", "-i", &shown, &path.display().to_string(), "::"])
            .env("TZ", "UTC")
            .output()
            .map_err(failed)?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        files.push(File { begun, bytes });
    }
    Ok((image, files))
}

/// The store records what comes from the camera, a part each second.
fn record(door: &Path, parts: &[Vec<u8>]) -> Result<()> {
    wait_until("the door of the recorder", || Ok(UnixStream::connect(door).is_ok()))?;
    let mut stream = UnixStream::connect(door).map_err(failed)?;
    for part in parts {
        stream.write_all(part).map_err(failed)?;
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

/// Lines of a manifest of that kind.
fn lines(manifest: &Path, kind: &str) -> Result<Vec<Value>> {
    let text = fs::read_to_string(manifest).map_err(failed)?;
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    Ok(all.filter_map(|mut line| line.get_mut(kind).map(Value::take)).collect())
}

/// The blocks of an export: their origin, and their bytes.
fn pieces(manifest: &Path, file: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let bytes = fs::read(file).map_err(failed)?;
    let number = |block: &Value, field: &str| block[field].as_u64().unwrap() as usize;
    let blocks = lines(manifest, "block")?;
    let piece = |block: &Value| {
        let at = number(block, "offset_bytes");
        let origin = block["origin_part"].as_str().unwrap()[..32].to_owned();
        (origin, bytes[at..at + number(block, "bytes")].to_vec())
    };
    Ok(blocks.iter().map(piece).collect())
}

#[test]
fn what_a_card_has_of_a_hole_is_hauled_and_exported_and_nothing_else() -> Result<()> {
    let mut stage = Stage::set()?;
    create_file(&stage.source, CARD, ("48MiB", "append"))?;
    create_file(&stage.target, VAULT, ("64MiB", "append"))?;
    let folder = stage.folder.path().to_owned();
    let door = folder.join("door");
    let listen = door.display().to_string();
    let recorder = [
        "recorder",
        "create",
        "rtsp",
        "--archive",
        VAULT,
        "--camera",
        CAMERA,
        "--listen",
        &listen,
        "--flush-after",
        "1s",
    ];
    stage.target.call(&recorder)?;

    let live = folder.join("live.ts");
    let parts: Vec<Vec<u8>> = (100..100 + BEFORE + BEHIND)
        .map(|number| film(&live, number))
        .collect::<Result<_>>()?;
    let (first, second) = parts.split_at(BEFORE as usize);
    let recorded = parts.concat();
    let begun = seconds_now();
    record(&door, first)?;
    let lost = seconds_now();
    std::thread::sleep(Duration::from_secs(HOLE));
    let again = seconds_now();
    record(&door, second)?;
    std::thread::sleep(Duration::from_secs(2));
    let (image, files) = fat32(&folder, begun - 1, seconds_now())?;

    // The card is put into an appliance elsewhere, and hauled beside the recorder of the store.
    let grant = ["grant", "create", "--peer", "camera", "--archive", VAULT];
    let token_file = folder.join("token");
    fs::write(&token_file, stage.target.text(&grant, "token")?).map_err(failed)?;
    let (token, to, path) = (
        token_file.display().to_string(),
        format!("store/{VAULT}"),
        image.display().to_string(),
    );
    let add = [
        "card",
        "add",
        "street",
        "--archive",
        CARD,
        "--path",
        &path,
        "--pattern",
        "%s.ts",
        "--camera",
        CAMERA,
        "--settle",
        "1s",
    ];
    stage.source.call(&add)?;
    let job = [
        "job",
        "create",
        "fill",
        "--from",
        CARD,
        "--to",
        &to,
        "--camera",
        CAMERA,
        "--mode",
        "on-demand",
        "--period",
        "offline margin 1s wait 5s",
        "--token-file",
        &token,
    ];
    stage.source.call(&job)?;
    assert_eq!(taken(&stage, "street")?["files_lost"], 0);
    let haul = ["job", "run", "fill", "--wait", "--timeout", "40s"];
    assert_eq!(
        stage
            .source
            .call(&haul)
            .map_err(|why| format!("{why}\n{}", stage.last_words()))?["result"],
        "completed"
    );

    // Whole files came, all that touch the hole, and none that lies well within what the store has.
    let card_uuid = stage.source.call(&["card", "list"])?["cards"][0]["origin"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let (file, manifest) = (folder.join("out.ts"), folder.join("out.manifest"));
    let (out, beside) = (file.display().to_string(), manifest.display().to_string());
    let export = |more: &[&str]| {
        let words = [
            "export",
            "--archive",
            VAULT,
            "--camera",
            CAMERA,
            "--force",
            "-o",
            &out,
            "--manifest",
            &beside,
        ];
        ask(&stage.target, &[&words[..], more].concat())
    };
    let ended = export(&["--origin", &card_uuid])?;
    assert_eq!(
        (ended.exit, &ended.said["damaged"]),
        (3, &0.into()),
        "what was left out is missing of it alone: {ended:?}"
    );
    let brought: Vec<u8> = pieces(&manifest, &file)?.into_iter().flat_map(|(_, bytes)| bytes).collect();
    let mut at = 0;
    let mut is_brought = |one: &&File| {
        let is_next = brought[at..].starts_with(&one.bytes);
        at += if is_next { one.bytes.len() } else { 0 };
        is_next
    };
    let came: Vec<u64> = files.iter().filter(&mut is_brought).map(|file| file.begun).collect();
    assert_eq!(at, brought.len(), "whole files and nothing else came: {came:?}");
    let mut left = 0;
    for file in &files {
        let (from, to) = (file.begun, file.begun + FILE_SECONDS);
        let in_hole = from > lost && to <= again;
        let covered = (from >= begun + 3 && to + 4 <= lost) || (from >= again + 4 && to + 4 <= again + BEHIND);
        left += usize::from(covered);
        assert!(
            !in_hole || came.contains(&from),
            "{from} lies in the hole {lost} to {again}; {came:?} came"
        );
        assert!(
            !covered || !came.contains(&from),
            "{from} is covered; {came:?} came, of {begun}, {lost}, {again}"
        );
    }
    assert!(left >= 2, "{begun}, {lost}, {again}");
    let gaps = stage.target.call(&["gaps", "--archive", VAULT, "--camera", CAMERA])?["gaps"].clone();
    let filtered = gaps
        .as_array()
        .unwrap()
        .iter()
        .filter(|gap| gap["what"] == "filtered")
        .count();
    assert!(filtered > 0, "{gaps}");
    assert!(events(&stage.target, "gap")?.is_empty(), "nothing was lost");

    // One film of both, which an independent program checks.
    let ended = export(&[])?;
    assert_eq!(ended.exit, 0, "{ended:?}\n{}", stage.last_words());
    let own = archive_field(&stage.target, VAULT, "uuid")?;
    let (first, second) = (&ended.said["origins"][0], &ended.said["origins"][1]);
    assert_eq!(
        (&first["origin"], &first["left_out"], &second["origin"]),
        (&own, &0.into(), &card_uuid.clone().into())
    );
    let script = tree().join("tests/manifest.py");
    let checked = Command::new("python3")
        .arg(script)
        .args([&manifest, &file])
        .output()
        .map_err(failed)?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let (mut ours, mut theirs, mut order) = (Vec::new(), Vec::new(), Vec::new());
    for (origin, bytes) in pieces(&manifest, &file)? {
        let of_card = origin == card_uuid.replace('-', "");
        if of_card { &mut theirs } else { &mut ours }.extend(bytes);
        if order.last() != Some(&of_card) {
            order.push(of_card);
        }
    }
    assert!(
        blake3::hash(&ours) == blake3::hash(&recorded),
        "what the store recorded is all there, once"
    );
    let within = |file: &&File| file.begun >= lost + 2 && file.begun + FILE_SECONDS <= again;
    let inner: Vec<u8> = files.iter().filter(within).flat_map(|file| file.bytes.clone()).collect();
    assert!(
        inner.len() > 5 * 65_536 && theirs.windows(inner.len()).any(|part| part == inner),
        "the hole is filled"
    );
    assert!(
        order.windows(3).any(|turns| turns == [false, true, false]),
        "the card's film lies in the hole: {order:?}"
    );
    let left_out: u64 = lines(&manifest, "left_out")?
        .iter()
        .map(|line| line["to"].as_u64().unwrap() - line["from"].as_u64().unwrap())
        .sum();
    assert_eq!(left_out, second["left_out"].as_u64().unwrap());

    // Again, after a restart of both: nothing comes twice.
    let tracks = |stage: &Stage| {
        stage
            .target
            .call(&["archive", "info", VAULT])
            .map(|info| info["tracks"].clone())
    };
    let before = tracks(&stage)?;
    stage.source.stop()?;
    stage.source.start()?;
    taken(&stage, "street")?;
    assert_eq!(stage.source.call(&haul)?["result"], "completed");
    assert_eq!(tracks(&stage)?, before);
    assert_eq!(ask(&stage.target, &["archive", "verify", VAULT])?.exit, 0);
    Ok(())
}
