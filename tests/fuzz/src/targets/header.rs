//! A block's header sector, and the origin part alone as it comes over a link.
//!
//! Flags: bit 0 mends the CRC.

use blockhaul_core::format::header::{
    INIT_AT, ORIGIN_AT, ORIGIN_END, decode, decode_origin, encode_no_origin, encode_origin, encode_placement, header_hash,
    init_of, origin_hash,
};
use blockhaul_core::format::{BlockKind, Header, Origin};

use crate::sector::{MENDED, SECTOR, differ, found_crc, input, mend_crc, parse, right_crc};
use crate::{Seed, Target, golden, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "header",
    what: "headers of blocks, origin parts",
    longest: 1 + SECTOR,
    check,
    seeds,
    words: &["bhblock\\x00"],
};

fn check(bytes: &[u8]) {
    let Some((flags, mut sector)) = parse(bytes) else { return };
    if flags & MENDED != 0 {
        mend_crc(&mut sector);
    }
    let (decoded, origin) = heap::within(0, bytes, || (decode(&*sector), decode_origin(&*sector)));
    if right_crc(&sector) != found_crc(&sector) {
        assert!(decoded.is_err(), "a header was accepted whose checksum is wrong");
    }
    if let Ok(origin) = &origin {
        hold_origin(origin, &sector);
    }
    if let Ok(header) = decoded {
        hold(&header, origin.ok(), &sector);
    }
}

fn hold_origin(origin: &Origin, sector: &[u8; SECTOR]) {
    assert!((1..=63).contains(&origin.key.camera.len()));
    let init = init_of(sector);
    assert!(init.len() <= ORIGIN_END - INIT_AT);
    let mut again = [0xff; SECTOR];
    encode_origin(&mut again, origin, init);
    let part = ORIGIN_AT..ORIGIN_END;
    assert_eq!(
        differ(&sector[part.clone()], &again[part]),
        None,
        "an origin part is encoded in another way than it was decoded"
    );
}

fn hold(header: &Header, origin: Option<Origin>, sector: &[u8; SECTOR]) {
    let of_track = header.placement.kind == BlockKind::Data;
    assert_eq!(header.origin.is_some(), of_track);
    if of_track {
        assert_eq!(header.origin, origin, "a header has another origin part than its bytes");
    }
    let mut again = [0xff; SECTOR];
    match &header.origin {
        Some(origin) => encode_origin(&mut again, origin, init_of(sector)),
        None => encode_no_origin(&mut again, header.payload_digest),
    }
    encode_placement(&mut again, &header.placement);
    assert_eq!(
        differ(sector, &again),
        None,
        "a header is encoded in another way than it was decoded"
    );
    assert_eq!(header.origin_hash, origin_hash(&again));
    assert_eq!(header_hash(sector), header_hash(&again));
}

fn seeds() -> Vec<Seed> {
    let golden = golden::bytes("header.txt");
    let mut mended = golden.clone();
    mended[12..16].fill(0);
    let mut seeds = vec![
        ("as-it-is".to_owned(), input(0, &golden)),
        ("data".to_owned(), input(MENDED, &mended)),
    ];
    let digest = blockhaul_core::format::header::decode(&golden).map(|header| header.payload_digest);
    for (name, kind) in [("system", 2), ("checkpoint", 3)] {
        let mut sector = mended.clone();
        sector[10] = kind;
        if let Ok(digest) = digest {
            encode_no_origin(&mut sector, digest);
        }
        seeds.push((name.to_owned(), input(MENDED, &sector)));
    }
    seeds
}
