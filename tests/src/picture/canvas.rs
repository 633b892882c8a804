//! What is seen: drawn in planes of luma and chroma (4:2:0), whole macroblocks in size.

/// Side of a macroblock in luma samples.
pub(super) const MACROBLOCK: usize = 16;
/// Side of a macroblock in chroma samples.
const CHROMA: usize = MACROBLOCK / 2;
/// Samples of a macroblock: luma, then both chromas.
pub(super) const MACROBLOCK_BYTES: usize = MACROBLOCK * MACROBLOCK + 2 * CHROMA * CHROMA;

/// Luma and both chromas of 75 % bars: white, yellow, cyan, green, magenta, red, blue, black (BT.601).
const BARS: [[u8; 3]; 8] = [
    [180, 128, 128],
    [162, 44, 142],
    [131, 156, 44],
    [112, 72, 58],
    [84, 184, 198],
    [65, 100, 212],
    [35, 212, 114],
    [16, 128, 128],
];
const WHITE: u8 = 235;
const BLACK: u8 = 16;

/// Digits and signs, five wide and seven high, a row in the low five bits.
const GLYPHS: [(char, [u8; 7]); 13] = [
    ('0', [14, 17, 19, 21, 25, 17, 14]),
    ('1', [4, 12, 4, 4, 4, 4, 14]),
    ('2', [14, 17, 1, 2, 4, 8, 31]),
    ('3', [31, 2, 4, 2, 1, 17, 14]),
    ('4', [2, 6, 10, 18, 31, 2, 2]),
    ('5', [31, 16, 30, 1, 1, 17, 14]),
    ('6', [6, 8, 16, 30, 17, 17, 14]),
    ('7', [31, 1, 2, 4, 8, 8, 8]),
    ('8', [14, 17, 17, 14, 17, 17, 14]),
    ('9', [14, 17, 17, 15, 1, 2, 12]),
    (':', [0, 4, 4, 0, 4, 4, 0]),
    ('.', [0, 0, 0, 0, 0, 4, 4]),
    ('#', [10, 10, 31, 10, 31, 10, 10]),
];

/// One drawn frame.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Canvas {
    width: usize,
    height: usize,
    /// Whole macroblocks in a row.
    pub(super) columns: usize,
    /// Rows of whole macroblocks.
    pub(super) rows: usize,
    luma: Vec<u8>,
    chromas: [Vec<u8>; 2],
    /// The bars alone, which are the same in every frame.
    bars: Option<Box<Canvas>>,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize) -> Canvas {
        let (columns, rows) = (width.div_ceil(MACROBLOCK), height.div_ceil(MACROBLOCK));
        let chroma = vec![128; columns * rows * CHROMA * CHROMA];
        let luma = vec![BLACK; columns * rows * MACROBLOCK * MACROBLOCK];
        let mut canvas = Canvas {
            width,
            height,
            columns,
            rows,
            luma,
            chromas: [chroma.clone(), chroma],
            bars: None,
        };
        canvas.draw_bars();
        canvas.bars = Some(Box::new(canvas.clone()));
        canvas
    }

    /// The frame of that number: bars behind, the ramp over them, clock and counter in front.
    pub(super) fn draw(&mut self, number: u64, frames_per_second: u64) {
        if let Some(bars) = &self.bars {
            self.luma.copy_from_slice(&bars.luma);
            self.chromas.clone_from(&bars.chromas);
        }
        self.ramp(number);
        let (seconds, frame) = (number / frames_per_second, number % frames_per_second);
        let (hours, minutes) = (seconds / 3600 % 100, seconds / 60 % 60);
        let clock = format!("{hours:02}:{minutes:02}:{:02}.{frame:02}", seconds % 60);
        // Eleven characters of six dots, and a dot on each side.
        let dot = (self.width / (11 * 6 + 2)).min(self.height / 24).max(1);
        self.text(&clock, self.height / 2 - 8 * dot, dot);
        self.text(&format!("#{:06}", number % 1_000_000), self.height / 2 + 2 * dot, dot);
    }

    fn draw_bars(&mut self) {
        let stride = self.columns * MACROBLOCK;
        for (index, sample) in self.luma.iter_mut().enumerate() {
            *sample = BARS[bar(index % stride, self.width)][0];
        }
        for (plane, samples) in self.chromas.iter_mut().enumerate() {
            for (index, sample) in samples.iter_mut().enumerate() {
                *sample = BARS[bar(2 * (index % (stride / 2)), self.width)][1 + plane];
            }
        }
    }

    /// From black to white, an eighth of the picture wide, eight samples further to the right with each frame.
    fn ramp(&mut self, number: u64) {
        let stride = self.columns * MACROBLOCK;
        let wide = (self.width / 8).next_multiple_of(2);
        let round = number % (self.width as u64).div_ceil(8);
        let left = round as usize * 8;
        for offset in 0..wide {
            let x = (left + offset) % self.width;
            let grey = BLACK + (offset * usize::from(WHITE - BLACK) / wide) as u8;
            for y in 0..self.rows * MACROBLOCK {
                self.luma[y * stride + x] = grey;
                for plane in &mut self.chromas {
                    plane[y / 2 * (stride / 2) + x / 2] = 128;
                }
            }
        }
    }

    /// White on black, in the middle from side to side.
    fn text(&mut self, text: &str, top: usize, dot: usize) {
        let wide = (text.len() * 6 + 1) * dot;
        let left = (self.width.saturating_sub(wide) / 2).next_multiple_of(2);
        let stride = self.columns * MACROBLOCK;
        for (row, column) in (0..9).flat_map(|row| (0..text.len() * 6 + 1).map(move |column| (row, column))) {
            let shade = if lit(text, column, row) { WHITE } else { BLACK };
            let x = left + column * dot;
            for y in top + row * dot..top + (row + 1) * dot {
                self.luma[y * stride + x..][..dot].fill(shade);
                for plane in &mut self.chromas {
                    plane[y / 2 * (stride / 2) + x / 2..][..dot.div_ceil(2)].fill(128);
                }
            }
        }
    }

    /// Samples of one macroblock in the order of I_PCM.
    pub(super) fn macroblock(&self, column: usize, row: usize) -> [u8; MACROBLOCK_BYTES] {
        let mut samples = [0; MACROBLOCK_BYTES];
        let stride = self.columns * MACROBLOCK;
        let (luma, chromas) = samples.split_at_mut(MACROBLOCK * MACROBLOCK);
        for (y, line) in luma.chunks_mut(MACROBLOCK).enumerate() {
            let from = (row * MACROBLOCK + y) * stride + column * MACROBLOCK;
            line.copy_from_slice(&self.luma[from..from + MACROBLOCK]);
        }
        for (plane, chroma) in self.chromas.iter().zip(chromas.chunks_mut(CHROMA * CHROMA)) {
            for (y, line) in chroma.chunks_mut(CHROMA).enumerate() {
                let from = (row * CHROMA + y) * (stride / 2) + column * CHROMA;
                line.copy_from_slice(&plane[from..from + CHROMA]);
            }
        }
        samples
    }
}

/// Which bar a column of samples belongs to.
fn bar(x: usize, width: usize) -> usize {
    (x * BARS.len() / width).min(BARS.len() - 1)
}

/// Whether a dot of a line of text is lit. There is one dark dot around each character.
fn lit(text: &str, x: usize, y: usize) -> bool {
    let (Some(x), Some(y)) = (x.checked_sub(1), y.checked_sub(1)) else {
        return false;
    };
    let glyph = text
        .chars()
        .nth(x / 6)
        .and_then(|sign| GLYPHS.iter().find(|(known, _)| *known == sign));
    glyph
        .and_then(|(_, rows)| rows.get(y))
        .is_some_and(|row| x % 6 < 5 && row >> (4 - x % 6) & 1 == 1)
}
