//! What Axis cameras write beside their recordings: `recording.xml` of a recording, and an XML of the same name for each of its files.
//!
//! The names on such a card are in local time; these documents are in UTC. Pure. Invariant: a document counts only if it is whole and
//! names the recording or file that it lies beside, so that what was read from somewhere else says nothing.

use alloc::format;
use alloc::string::{String, ToString};

use jiff::Timestamp;

use super::xml::{Said, walk};
use crate::Name;

/// Longest document that is read, in bytes.
pub const DOCUMENT_BYTES_MAX: u32 = 16 << 10;
/// Name of the document of a recording.
const OF_RECORDING: &str = "recording.xml";
/// Digits of the number of a source: one for each lens or view area.
const SOURCE_DIGITS_MAX: usize = 4;

/// What a document says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Document {
    /// Of one file.
    Block {
        /// When it began, nanoseconds since 1970, UTC.
        begin_ns: i64,
        /// When it ended; none while it is written.
        end_ns: Option<i64>,
    },
    /// Of a recording.
    Recording {
        /// Number of the lens or view area, from 1 on.
        source: u32,
    },
}

/// Where the documents of a file lie: its own, and that of its recording, which is in the folder above. None for a file that is not
/// so deep.
pub fn beside(path: &str) -> Option<(String, String)> {
    let (stem, _) = path.rsplit_once('.')?;
    let (hour, _) = path.rsplit_once('/')?;
    let (recording, _) = hour.rsplit_once('/')?;
    Some((format!("{stem}.xml"), format!("{recording}/{OF_RECORDING}")))
}

/// Reads a document that lies at a path.
pub fn read(path: &str, bytes: &[u8]) -> Option<Document> {
    let text = core::str::from_utf8(bytes).ok()?;
    let (folders, file) = path.rsplit_once('/')?;
    if file.eq_ignore_ascii_case(OF_RECORDING) {
        let folder = folders.rsplit_once('/').map_or(folders, |(_, folder)| folder);
        read_recording(folder, text)
    } else {
        read_block(file.rsplit_once('.')?.0, text)
    }
}

fn read_block(stem: &str, text: &str) -> Option<Document> {
    let (mut token, mut begin, mut end, mut status) = (None, None, None, None);
    walk(text, &mut |path, said| match (path, said) {
        (["RecordingBlock"], Said::Attribute("RecordingBlockToken", value)) => token = Some(value),
        (["RecordingBlock", "StartTime"], Said::Text(value)) => begin = Some(value),
        (["RecordingBlock", "StopTime"], Said::Text(value)) => end = Some(value),
        (["RecordingBlock", "Status"], Said::Text(value)) => status = Some(value),
        _ => {}
    })?;
    if !token?.eq_ignore_ascii_case(stem) {
        return None;
    }
    let begin_ns = time_ns(begin?)?;
    let end_ns = match end {
        Some(end) => Some(time_ns(end).filter(|end| *end >= begin_ns)?),
        None => None,
    };
    let is_open = status.is_some_and(|status| status != "Complete");
    Some(Document::Block {
        begin_ns,
        end_ns: end_ns.filter(|_| !is_open),
    })
}

fn read_recording(folder: &str, text: &str) -> Option<Document> {
    let (mut token, mut source) = (None, None);
    walk(text, &mut |path, said| match (path, said) {
        (["Recording"], Said::Attribute("RecordingToken", value)) => token = Some(value),
        (["Recording", "SourceToken"], Said::Text(value)) => source = Some(value),
        _ => {}
    })?;
    // On shares the folder may leave out the camera, which the folders above it name.
    let named = token?.to_ascii_lowercase().starts_with(&folder.to_ascii_lowercase());
    let source = source.unwrap_or("1");
    let plain = source.len() <= SOURCE_DIGITS_MAX && source.bytes().all(|byte| byte.is_ascii_digit());
    (named && plain).then_some(Document::Recording {
        source: source.parse().ok()?,
    })
}

fn time_ns(text: &str) -> Option<i64> {
    let at: Timestamp = text.parse().ok()?;
    i64::try_from(at.as_nanosecond()).ok().filter(|ns| *ns >= 0)
}

/// The camera of a source: the first is called as the device is, the others have their number behind.
pub fn camera(device: &Name, source: u32) -> Option<Name> {
    match source {
        0 | 1 => Some(device.clone()),
        other => format!("{device}-{other}").to_string().parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "20261119/22/20261119_230000_AB12_ACCC8E000001/20261119_23/20261119_230000_0001.xml";

    fn block(token: &str, more: &str) -> Option<Document> {
        let text = format!(
            "<RecordingBlock RecordingBlockToken=\"{token}\" ><RecordingToken>20261119_230000_AB12_ACCC8E000001</RecordingToken>\
             <StartTime>2026-11-19T22:00:00.813188Z</StartTime>{more}</RecordingBlock>"
        );
        read(BLOCK, text.as_bytes())
    }

    #[test]
    fn files_that_are_closed_open_and_of_another_name() {
        let begin_ns = 1_795_125_600_813_188_000;
        let token = "20261119_230000_0001";
        let closed = "<StopTime>2026-11-19T22:05:00.945062Z</StopTime><Status>Complete</Status>";
        let end_ns = Some(begin_ns + 300_131_874_000);
        assert_eq!(block(token, closed), Some(Document::Block { begin_ns, end_ns }));
        let open = Some(Document::Block { begin_ns, end_ns: None });
        assert_eq!(block(token, "<Status>Recording</Status>"), open);
        assert_eq!(block(token, &closed.replace("Complete", "Recording")), open);
        assert_eq!(block("20261119_230000_0002", closed), None);
        assert_eq!(
            block(token, &closed.replace("22:05", "21:05")),
            None,
            "it ends before it begins"
        );
        assert_eq!(block(token, &closed.replace("Z<", "<")), None, "a time without a zone");
        assert_eq!(read(BLOCK, &[0; 300]), None);
    }

    #[test]
    fn sources_of_a_recording() {
        let recording = |folder: &str, source: &str| {
            let text = format!(
                "<Recording RecordingToken=\"20190812_113000_B27F_00408C18823A\" ><RecordingGroup> </RecordingGroup>{source}\
                 <Track TrackToken=\"Video\"><VideoAttributes><Width>1920</Width></VideoAttributes></Track></Recording>"
            );
            read(&format!("{folder}/recording.xml"), text.as_bytes())
        };
        let four = "<SourceToken>4</SourceToken>";
        let found = Some(Document::Recording { source: 4 });
        assert_eq!(recording("20190812/11/20190812_113000_B27F_00408C18823A", four), found);
        assert_eq!(recording("20190812_113000_B27F", four), found);
        assert_eq!(recording("20190812_113000_B28F", four), None);
        assert_eq!(recording("20190812_113000_B27F", "<SourceToken>x</SourceToken>"), None);
        let device: Name = "accc8e000001".parse().unwrap();
        assert_eq!(camera(&device, 1), Some(device.clone()));
        assert_eq!(camera(&device, 4).unwrap().as_str(), "accc8e000001-4");
    }

    #[test]
    fn where_documents_lie() {
        let (block, recording) = beside("a/b_AB12_CAM/20261119_23/x.mkv").unwrap();
        assert_eq!(
            (block.as_str(), recording.as_str()),
            ("a/b_AB12_CAM/20261119_23/x.xml", "a/b_AB12_CAM/recording.xml")
        );
        assert_eq!(beside("x.mkv"), None);
    }
}
