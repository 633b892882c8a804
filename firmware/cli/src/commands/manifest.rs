//! The manifest of an export: what lies where in the file, and what proves it. `docs/formats.md` is its description.
//!
//! Invariant: a manifest that bears the name asked for is complete; it grows beside, as the export does.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use blockhaul_core::Name;
use blockhaul_core::control::types::{Exported, Hole, LeftOut};
use blockhaul_core::format::header::{INIT_AT, ORIGIN_AT, ORIGIN_END, decode_origin, init_of, origin_hash};
use blockhaul_core::format::{Origin, SECTOR_BYTES, TrackKey};
use blockhaul_core::recorder::container::{Leads, leads};
use serde_json::{Value, json};

use crate::failure::{Exit, Failure};
use crate::render::text;

/// A manifest that grows.
pub struct Manifest {
    part: PathBuf,
    name: PathBuf,
    replace: bool,
    file: BufWriter<File>,
    init: Option<Vec<u8>>,
    /// Origin of the head line.
    origin: Option<hal::Uuid>,
    before: Option<(TrackKey, u64)>,
    /// Bytes of the media file so far.
    offset_bytes: u64,
    begun: bool,
}

/// What comes behind an origin part.
pub struct Announced {
    /// Media that is no block and comes before it: init data, which is in the origin part.
    pub init: Option<Vec<u8>>,
    /// And a chunk of its own behind that.
    pub splice: bool,
    line: Value,
}

impl Manifest {
    /// Begins beside the file that is exported.
    pub fn open(name: PathBuf, replace: bool) -> Result<Self, Failure> {
        if name.exists() && !replace {
            let shown = text::printable(&name.to_string_lossy());
            return Err(Failure::new(
                Exit::Refused,
                format!("{shown} exists and is not replaced."),
                "Choose another name, or say --force.",
            ));
        }
        let mut part = name.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).map_err(|error| unwritable(&part, &error))?;
        Ok(Self {
            part,
            name,
            replace,
            file: BufWriter::new(file),
            init: None,
            origin: None,
            before: None,
            offset_bytes: 0,
            begun: false,
        })
    }

    fn line(&mut self, line: &Value) -> Result<(), Failure> {
        writeln!(self.file, "{line}").map_err(|error| unwritable(&self.part, &error))
    }

    /// An origin part has come: what follows it.
    pub fn announce(&mut self, archive: &Name, part: &[u8]) -> Result<Announced, Failure> {
        let wrong = || Failure::not_understood("io.blockhaul.Archive.Export", "an origin part makes no sense");
        let mut sector = vec![0; SECTOR_BYTES as usize];
        sector
            .get_mut(ORIGIN_AT..ORIGIN_END)
            .filter(|place| place.len() == part.len())
            .ok_or_else(wrong)?
            .copy_from_slice(part);
        let origin = decode_origin(&sector).map_err(|_| wrong())?;
        if !self.begun {
            self.begun = true;
            self.origin = Some(origin.key.origin);
            let head = json!({ "blockhaul_manifest": 1, "archive": archive, "origin": origin.key.origin,
                "camera": origin.key.camera, "kind": origin.key.kind });
            self.line(&head)?;
        }
        let init = init_of(&sector).to_vec();
        let before = self.before.as_ref().map(|(key, next)| (key, *next));
        let Leads { init: starts, splice } = leads(before, &origin, !init.is_empty());
        self.before = Some((origin.key.clone(), origin.track_sequence + 1));
        let lead = starts.then(|| init.clone());
        let line = self.block(&origin, &sector, init);
        Ok(Announced {
            init: lead,
            splice,
            line,
        })
    }

    fn block(&mut self, origin: &Origin, sector: &[u8], init: Vec<u8>) -> Value {
        let mut block = json!({
            "track_sequence": origin.track_sequence,
            "begin_utc_ns": origin.begin_utc_ns,
            "end_utc_ns": origin.end_utc_ns,
            "bytes": origin.payload_bytes,
            "payload_blake3": origin.payload_digest,
            "previous": origin.previous_origin,
            "origin_hash": origin_hash(sector),
            "origin_part": hex(&sector[ORIGIN_AT..INIT_AT]),
        });
        if self.origin != Some(origin.key.origin) {
            block["origin"] = json!(origin.key.origin);
        }
        if self.init.as_ref() != Some(&init) {
            block["init"] = hex(&init).into();
            self.init = Some(init);
        }
        block
    }

    /// Media came that is no block.
    pub fn led(&mut self, what: &str, bytes: u64) -> Result<(), Failure> {
        let line = json!({ "filler": { "what": what, "offset_bytes": self.offset_bytes, "bytes": bytes } });
        self.offset_bytes += bytes;
        self.line(&line)
    }

    /// The payload of the block that was announced came.
    pub fn followed(&mut self, announced: Announced, bytes: u64) -> Result<(), Failure> {
        let mut block = announced.line;
        block["offset_bytes"] = self.offset_bytes.into();
        self.offset_bytes += bytes;
        self.line(&json!({ "block": block }))
    }

    /// Makes it complete.
    pub fn finish(mut self, exported: &Exported) -> Result<(), Failure> {
        for Hole { from, to, what, origin } in &exported.holes {
            let mut hole = json!({ "from": from, "to": to, "what": what });
            if let Some(origin) = origin {
                hole["origin"] = json!(origin);
            }
            self.line(&json!({ "hole": hole }))?;
        }
        for LeftOut { origin, from, to } in &exported.left_out {
            self.line(&json!({ "left_out": { "origin": origin, "from": from, "to": to, "why": "covered" } }))?;
        }
        let end = json!({ "end": { "blocks": exported.blocks, "bytes": exported.bytes, "file_bytes": self.offset_bytes,
            "missing": exported.missing, "damaged": exported.damaged } });
        self.line(&end)?;
        let written = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        written.map_err(|error| unwritable(&self.part, &error))?;
        let renamed = if self.replace || !self.name.exists() {
            fs::rename(&self.part, &self.name)
        } else {
            Err(std::io::ErrorKind::AlreadyExists.into())
        };
        renamed.map_err(|error| unwritable(&self.name, &error))
    }

    /// Removes what was begun.
    pub fn discard(self) {
        // The failure that led here is the one to tell.
        let _ = fs::remove_file(self.part);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let shown = text::printable(&path.to_string_lossy());
    Failure::new(
        Exit::Failed,
        format!("{shown} cannot be written: {error}."),
        "Name a file that can be written with --manifest.",
    )
}
