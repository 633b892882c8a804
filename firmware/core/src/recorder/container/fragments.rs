//! Fragmented MP4 (ISO/IEC 14496-12): walks over the outermost boxes, keeps `ftyp` and `moov`, sees every `moof`.
//!
//! Looks at the outermost boxes only. A plain MP4 (media before any `moof`) is told apart, because no init data helps a
//! part of it. After damage it goes on at the next `ftyp` or `moof`.

use super::{BOX_HEADER_BYTES, Init};

/// Longest box header: the size is in eight more bytes.
const LONG_HEADER_BYTES: usize = 16;
/// Longest `ftyp` or `moof` that is believed while looking for one after damage.
const RESYNC_BYTES_MAX: u32 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Walk {
    /// Reading a box's header.
    Header,
    /// Inside a box, with so many bytes to go.
    Inside { left: u64, part: Part },
    /// The last box reaches to the end of the stream.
    ToTheEnd,
    /// What should be a header is none: looking for one byte by byte.
    Lost,
}

/// What a box is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    /// `ftyp`: init data begins with it.
    Begin,
    /// `moov`: init data ends with it.
    End,
    /// Not init data.
    Other,
}

/// A fragmented MP4 that is being looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fragments {
    walk: Walk,
    header: heapless::Vec<u8, LONG_HEADER_BYTES>,
    /// `ftyp` and `moov`, as far as they have come.
    init: Init,
    stage: Stage,
    /// A `moof` has come since the last `ftyp`.
    fragmented: bool,
}

/// How far the init data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// `ftyp` has not come, or only a part of it and `moov`.
    Gathering,
    /// Both are whole.
    Whole,
    /// They do not fit.
    TooLong,
    /// Media came that no init data helps.
    Plain,
}

impl Fragments {
    pub(super) fn new() -> Fragments {
        Fragments {
            walk: Walk::Header,
            header: heapless::Vec::new(),
            init: Init::new(),
            stage: Stage::Gathering,
            fragmented: false,
        }
    }

    /// It is an MP4 and not a fragmented one.
    pub(super) fn is_plain(&self) -> bool {
        self.stage == Stage::Plain
    }

    pub(super) fn init(&self) -> &[u8] {
        if self.stage == Stage::Whole { &self.init } else { &[] }
    }

    /// Sets `key_frame` if a fragment begins in `bytes`.
    pub(super) fn scan(&mut self, mut bytes: &[u8], key_frame: &mut bool) {
        while let Some((&byte, after)) = bytes.split_first() {
            match self.walk {
                Walk::ToTheEnd => return,
                Walk::Inside { left, part } => {
                    let inside = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    let (some, rest) = bytes.split_at(inside);
                    self.gather(part, some);
                    bytes = rest;
                    self.inside(left - some.len() as u64, part);
                }
                Walk::Header => {
                    // It fits: a header that is full is taken at once.
                    let _ = self.header.push(byte);
                    bytes = after;
                    self.take_header(key_frame);
                }
                Walk::Lost => {
                    if self.header.len() == BOX_HEADER_BYTES {
                        self.header.remove(0);
                    }
                    let _ = self.header.push(byte);
                    bytes = after;
                    self.look_for_box(key_frame);
                }
            }
        }
    }

    /// Begins a box if its header is whole.
    fn take_header(&mut self, key_frame: &mut bool) {
        let Some((short, long)) = self.header.split_first_chunk::<BOX_HEADER_BYTES>() else {
            return;
        };
        let [a, b, c, d, kind @ ..] = *short;
        let (size, header_bytes) = match (u32::from_be_bytes([a, b, c, d]), <[u8; 8]>::try_from(long)) {
            (1, Err(_)) => return,
            (1, Ok(long)) => (u64::from_be_bytes(long), LONG_HEADER_BYTES as u64),
            (0, _) => (u64::MAX, BOX_HEADER_BYTES as u64),
            (size, _) => (u64::from(size), BOX_HEADER_BYTES as u64),
        };
        let named = kind.iter().all(|byte| matches!(byte, b' '..=b'~'));
        if !named || size < header_bytes {
            self.walk = Walk::Lost;
            self.header.truncate(BOX_HEADER_BYTES);
            return;
        }
        let part = self.begin(&kind, key_frame);
        let header = core::mem::take(&mut self.header);
        self.gather(part, &header);
        if size == u64::MAX {
            self.walk = Walk::ToTheEnd;
        } else {
            self.inside(size - header_bytes, part);
        }
    }

    /// Takes the last eight bytes for a header if they are that of a box to go on at.
    fn look_for_box(&mut self, key_frame: &mut bool) {
        let Some(&[a, b, c, d, ref kind @ ..]) = self.header.first_chunk::<BOX_HEADER_BYTES>() else {
            return;
        };
        let believed = (BOX_HEADER_BYTES as u32..=RESYNC_BYTES_MAX).contains(&u32::from_be_bytes([a, b, c, d]));
        if believed && matches!(kind, b"ftyp" | b"moof") {
            self.walk = Walk::Header;
            self.take_header(key_frame);
        }
    }

    /// What the beginning of a box means.
    fn begin(&mut self, kind: &[u8], key_frame: &mut bool) -> Part {
        match kind {
            b"ftyp" => {
                self.init.clear();
                self.stage = Stage::Gathering;
                self.fragmented = false;
                return Part::Begin;
            }
            b"moov" if self.stage == Stage::Gathering => return Part::End,
            b"moof" => {
                *key_frame = true;
                self.fragmented = true;
            }
            b"mdat" if !self.fragmented => self.stage = Stage::Plain,
            _ => {}
        }
        Part::Other
    }

    fn gather(&mut self, part: Part, bytes: &[u8]) {
        let wanted = part != Part::Other && self.stage == Stage::Gathering;
        if wanted && self.init.extend_from_slice(bytes).is_err() {
            self.stage = Stage::TooLong;
            self.init.clear();
        }
    }

    fn inside(&mut self, left: u64, part: Part) {
        if left > 0 {
            self.walk = Walk::Inside { left, part };
            return;
        }
        self.walk = Walk::Header;
        if part == Part::End && self.stage == Stage::Gathering {
            self.stage = Stage::Whole;
        }
    }
}
