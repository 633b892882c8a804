//! The documents that cameras write beside their recordings.
//!
//! The first byte says whether it lies beside a file or beside a recording; the rest is the document.

use blockhaul_core::card::axis::{self, DOCUMENT_BYTES_MAX, Document};

use crate::{Seed, Target, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "card-sidecar",
    what: "documents beside recordings on a card",
    longest: DOCUMENT_BYTES_MAX as usize,
    check,
    seeds,
    words: &[
        "<RecordingBlock RecordingBlockToken=",
        "20261119_230000_0001",
        "<Recording RecordingToken=",
        "<StartTime>",
        "<StopTime>",
        "<Status>Complete</Status>",
        "<SourceToken>",
        "2026-11-19T22:00:00.813188Z",
        "<!--",
        "-->",
        "<?",
        "?>",
        "/>",
        "</",
    ],
};

const BLOCK: &str = "20261119/23/20261119_230000_AB12_ACCC8E000001/20261119_23/20261119_230000_0001.xml";
const RECORDING: &str = "20261119/23/20261119_230000_AB12_ACCC8E000001/recording.xml";
/// Names of the elements around one.
const TIMES: usize = 16;

fn check(bytes: &[u8]) {
    let Some((which, document)) = bytes.split_first() else {
        return;
    };
    let path = if which % 2 == 0 { BLOCK } else { RECORDING };
    let found = heap::within(TIMES, bytes, || axis::read(path, document));
    let Some(found) = found else { return };
    let text = str::from_utf8(document).expect("what is no text says nothing");
    match found {
        Document::Block { begin_ns, end_ns } => {
            assert_eq!(path, BLOCK);
            assert!(
                text.to_ascii_lowercase().contains("20261119_230000_0001"),
                "it is of another file"
            );
            assert!(begin_ns >= 0 && end_ns.is_none_or(|end| end >= begin_ns));
        }
        Document::Recording { source } => {
            assert_eq!(path, RECORDING);
            assert!(
                text.to_ascii_lowercase().contains("20261119_230000_ab12_accc8e000001"),
                "it is of another recording"
            );
            assert!(source < 10_000);
        }
    }
    // The last thing that is no space is the end of the outermost element: without it the document is cut short.
    let whole = text.trim_end();
    if !whole.ends_with("-->") && !whole.ends_with("?>") {
        assert_eq!(
            axis::read(path, &whole.as_bytes()[..whole.len() - 1]),
            None,
            "cut short, and believed"
        );
    }
}

fn seeds() -> Vec<Seed> {
    let seed = |name: &str, which: u8, text: &str| (name.to_owned(), [&[which], text.as_bytes()].concat());
    vec![
        seed(
            "closed",
            0,
            "<RecordingBlock RecordingBlockToken=\"20261119_230000_0001\" >\
             <RecordingToken>20261119_230000_AB12_ACCC8E000001</RecordingToken><StartTime>2026-11-19T22:00:00.813188Z</StartTime>\
             <StopTime>2026-11-19T22:05:00.945062Z</StopTime><Status>Complete</Status></RecordingBlock>",
        ),
        seed(
            "open",
            0,
            "<?xml version=\"1.0\"?><!-- a --><RecordingBlock RecordingBlockToken='20261119_230000_0001'>\n\
             <StartTime>2026-11-19T22:00:00.813188Z</StartTime><Status>Recording</Status></RecordingBlock>\n",
        ),
        seed(
            "recording",
            1,
            "<Recording RecordingToken=\"20261119_230000_AB12_ACCC8E000001\" ><RecordingGroup/><SourceToken>4</SourceToken>\
             <StartTime>2026-11-19T22:00:00.813188Z</StartTime><Track TrackToken=\"Video\"><VideoAttributes><Width>1920</Width>\
             </VideoAttributes></Track></Recording>",
        ),
    ]
}
