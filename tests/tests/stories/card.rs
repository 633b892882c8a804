//! A camera's card is put into the appliance: an OpenIPC tree on FAT32, an Axis tree on ext4, a folder; with real media from ffmpeg. It is
//! taken in, while the daemon is killed again and again, hauled to the store, exported there, and compared with what the camera wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use blockhaul_tests::Result;
use serde_json::Value;

use crate::stage::{CARD, Stage, VAULT, ask, create_file, events, refused, wait_until};
use crate::volume::{Loop, blank, system};

/// Runs a program, which must go well.
pub fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).env("MTOOLS_SKIP_CHECK", "1").output();
    let output = output.map_err(|error| format!("{program} cannot be run ({error}): `cargo ci` installs it"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// A film of so many seconds in a container, from ffmpeg.
fn film(path: &Path, seconds: u32, number: usize) -> Result<Vec<u8>> {
    fs::create_dir_all(path.parent().unwrap()).map_err(|error| error.to_string())?;
    let source = format!("testsrc=size=320x240:rate=10:duration={seconds},hue=h={}", number * 40);
    let shown = path.display().to_string();
    let arguments = [
        "-v", "error", "-y", "-f", "lavfi", "-i", &source, "-c:v", "mpeg4", "-b:v", "600k", "-g", "10", &shown,
    ];
    run("ffmpeg", &arguments)?;
    // An hour old, as on a card that was carried here.
    let old = std::time::SystemTime::now() - Duration::from_secs(3600);
    let file = fs::File::options()
        .write(true)
        .open(path)
        .map_err(|error| error.to_string())?;
    file.set_modified(old).map_err(|error| error.to_string())?;
    fs::read(path).map_err(|error| error.to_string())
}

/// Films under names of a camera, in order of time; and all of their bytes.
fn films(folder: &Path, names: &[&str]) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for (number, name) in names.iter().enumerate() {
        all.extend(film(&folder.join(name), 2, number)?);
    }
    Ok(all)
}

const OPENIPC: [&str; 4] = [
    "2026-11-19/22-00.mp4",
    "2026-11-19/22-01.mp4",
    "2026-11-20/00-00.mp4",
    "2026-11-20/00-01.mp4",
];
/// As on a share: below the name of the camera. Its zone is an hour ahead of UTC.
const AXIS: [&str; 3] = [
    "axis-ACCC8E000001/20261119/23/20261119_230000_AB12_ACCC8E000001/20261119_23/20261119_230000_0001.mkv",
    "axis-ACCC8E000001/20261119/23/20261119_230000_AB12_ACCC8E000001/20261119_23/20261119_230500_0002.mkv",
    "axis-ACCC8E000001/20261120/00/20261120_000000_AB13_ACCC8E000001/20261120_00/20261120_000000_0003.mkv",
];
/// As on a card: the second one has no document, the third one was being written when the card was pulled.
const AXIS_CARD: [&str; 3] = [
    "20261120/10/20261120_100000_CD12_ACCC8E000002/20261120_10/20261120_100000_0001.mkv",
    "20261120/10/20261120_100000_CD12_ACCC8E000002/20261120_10/20261120_100500_0002.mkv",
    "20261120/10/20261120_100000_CD12_ACCC8E000002/20261120_10/20261120_101000_0003.mkv",
];

/// What an Axis camera writes beside a film of two seconds: the begin in UTC and the number of the lens; an end if it is closed.
fn document(tree: &Path, name: &str, begin: &str, source: u32, is_closed: bool) -> Result<()> {
    let file = tree.join(name);
    let token = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = file.ancestors().nth(2).unwrap();
    let end = begin.replace(":00.25Z", ":02.25Z");
    let end = match is_closed {
        true => format!("<StopTime>{end}</StopTime><Status>Complete</Status>"),
        false => "<Status>Recording</Status>".to_owned(),
    };
    let block = format!(
        "<RecordingBlock RecordingBlockToken=\"{}\" ><RecordingToken>{}</RecordingToken><StartTime>{begin}</StartTime>{end}\
         </RecordingBlock>",
        token(&file),
        token(folder)
    );
    let recording = format!(
        "<Recording RecordingToken=\"{}\" ><RecordingGroup> </RecordingGroup><SourceToken>{source}</SourceToken>\
         <StartTime>{begin}</StartTime><Track TrackToken=\"Video\"><VideoAttributes><Width>320</Width><Height>240</Height>\
         </VideoAttributes></Track><Application>AxisCamera</Application></Recording>",
        token(folder)
    );
    let written = fs::write(file.with_extension("xml"), block);
    written
        .and_then(|()| fs::write(folder.join("recording.xml"), recording))
        .map_err(|error| error.to_string())
}

/// Both trees of Axis cameras: the bytes of the one, and of the other as far as it is closed.
fn axis(tree: &Path) -> Result<(Vec<u8>, Vec<u8>)> {
    let share = films(tree, &AXIS)?;
    for (name, begin) in AXIS.iter().zip(["19T22:00", "19T22:05", "19T23:00"]) {
        document(tree, name, &format!("2026-11-{begin}:00.25Z"), 1, true)?;
    }
    let closed = films(tree, &AXIS_CARD[..2])?;
    film(&tree.join(AXIS_CARD[2]), 2, 7)?;
    document(tree, AXIS_CARD[0], "2026-11-20T09:00:00.25Z", 3, true)?;
    document(tree, AXIS_CARD[2], "2026-11-20T09:10:00.25Z", 3, false)?;
    Ok((share, closed))
}

/// A card with the days of a tree on FAT32.
pub fn fat32(folder: &Path, tree: &Path) -> Result<PathBuf> {
    let image = folder.join("openipc.img");
    let shown = image.display().to_string();
    fs::File::create(&image)
        .and_then(|file| file.set_len(48 << 20))
        .map_err(|error| error.to_string())?;
    // Of its own: every daemon sees the devices of all stories that are on.
    let serial = &blake3::hash(shown.as_bytes()).to_hex()[..8];
    run("mkfs.fat", &["-F", "32", "-s", "1", "-i", serial, &shown])?;
    for day in ["2026-11-19", "2026-11-20"] {
        let from = tree.join(day).display().to_string();
        run("mcopy", &["-s", "-m", "-i", &shown, &from, "::"])?;
    }
    Ok(image)
}

/// The image of a whole card whose only partition is that one.
fn partitioned(image: &Path) -> Result<PathBuf> {
    const BEFORE_BYTES: usize = 1 << 20;
    let whole = image.with_extension("whole");
    let bytes = fs::read(image).map_err(|error| error.to_string())?;
    let all = [vec![0; BEFORE_BYTES], bytes, vec![0; BEFORE_BYTES]].concat();
    fs::write(&whole, all).map_err(|error| error.to_string())?;
    let size = fs::metadata(image).map_err(|error| error.to_string())?.len() / 512;
    let script = image.with_extension("script");
    let table = format!("label: dos\nstart=2048, size={size}, type=c\n");
    fs::write(&script, table).map_err(|error| error.to_string())?;
    let line = format!("sfdisk -q {} < {}", whole.display(), script.display());
    run("sh", &["-c", &line])?;
    Ok(whole)
}

fn ext4(folder: &Path, tree: &Path) -> Result<PathBuf> {
    let image = folder.join("axis.img");
    let (tree, shown) = (tree.display().to_string(), image.display().to_string());
    run("mke2fs", &["-q", "-t", "ext4", "-d", &tree, &shown, "32M"])?;
    Ok(image)
}

/// What is told of a card.
pub fn card(stage: &Stage, name: &str) -> Result<Value> {
    let all = stage.source.call(&["card", "list"])?;
    let cards = all["cards"].as_array().cloned().unwrap_or_default();
    Ok(cards.into_iter().find(|card| card["name"] == name).unwrap_or_default())
}

pub fn taken(stage: &Stage, name: &str) -> Result<Value> {
    let mut seen = Value::Null;
    let waiting = if name == "lobby" { 1 } else { 0 };
    wait_until(&format!("card {name} to be taken"), || {
        seen = card(stage, name)?;
        Ok(seen["state"] == "taken" && seen["files_waiting"] == waiting)
    })
    .map_err(|why| format!("{why}; it is {seen}\n{}", stage.last_words()))?;
    Ok(seen)
}

fn export(stage: &Stage, camera: &str) -> Result<Vec<u8>> {
    let file = stage.folder.path().join("out");
    let shown = file.display().to_string();
    let words = ["export", "--archive", VAULT, "--camera", camera, "--force", "-o", &shown];
    let ended = ask(&stage.target, &words)?;
    assert_eq!(ended.exit, 0, "{ended:?}");
    fs::read(&file).map_err(|error| error.to_string())
}

fn same(what: &str, found: &[u8], expected: &[u8]) -> Result<()> {
    if blake3::hash(found) == blake3::hash(expected) {
        return Ok(());
    }
    Err(format!(
        "{what}: {} bytes came, {} were written, and they differ",
        found.len(),
        expected.len()
    ))
}

#[test]
fn cards_of_two_cameras_and_a_folder_are_taken_hauled_and_compared() -> Result<()> {
    let mut stage = Stage::set()?;
    create_file(&stage.source, CARD, ("48MiB", "append"))?;
    create_file(&stage.target, VAULT, ("64MiB", "append"))?;
    let grant = ["grant", "create", "--peer", "camera", "--archive", VAULT];
    let token = stage.target.text(&grant, "token")?;
    let folder = stage.folder.path().to_owned();
    let token_file = folder.join("token");
    fs::write(&token_file, &token).map_err(|error| error.to_string())?;
    let token_file = token_file.display().to_string();
    let to = format!("store/{VAULT}");
    let job = ["job", "create", "haul", "--from", CARD, "--to", &to, "--mode", "always"];
    stage.source.call(&[&job[..], &["--token-file", &token_file]].concat())?;

    let openipc = films(&folder.join("openipc"), &OPENIPC)?;
    let (share, closed) = axis(&folder.join("axis"))?;
    let loose = films(&folder.join("loose"), &["a.ts", "b.ts"])?;
    // As a copy of a whole card: a partition table in front.
    let fat = partitioned(&fat32(&folder, &folder.join("openipc"))?)?.display().to_string();
    let ext = ext4(&folder, &folder.join("axis"))?.display().to_string();
    let plain = folder.join("loose").display().to_string();

    let found = stage.source.call(&["card", "info", &fat])?;
    assert_eq!(
        (&found["facts"]["form"], &found["files"]),
        (&"fat32".into(), &4.into()),
        "{found}"
    );
    refused(&stage.source, &["card", "info", "/nowhere"], 10, "cannot be read")?;
    let not_a_card = folder.join("token").display().to_string();
    refused(&stage.source, &["card", "info", &not_a_card], 1, "not supported")?;

    let add = |name: &str, path: &str, more: &[&str]| {
        let words = ["card", "add", name, "--archive", CARD, "--path", path];
        stage.source.call(&[&words[..], more].concat()).map(drop)
    };
    add("street", &fat, &["--profile", "openipc", "--camera", "street"])?;
    add("lobby", &ext, &["--profile", "axis", "--zone", "Europe/Berlin"])?;
    add("loose", &plain, &["--pattern", "*.ts", "--camera", "loose"])?;
    refused(
        &stage.source,
        &[
            "card",
            "add",
            "again",
            "--archive",
            CARD,
            "--path",
            &fat,
            "--profile",
            "any",
            "--camera",
            "x",
        ],
        12,
        "known already",
    )?;
    for pause_ms in [0, 30, 100, 300] {
        std::thread::sleep(Duration::from_millis(pause_ms));
        stage.source.kill();
        stage.source.start()?;
    }
    for name in ["street", "lobby", "loose"] {
        let card = taken(&stage, name)?;
        assert_eq!(
            (&card["files_lost"], &card["files_unreadable"]),
            (&0.into(), &0.into()),
            "{card}"
        );
    }
    stage.caught_up()?;
    same("OpenIPC on FAT32", &export(&stage, "street")?, &openipc)?;
    same("Axis on ext4, as on a share", &export(&stage, "accc8e000001")?, &share)?;
    same("Axis on ext4, as on a card", &export(&stage, "accc8e000002-3")?, &closed)?;
    let lacking = events(&stage.source, "card-sidecar-missing")?;
    assert!(
        lacking
            .iter()
            .any(|event| event["sentence"].as_str().is_some_and(|said| said.contains(AXIS_CARD[1]))),
        "{lacking:?}"
    );
    // Times are those of the documents: the second film, and no other, is there at that time.
    let second = fs::read(folder.join("axis").join(AXIS[1])).map_err(|error| error.to_string())?;
    let shown = folder.join("second").display().to_string();
    let words = [
        "export",
        "--archive",
        VAULT,
        "--camera",
        "accc8e000001",
        "--from",
        "2026-11-19T22:05:00Z",
        "-o",
        &shown,
    ];
    let ended = ask(&stage.target, &[&words[..], &["--to", "2026-11-19T22:05:01Z"]].concat())?;
    assert_eq!(ended.exit, 0, "{ended:?}");
    same(
        "a film by its time",
        &fs::read(&shown).map_err(|error| error.to_string())?,
        &second,
    )?;
    same("a folder", &export(&stage, "loose")?, &loose)?;

    // The same again: nothing comes twice.
    stage.source.stop()?;
    stage.source.start()?;
    for name in ["street", "lobby", "loose"] {
        assert_eq!(taken(&stage, name)?["files"], 0, "{name}");
    }
    assert!(events(&stage.source, "gap")?.is_empty());
    stage.caught_up()?;
    same("OpenIPC again", &export(&stage, "street")?, &openipc)?;
    stage.source.call(&["card", "remove", "loose"])?;
    assert_eq!(ask(&stage.source, &["archive", "verify", CARD])?.exit, 0);
    assert_eq!(ask(&stage.target, &["archive", "verify", VAULT])?.exit, 0);
    Ok(())
}

/// On real block devices: a card is known by its file system, whatever its device is called, and held while it is read.
#[test]
fn a_card_is_found_by_its_file_system_in_whatever_slot() -> Result<()> {
    let mut stage = Stage::set()?;
    create_file(&stage.source, CARD, ("24MiB", "append"))?;
    let folder = stage.folder.path().to_owned();
    let written = films(&folder.join("openipc"), &OPENIPC)?;
    let image = fat32(&folder, &folder.join("openipc"))?;
    let slot = Loop::attach(&image)?;
    let first = slot.device.display().to_string();
    let words = [
        "card",
        "add",
        "street",
        "--archive",
        CARD,
        "--path",
        &first,
        "--profile",
        "openipc",
        "--camera",
        "street",
    ];
    stage.source.call(&words)?;
    assert_eq!(taken(&stage, "street")?["path"], *first);
    refused(&stage.source, &["card", "info", &first], 11, "in use")?;
    stage.source.stop()?;
    drop(slot);

    // Another thing takes the place of the slot, so that the card gets another name.
    let other = folder.join("blank");
    blank(&other, 4 << 20)?;
    let _in_its_place = Loop::attach(&other)?;
    let slot = Loop::attach(&image)?;
    let second = slot.device.display().to_string();
    stage.source.start()?;
    let card = taken(&stage, "street")?;
    assert_eq!((&card["path"], &card["files"]), (&second.clone().into(), &0.into()), "{card}");
    let out = folder.join("out").display().to_string();
    let export = ["export", "--archive", CARD, "--camera", "street", "-o", &out];
    assert_eq!(ask(&stage.source, &export)?.exit, 0);
    same(
        "a card in two slots",
        &fs::read(&out).map_err(|error| error.to_string())?,
        &written,
    )?;
    stage.source.stop()
}

/// A whole card in a slot: with the kernel's device for its partition that is the card, without one it is looked for, and it is the same.
#[test]
fn a_partition_is_one_card_whoever_finds_it() -> Result<()> {
    let mut stage = Stage::set()?;
    let folder = stage.folder.path().to_owned();
    films(&folder.join("openipc"), &OPENIPC)?;
    let bare = fat32(&folder, &folder.join("openipc"))?;
    let whole = partitioned(&bare)?;
    let size = fs::metadata(&bare).map_err(|error| error.to_string())?.len() / 512;
    let identity = |path: &str| -> Result<Value> {
        let found = stage.source.call(&["card", "info", path])?;
        assert_eq!(found["files"], 4, "{found}");
        Ok(found["facts"]["identity"].clone())
    };
    let expected = identity(&bare.display().to_string())?;
    let slot = Loop::attach(&whole)?;
    let disk = slot.device.display().to_string();
    assert_eq!(identity(&disk)?, expected, "without a device for the partition");
    system("addpart", &[&disk, "1", "2048", &size.to_string()])?;
    let partition = format!("{disk}p1");
    let checked = (|| {
        wait_until("the node of the partition", || Ok(Path::new(&partition).exists()))?;
        assert_eq!(identity(&partition)?, expected, "by its own device");
        refused(&stage.source, &["card", "info", &disk], 1, "not supported")
    })();
    system("delpart", &[&disk, "1"])?;
    checked?;
    stage.source.stop()
}
