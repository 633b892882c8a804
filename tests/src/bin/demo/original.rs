//! What is recorded, kept in a file of its own so that what comes back can be compared with it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use blockhaul_tests::Result;
use blockhaul_tests::picture::Picture;

const PIECE_BYTES: usize = 1 << 20;
/// Shortest input that leaves something to cut and kill in.
const BYTES_MIN: u64 = 16_000_000;

/// A file with the bytes that the camera gives.
pub struct Original {
    /// Where it is.
    pub path: PathBuf,
    /// How long it is.
    pub bytes: u64,
    /// In words.
    pub what: String,
}

impl Original {
    /// The test picture, at least that long, in whole seconds.
    pub fn picture(folder: &Path, bytes: u64) -> Result<Original> {
        const RATE: u32 = 25;
        let mut picture = Picture::new(640, 360, RATE);
        let (mut made, mut seconds) = (0, 0);
        let path = folder.join("original.ts");
        write_file(&path, |file| {
            while made < bytes {
                for _ in 0..RATE {
                    let frame = picture.frame();
                    made += frame.len() as u64;
                    file.write_all(&frame)?;
                }
                seconds += 1;
            }
            Ok(())
        })?;
        Ok(Original {
            path,
            bytes: made,
            what: format!("a test picture of {seconds} s, H.264 in MPEG-TS"),
        })
    }

    /// A file that there is, or standard input (`-`) up to its end.
    pub fn given(folder: &Path, input: &Path) -> Result<Original> {
        let (path, what) = if input.as_os_str() == "-" {
            println!("Reading standard input ...");
            let path = folder.join("original");
            write_file(&path, |file| io::copy(&mut io::stdin().lock(), file).map(drop))?;
            (path, "standard input".into())
        } else {
            (input.to_path_buf(), input.display().to_string())
        };
        let found = fs::metadata(&path).map_err(|error| format!("{what} cannot be read: {error}."))?;
        if found.len() < BYTES_MIN {
            return Err(format!(
                "{what} has {} bytes; the demo needs at least {BYTES_MIN}.",
                found.len()
            ));
        }
        Ok(Original {
            path,
            bytes: found.len(),
            what,
        })
    }

    /// Compares a file with this one, byte for byte.
    pub fn compare(&self, other: &Path) -> Result<()> {
        let length = fs::metadata(other)
            .map_err(|error| format!("{}: {error}", other.display()))?
            .len();
        if length != self.bytes {
            return Err(format!("{} bytes were recorded and {length} came back.", self.bytes));
        }
        let (mut ours, mut theirs) = (self.open()?, open(other)?);
        let (mut our_piece, mut their_piece) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
        let mut at = 0;
        while at < length {
            let piece = usize::try_from(length - at).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
            let (ours_now, theirs_now) = (&mut our_piece[..piece], &mut their_piece[..piece]);
            ours.read_exact(ours_now)
                .and_then(|()| theirs.read_exact(theirs_now))
                .map_err(|error| error.to_string())?;
            if let Some(wrong) = ours_now
                .iter()
                .zip(theirs_now.iter())
                .position(|(ours, theirs)| ours != theirs)
            {
                return Err(format!(
                    "byte {} that came back is not the one that was recorded.",
                    at + wrong as u64
                ));
            }
            at += piece as u64;
        }
        Ok(())
    }

    /// Opens it.
    pub fn open(&self) -> Result<File> {
        open(&self.path)
    }
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| format!("{} cannot be opened: {error}.", path.display()))
}

fn write_file(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<()> {
    let file = File::create(path).map(|file| BufWriter::with_capacity(PIECE_BYTES, file));
    file.and_then(|mut file| fill(&mut file).and_then(|()| file.flush()))
        .map_err(|error| format!("{} cannot be written: {error}.", path.display()))
}
