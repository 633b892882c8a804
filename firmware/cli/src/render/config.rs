//! What a document changes, as text.

use blockhaul_core::control::types::{ConfigApplied, Differs};

use super::{Look, Tone, text};

/// What would change.
pub fn would(plan: &ConfigApplied, look: &Look) -> String {
    if plan.differences.is_empty() {
        return "The document can be used, and changes nothing.\n".to_owned();
    }
    format!("{}Nothing was changed yet.\n", lines(plan, look))
}

/// What has changed.
pub fn applied(plan: &ConfigApplied, look: &Look) -> String {
    if plan.applied {
        format!("{}It is durable and in effect.\n", lines(plan, look))
    } else {
        would(plan, look)
    }
}

fn lines(plan: &ConfigApplied, look: &Look) -> String {
    let mut told = String::new();
    for one in &plan.differences {
        let (sign, tone) = match one.how {
            Differs::Added => ("+", Tone::Good),
            Differs::Removed => ("-", Tone::Bad),
            Differs::Changed => ("~", Tone::Watch),
        };
        let mut line = format!("{sign} {}", text::printable(&one.what));
        if !one.detail.is_empty() {
            line += &format!(": {}", text::printable(&one.detail));
        }
        told += &(look.paint(tone, &line) + "\n");
    }
    for note in &plan.notes {
        told += &format!("note: {}\n", text::printable(note));
    }
    let count = |how: Differs| plan.differences.iter().filter(|one| one.how == how).count();
    told += &format!(
        "{} added, {} changed, {} removed.\n",
        count(Differs::Added),
        count(Differs::Changed),
        count(Differs::Removed)
    );
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use blockhaul_core::control::types::ConfigDifference;

    #[test]
    fn differences_and_their_sum() {
        let one = |how, what: &str, detail: &str| ConfigDifference {
            how,
            what: what.into(),
            detail: detail.into(),
        };
        let mut plan = ConfigApplied {
            applied: true,
            differences: vec![
                one(Differs::Added, "job out", ""),
                one(Differs::Changed, "recorder gate", "camera \"a\" → \"b\""),
                one(Differs::Removed, "peer nvr", ""),
            ],
            notes: vec!["Archive new is opened.".into()],
            base: "00".into(),
        };
        assert_eq!(
            applied(&plan, &sample::plain()),
            "+ job out\n~ recorder gate: camera \"a\" → \"b\"\n- peer nvr\nnote: Archive new is opened.\n\
             1 added, 1 changed, 1 removed.\nIt is durable and in effect.\n"
        );
        plan.differences.clear();
        assert_eq!(
            would(&plan, &sample::plain()),
            "The document can be used, and changes nothing.\n"
        );
    }
}
