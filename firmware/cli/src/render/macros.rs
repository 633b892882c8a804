//! Macros as text.

use blockhaul_core::control::types::MacroTested;
use blockhaul_core::macros::Macro;

use super::{Look, Tone, text};

/// `blockhaul macro list`
pub fn table(macros: &[Macro], look: &Look) -> String {
    if macros.is_empty() {
        return "There is no macro. Make one: blockhaul macro create --help\n".to_owned();
    }
    let mut told = String::new();
    for one in macros {
        let about = one
            .subject
            .as_ref()
            .map_or(String::new(), |subject| format!(" for {}", text::printable(subject)));
        let off = if one.enabled { "" } else { " (disabled)" };
        let head = format!("{}: on {}{about}{off}", one.name, text::printable(&one.on));
        told += &(look.paint(if one.enabled { Tone::Head } else { Tone::Quiet }, &head) + "\n");
        for step in &one.steps {
            told += &format!("  {step}\n");
        }
    }
    told
}

/// `blockhaul macro test`
pub fn tested(tested: &MacroTested, look: &Look) -> String {
    let (word, tone) = if tested.begins {
        ("It would begin", Tone::Good)
    } else {
        ("It would not begin", Tone::Watch)
    };
    let mut told = format!("{}: {}\n", look.paint(tone, word), text::printable(&tested.why));
    for step in &tested.steps {
        told += &format!("  {}: {}\n", text::printable(&step.step), text::printable(&step.would));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use blockhaul_core::control::types::MacroWould;

    #[test]
    fn rules_and_tests() {
        let rule = Macro {
            name: "night".parse().unwrap(),
            on: "stalled".into(),
            subject: Some("lobby".into()),
            steps: vec!["wait 5m".parse().unwrap(), "kick lobby".parse().unwrap()],
            enabled: false,
        };
        assert_eq!(
            table(&[rule], &sample::plain()),
            "night: on stalled for lobby (disabled)\n  wait 5m\n  kick lobby\n"
        );
        let told = MacroTested {
            begins: true,
            why: "event 3 is stalled about lobby.".into(),
            steps: vec![MacroWould {
                step: "kick lobby".into(),
                would: "would let the job try again".into(),
            }],
        };
        assert_eq!(
            tested(&told, &sample::plain()),
            "It would begin: event 3 is stalled about lobby.\n  kick lobby: would let the job try again\n"
        );
    }
}
