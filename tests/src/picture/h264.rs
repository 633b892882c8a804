//! H.264, Constrained Baseline, from I_PCM and P_Skip alone (ITU-T H.264, 7.3).
//!
//! Deblocking is off, so a skipped macroblock is exactly the one before, and comparing with what was drawn before is all
//! there is to decide.

use super::bits::Bits;
use super::canvas::{Canvas, MACROBLOCK_BYTES};

/// NAL unit headers: importance and type.
const AUD: u8 = 0x09;
const SPS: u8 = 0x67;
const PPS: u8 = 0x68;
const IDR_SLICE: u8 = 0x65;
const SLICE: u8 = 0x41;

/// Level 4.0: 20 Mbit/s, and half of what a frame may take of 245,760 macroblocks a second.
const LEVEL: u32 = 40;
const MACROBLOCKS_PER_SECOND_MAX: u32 = 245_760;
/// Least compression that the level allows.
const COMPRESSION_MIN: u32 = 4;
/// Bits of `frame_num`.
const FRAME_NUMBER_BITS: u32 = 4;
/// `mb_type` of I_PCM in an I slice; five P types come before it in a P slice.
const I_PCM: u32 = 25;
const I_PCM_IN_P: u32 = I_PCM + 5;

/// Writes access units.
pub(super) struct Encoder {
    width: u32,
    height: u32,
    frames_per_second: u32,
    /// What the decoder shows now, macroblock by macroblock; empty before the first frame.
    shown: Vec<[u8; MACROBLOCK_BYTES]>,
    /// Frames since the last key frame.
    frame_number: u32,
    key_frames: u32,
}

impl Encoder {
    pub(super) fn new(width: u32, height: u32, frames_per_second: u32) -> Encoder {
        let macroblocks = width.div_ceil(16) * height.div_ceil(16);
        let most = MACROBLOCKS_PER_SECOND_MAX / frames_per_second / COMPRESSION_MIN;
        assert!(
            macroblocks <= most,
            "{macroblocks} macroblocks are too many for level 4.0 at this rate"
        );
        Encoder {
            width,
            height,
            frames_per_second,
            shown: Vec::new(),
            frame_number: 0,
            key_frames: 0,
        }
    }

    /// The access unit of one frame: delimiter, parameter sets with a key frame, one slice.
    pub(super) fn encode(&mut self, canvas: &Canvas, key: bool) -> Vec<u8> {
        assert!(key || !self.shown.is_empty(), "the first frame is a key frame");
        let drawn: Vec<_> = (0..canvas.rows)
            .flat_map(|row| (0..canvas.columns).map(move |column| canvas.macroblock(column, row)))
            .collect();
        let mut unit = delimiter(key);
        if key {
            unit.extend(self.sequence_parameters());
            unit.extend(picture_parameters());
            unit.extend(self.key_slice(&drawn));
            self.frame_number = 0;
            self.key_frames += 1;
        } else {
            unit.extend(self.slice(&drawn));
        }
        self.frame_number += 1;
        self.shown = drawn;
        unit
    }

    fn sequence_parameters(&self) -> Vec<u8> {
        let (columns, rows) = (self.width.div_ceil(16), self.height.div_ceil(16));
        let mut bits = Bits::default();
        bits.put(66, 8); // profile_idc: Baseline
        bits.put(0b1100_0000, 8); // constraint_set0 and 1: Constrained Baseline
        bits.put(LEVEL, 8);
        bits.golomb(0); // seq_parameter_set_id
        bits.golomb(FRAME_NUMBER_BITS - 4);
        bits.golomb(2); // pic_order_cnt_type: output order is decoding order
        bits.golomb(1); // max_num_ref_frames
        bits.put(0, 1); // gaps_in_frame_num_value_allowed_flag
        bits.golomb(columns - 1);
        bits.golomb(rows - 1);
        bits.put(1, 1); // frame_mbs_only_flag
        bits.put(1, 1); // direct_8x8_inference_flag
        bits.put(1, 1); // frame_cropping_flag, in units of two samples
        bits.golomb(0);
        bits.golomb((columns * 16 - self.width) / 2);
        bits.golomb(0);
        bits.golomb((rows * 16 - self.height) / 2);
        bits.put(1, 1); // vui_parameters_present_flag
        self.usability(&mut bits);
        bits.into_nal_unit(SPS)
    }

    /// VUI: square samples, BT.601, fixed rate, no reordering.
    fn usability(&self, bits: &mut Bits) {
        bits.put(1, 1); // aspect_ratio_info_present_flag
        bits.put(1, 8); // aspect_ratio_idc: square
        bits.put(0, 1); // overscan_info_present_flag
        bits.put(1, 1); // video_signal_type_present_flag
        bits.put(5, 3); // video_format: unspecified
        bits.put(0, 1); // video_full_range_flag
        bits.put(1, 1); // colour_description_present_flag
        bits.put(6, 8); // colour_primaries: SMPTE 170M
        bits.put(6, 8); // transfer_characteristics
        bits.put(6, 8); // matrix_coefficients
        bits.put(0, 1); // chroma_loc_info_present_flag
        bits.put(1, 1); // timing_info_present_flag
        bits.put(1, 32); // num_units_in_tick: a field
        bits.put(2 * self.frames_per_second, 32); // time_scale
        bits.put(1, 1); // fixed_frame_rate_flag
        bits.put(0, 1); // nal_hrd_parameters_present_flag
        bits.put(0, 1); // vcl_hrd_parameters_present_flag
        bits.put(0, 1); // pic_struct_present_flag
        bits.put(1, 1); // bitstream_restriction_flag
        bits.put(1, 1); // motion_vectors_over_pic_boundaries_flag
        bits.golomb(0); // max_bytes_per_pic_denom: no limit
        bits.golomb(0); // max_bits_per_mb_denom: no limit
        bits.golomb(0); // log2_max_mv_length_horizontal
        bits.golomb(0); // log2_max_mv_length_vertical
        bits.golomb(0); // max_num_reorder_frames
        bits.golomb(1); // max_dec_frame_buffering
    }

    /// Every macroblock as it is.
    fn key_slice(&self, drawn: &[[u8; MACROBLOCK_BYTES]]) -> Vec<u8> {
        const ALL_I: u32 = 7;
        let mut bits = slice_header(ALL_I, 0);
        bits.golomb(self.key_frames % 2); // idr_pic_id differs from the one before
        bits.put(0, 1); // no_output_of_prior_pics_flag
        bits.put(0, 1); // long_term_reference_flag
        slice_quality(&mut bits);
        for samples in drawn {
            put_samples(&mut bits, I_PCM, samples);
        }
        bits.into_nal_unit(IDR_SLICE)
    }

    /// Only the macroblocks that have changed.
    fn slice(&self, drawn: &[[u8; MACROBLOCK_BYTES]]) -> Vec<u8> {
        const ALL_P: u32 = 5;
        let mut bits = slice_header(ALL_P, self.frame_number);
        bits.put(0, 1); // num_ref_idx_active_override_flag
        bits.put(0, 1); // ref_pic_list_modification_flag_l0
        bits.put(0, 1); // adaptive_ref_pic_marking_mode_flag
        slice_quality(&mut bits);
        let mut skipped = 0;
        for (samples, shown) in drawn.iter().zip(&self.shown) {
            if samples == shown {
                skipped += 1;
            } else {
                bits.golomb(skipped); // mb_skip_run
                put_samples(&mut bits, I_PCM_IN_P, samples);
                skipped = 0;
            }
        }
        if skipped > 0 {
            bits.golomb(skipped);
        }
        bits.into_nal_unit(SLICE)
    }
}

fn delimiter(key: bool) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(u32::from(!key), 3); // primary_pic_type: only I, or I and P
    bits.into_nal_unit(AUD)
}

fn picture_parameters() -> Vec<u8> {
    let mut bits = Bits::default();
    bits.golomb(0); // pic_parameter_set_id
    bits.golomb(0); // seq_parameter_set_id
    bits.put(0, 1); // entropy_coding_mode_flag: CAVLC
    bits.put(0, 1); // bottom_field_pic_order_in_frame_present_flag
    bits.golomb(0); // num_slice_groups_minus1
    bits.golomb(0); // num_ref_idx_l0_default_active_minus1
    bits.golomb(0); // num_ref_idx_l1_default_active_minus1
    bits.put(0, 1); // weighted_pred_flag
    bits.put(0, 2); // weighted_bipred_idc
    bits.golomb(0); // pic_init_qp_minus26
    bits.golomb(0); // pic_init_qs_minus26
    bits.golomb(0); // chroma_qp_index_offset
    bits.put(1, 1); // deblocking_filter_control_present_flag
    bits.put(0, 1); // constrained_intra_pred_flag
    bits.put(0, 1); // redundant_pic_cnt_present_flag
    bits.into_nal_unit(PPS)
}

fn slice_header(slice_type: u32, frame_number: u32) -> Bits {
    let mut bits = Bits::default();
    bits.golomb(0); // first_mb_in_slice
    bits.golomb(slice_type);
    bits.golomb(0); // pic_parameter_set_id
    bits.put(frame_number, FRAME_NUMBER_BITS);
    bits
}

/// The end of a slice header: no quantiser change, no deblocking.
fn slice_quality(bits: &mut Bits) {
    bits.golomb(0); // slice_qp_delta
    bits.golomb(1); // disable_deblocking_filter_idc
}

fn put_samples(bits: &mut Bits, macroblock_type: u32, samples: &[u8; MACROBLOCK_BYTES]) {
    bits.golomb(macroblock_type);
    bits.align();
    bits.bytes(samples);
}
