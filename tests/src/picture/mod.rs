//! A moving test picture that ordinary players show: colour bars, a clock, a frame counter and a ramp that moves.
//!
//! H.264 (Constrained Baseline) in MPEG-TS, made without other software. Not an encoder: a macroblock is either sent as it
//! is (I_PCM) or not at all (P_Skip), so what is decoded is exactly what was drawn.
//!
//! Invariant: the same size and rate give the same bytes, frame after frame.

mod bits;
mod canvas;
mod h264;
mod transport;

use canvas::Canvas;
use h264::Encoder;
use transport::Multiplexer;

/// Makes the frames of a test picture, one after the other.
pub struct Picture {
    canvas: Canvas,
    encoder: Encoder,
    multiplexer: Multiplexer,
    frames_per_second: u32,
    number: u64,
}

impl Picture {
    /// A picture of even size. A key frame comes every second.
    ///
    /// Panics if the size is odd, is smaller than 96 x 64 or has more macroblocks than level 4.0 takes at that rate.
    pub fn new(width: u32, height: u32, frames_per_second: u32) -> Picture {
        assert!(
            width.is_multiple_of(2) && height.is_multiple_of(2),
            "4:2:0 wants an even size"
        );
        assert!(width >= 96 && height >= 64, "the clock would not fit");
        assert!((1..=60).contains(&frames_per_second), "1 to 60 frames a second");
        Picture {
            canvas: Canvas::new(width as usize, height as usize),
            encoder: Encoder::new(width, height, frames_per_second),
            multiplexer: Multiplexer::new(frames_per_second),
            frames_per_second,
            number: 0,
        }
    }

    /// The next frame in whole transport packets, with the tables in front.
    pub fn frame(&mut self) -> Vec<u8> {
        let rate = u64::from(self.frames_per_second);
        let key = self.number.is_multiple_of(rate);
        self.canvas.draw(self.number, rate);
        let access_unit = self.encoder.encode(&self.canvas, key);
        let packets = self.multiplexer.multiplex(self.number, key, &access_unit);
        self.number += 1;
        packets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_picture_has_the_same_bytes() {
        let (mut one, mut other) = (Picture::new(160, 96, 25), Picture::new(160, 96, 25));
        for number in 0..60 {
            let frame = one.frame();
            assert_eq!(frame, other.frame(), "frame {number}");
            assert!(frame.as_chunks::<188>().1.is_empty());
            assert!(frame.as_chunks::<188>().0.iter().all(|packet| packet[0] == 0x47));
        }
    }

    #[test]
    fn every_frame_differs_from_the_one_before() {
        let mut canvas = Canvas::new(320, 180);
        canvas.draw(0, 25);
        for number in 1..200 {
            let before = canvas.clone();
            canvas.draw(number, 25);
            assert!(canvas != before, "frame {number} stands still");
        }
    }

    #[test]
    fn a_second_is_more_than_a_megabyte() {
        let mut picture = Picture::new(640, 360, 25);
        let bytes: usize = (0..25).map(|_| picture.frame().len()).sum();
        assert!((1_000_000..2_000_000).contains(&bytes), "{bytes} bytes a second");
    }
}
