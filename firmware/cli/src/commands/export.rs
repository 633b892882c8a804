//! `export`: a camera's recording, to a file or to standard output.
//!
//! Invariant: a file that bears the name asked for is complete. It grows as `NAME.part` beside, and is renamed at its end.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use blockhaul_core::control::types::{ExportCall, Exported};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::manifest::Manifest;
use super::{Context, understood};
use crate::args::media::Export;
use crate::client::{Client, Piece, Style};
use crate::failure::{Exit, Failure};
use crate::render::{recorder, text};

const METHOD: &str = "io.blockhaul.Archive.Export";

/// Where the media goes.
enum Output {
    /// Standard output.
    Stdout(io::Stdout),
    /// Something that is there and is no regular file: a pipe, a device.
    Special(File),
    /// A file that is being made.
    Growing {
        part: PathBuf,
        file: File,
        name: PathBuf,
        replace: bool,
    },
}

/// `blockhaul export`
pub fn run(context: &Context, export: Export) -> Result<Exit, Failure> {
    if let (Some(from), Some(to)) = (export.from, export.to)
        && from >= to
    {
        return Err(Failure::usage(
            "The time of --to is not later than that of --from.",
            "Give a --to that is later.",
        ));
    }
    let camera = export.camera.to_string();
    let to_stdout = export.to_stdout();
    if export.manifest.is_some() && to_stdout {
        return Err(Failure::usage(
            "A manifest says what lies where in a file, and standard output is none.",
            "Name a file with -o FILE.",
        ));
    }
    let mut output = Output::open(export.output.filter(|_| !to_stdout), export.force)?;
    let mut manifest = match export.manifest.map(|name| Manifest::open(name, export.force)).transpose() {
        Ok(manifest) => manifest,
        Err(failure) => {
            output.discard();
            return Err(failure);
        }
    };
    let parameters = ExportCall {
        archive: export.archive,
        camera: export.camera,
        kind: export.kind.into(),
        from_utc_ns: export.from,
        to_utc_ns: export.to,
        origin: export.origin,
        manifest: manifest.is_some(),
    };
    let copied = context
        .connect()
        .and_then(|client| copy(context, client, parameters, &camera, &mut output, manifest.as_mut()));
    let exported = match copied {
        Ok(exported) => exported,
        Err(failure) => {
            output.discard();
            if let Some(manifest) = manifest {
                manifest.discard();
            }
            return Err(failure);
        }
    };
    let name = output.finish()?;
    if let Some(manifest) = manifest {
        manifest.finish(&exported)?;
    }
    let told = match to_stdout {
        true if context.json => text::json(&exported) + "\n",
        _ => recorder::exported(&camera, &name, &exported),
    };
    if to_stdout {
        // Standard output is the media's, so the summary goes beside it; it is lost if nobody listens there.
        let _ = io::stderr().write_all(told.as_bytes());
    } else if context.json {
        context.print_object(&exported)?;
    } else {
        context.print(&told)?;
    }
    Ok(if exported.missing == 0 && exported.damaged == 0 {
        Exit::Done
    } else {
        Exit::Partial
    })
}

/// Takes the chunks until the last answer.
fn copy(
    context: &Context,
    mut client: Client,
    call: ExportCall,
    what: &str,
    output: &mut Output,
    mut manifest: Option<&mut Manifest>,
) -> Result<Exported, Failure> {
    let archive = call.archive.clone();
    client.send(METHOD, call, Style::Upgrade)?;
    let empty = || Failure::not_understood(METHOD, "it is empty");
    // The first answer says only that the range can be exported.
    client.receive(None)?.ok_or_else(empty)?;
    let mut progress = context.progress();
    let mut chunk = Vec::new();
    let mut done = 0;
    let cut = || Failure::not_understood(METHOD, "it ends within a block");
    while client.chunk(&mut chunk)? == Piece::Chunk {
        if let Some(manifest) = &mut manifest {
            // An origin part, with the init data in it, what is put in front of the block, and the block.
            let announced = manifest.announce(&archive, &chunk)?;
            let mut next = |chunk: &mut Vec<u8>| match client.chunk(chunk)? {
                Piece::Chunk => Ok(()),
                Piece::End => Err(cut()),
            };
            next(&mut chunk)?;
            if let Some(init) = &announced.init {
                output.write(init)?;
                manifest.led("init", init.len() as u64)?;
                done += init.len() as u64;
            }
            if announced.splice {
                output.write(&chunk)?;
                manifest.led("splice", chunk.len() as u64)?;
                done += chunk.len() as u64;
                next(&mut chunk)?;
            }
            manifest.followed(announced, chunk.len() as u64)?;
        }
        output.write(&chunk)?;
        done += chunk.len() as u64;
        progress.bytes(what, done, None);
    }
    drop(progress);
    let last = client.receive(None)?.ok_or_else(empty)?;
    understood(METHOD, &last.parameters)
}

impl Output {
    fn open(path: Option<PathBuf>, replace: bool) -> Result<Self, Failure> {
        let Some(name) = path else {
            if io::stdout().is_terminal() {
                return Err(Failure::usage(
                    "Media is not written to a terminal.",
                    "Name a file with -o FILE, or pipe the output into a program.",
                ));
            }
            return Ok(Output::Stdout(io::stdout()));
        };
        match fs::metadata(&name) {
            Ok(facts) if facts.is_dir() => Err(unwritable(&name, &io::ErrorKind::IsADirectory.into())),
            Ok(facts) if !facts.is_file() => {
                let file = OpenOptions::new()
                    .write(true)
                    .open(&name)
                    .map_err(|error| unwritable(&name, &error))?;
                Ok(Output::Special(file))
            }
            Ok(_) if !replace => Err(exists(&name)),
            _ => {
                let mut part = name.clone().into_os_string();
                part.push(".part");
                let part = PathBuf::from(part);
                let file = grow(&part)?;
                Ok(Output::Growing {
                    part,
                    file,
                    name,
                    replace,
                })
            }
        }
    }

    fn write(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        match self {
            Output::Stdout(out) => out.write_all(chunk).map_err(|error| stopped(&error)),
            Output::Special(file) => file.write_all(chunk).map_err(|error| stopped(&error)),
            Output::Growing { file, part, .. } => file.write_all(chunk).map_err(|error| unwritable(part, &error)),
        }
    }

    /// Makes what was written complete; returns what to call it.
    fn finish(self) -> Result<String, Failure> {
        match self {
            Output::Stdout(mut out) => out
                .flush()
                .map_err(|error| stopped(&error))
                .map(|()| "standard output".into()),
            Output::Special(_) => Ok("the device or pipe".into()),
            Output::Growing {
                part,
                file,
                name,
                replace,
            } => {
                file.sync_all().map_err(|error| unwritable(&part, &error))?;
                rename(&part, &name, replace).map_err(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => exists(&name),
                    _ => unwritable(&name, &error),
                })?;
                Ok(text::printable(&name.to_string_lossy()))
            }
        }
    }

    /// Removes what was begun.
    fn discard(self) {
        if let Output::Growing { part, .. } = self {
            // The failure that led here is the one to tell.
            let _ = fs::remove_file(part);
        }
    }
}

/// Opens the growing file, which one export at a time may hold. What an interrupted one left is dropped.
fn grow(part: &Path) -> Result<File, Failure> {
    let open = OpenOptions::new().write(true).create(true).truncate(false).open(part);
    let file = open.map_err(|error| unwritable(part, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let shown = text::printable(&part.to_string_lossy());
            return Err(Failure::new(
                Exit::Busy,
                format!("Another export is writing {shown}."),
                "Wait for it, or choose another name.",
            ));
        }
        // A file system without locks: nothing is known of others.
        Err(TryLockError::Error(_)) => {}
    }
    file.set_len(0).map_err(|error| unwritable(part, &error))?;
    Ok(file)
}

/// Renames; replaces a file only if that was said.
fn rename(part: &Path, name: &Path, replace: bool) -> io::Result<()> {
    if replace {
        return fs::rename(part, name);
    }
    match renameat_with(CWD, part, CWD, name, RenameFlags::NOREPLACE) {
        // The file system cannot do it in one step.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if !name.exists() => fs::rename(part, name),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => Err(io::ErrorKind::AlreadyExists.into()),
        other => other.map_err(io::Error::from),
    }
}

fn exists(name: &Path) -> Failure {
    let shown = text::printable(&name.to_string_lossy());
    Failure::new(
        Exit::Refused,
        format!("{shown} exists and is not replaced."),
        "Choose another name, or say --force.",
    )
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let shown = text::printable(&path.to_string_lossy());
    Failure::new(
        Exit::Failed,
        format!("{shown} cannot be written: {error}."),
        "Name a file that can be written with -o.",
    )
}

/// The failure of an output that takes no more. A player that was closed is not worth a word, but not all was written.
fn stopped(error: &io::Error) -> Failure {
    let failure = Failure::output(error);
    if failure.sentence.is_empty() {
        Failure {
            exit: Exit::Partial,
            ..failure
        }
    } else {
        failure
    }
}
