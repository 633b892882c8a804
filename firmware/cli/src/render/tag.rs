//! Tags, and what setting and unsetting them came to.

use blockhaul_core::control::types::{TagChanged, TagInfos};

use super::Look;
use super::table::Table;
use super::units::{count, things};

/// One row for each tagged range.
pub fn table(all: &TagInfos, look: &Look) -> String {
    let mut table = Table::new(&["TAG", "CAMERA", "KIND", ">FROM", ">TO", ">BLOCKS", "ORIGIN"]);
    for tag in &all.tags {
        table.row([
            tag.tag.to_string(),
            tag.camera.to_string(),
            tag.kind.to_string(),
            count(tag.from),
            count(tag.to.saturating_sub(1)),
            count(tag.to.saturating_sub(tag.from)),
            tag.origin.to_string(),
        ]);
    }
    if table.is_empty() {
        "Nothing is tagged.\n".into()
    } else {
        table.lines(look)
    }
}

/// What a change came to.
pub fn changed(tag: &str, set: bool, dry_run: bool, changed: &TagChanged) -> String {
    let (of, on) = (things(changed.blocks, "block"), things(changed.tracks, "track"));
    let done = match (dry_run, set) {
        (true, true) => "would get",
        (true, false) => "would lose",
        (false, true) => "got",
        (false, false) => "lost",
    };
    let nothing = if dry_run { " Nothing was written." } else { "" };
    format!("{} of {of} on {on} {done} the tag {tag}.{nothing}\n", count(changed.changed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use blockhaul_core::control::types::TagInfo;

    #[test]
    fn tags_in_words() {
        let some = TagInfos {
            tags: vec![TagInfo {
                tag: "court".parse().unwrap(),
                origin: "12345678-9abc-def0-0102-030405060708".parse().unwrap(),
                camera: "lobby".parse().unwrap(),
                kind: Default::default(),
                from: 100,
                to: 1_200,
            }],
        };
        assert_eq!(
            table(&some, &sample::plain()),
            "\
TAG    CAMERA  KIND   FROM     TO  BLOCKS  ORIGIN
court  lobby   video   100  1,199   1,100  12345678-9abc-def0-0102-030405060708
"
        );
        assert_eq!(
            table(&TagInfos { tags: Vec::new() }, &sample::plain()),
            "Nothing is tagged.\n"
        );
        let it = TagChanged {
            tracks: 2,
            blocks: 9,
            changed: 4,
        };
        assert_eq!(
            changed("court", true, true, &it),
            "4 of 9 blocks on 2 tracks would get the tag court. Nothing was written.\n"
        );
        assert_eq!(
            changed("court", false, false, &it),
            "4 of 9 blocks on 2 tracks lost the tag court.\n"
        );
    }
}
