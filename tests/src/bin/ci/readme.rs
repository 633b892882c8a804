//! Every command in a code block of README.md exists, with every option it is shown with.
//!
//! What the commands do is not checked here: the tests and the demo do that.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use blockhaul_tests::Result;
use blockhaul_tests::programs::{Profile, Programs, tree};

/// Commands of cargo itself that may be shown.
const CARGO_OWN: [&str; 5] = ["build", "install", "test", "run", "doc"];

/// Checks all of them.
pub fn check() -> Result<()> {
    let text = fs::read_to_string(tree().join("README.md")).map_err(|error| format!("README.md: {error}."))?;
    let aliases = fs::read_to_string(tree().join(".cargo/config.toml")).unwrap_or_default();
    let commands = commands(&text);
    for wanted in [["cargo", "demo"], ["cargo", "ci"]] {
        if !commands.iter().any(|command| command.starts_with(&wanted.map(str::to_owned))) {
            return Err(format!("README.md does not show `{}`.", wanted.join(" ")));
        }
    }
    let programs = Programs::build(Profile::Release)?;
    for command in &commands {
        match command[0].as_str() {
            "cargo" => {
                let name = command.get(1).map(String::as_str).unwrap_or_default();
                let alias = aliases.lines().any(|line| line.starts_with(&format!("{name} =")));
                if !alias && !CARGO_OWN.contains(&name) {
                    return Err(format!("README.md shows `cargo {name}`, which is no command."));
                }
            }
            "blockhaul" => understood(&programs.command, &command[1..])?,
            _ => understood(&programs.daemon, &command[1..])?,
        }
    }
    println!("{} commands in README.md exist.", commands.len());
    Ok(())
}

/// The words of each line in a code block that begins with a program of ours, without prompt and comment.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        let indented = line.starts_with("    ");
        if fence || !(inside || indented) {
            continue;
        }
        let line = line.trim().trim_start_matches("$ ").trim_start_matches("# ");
        for part in line.split(" | ").flat_map(|part| part.split(" && ")) {
            let words = part.split_whitespace().take_while(|word| !word.starts_with('#'));
            let words: Vec<String> = words.filter(|word| *word != "sudo").map(str::to_owned).collect();
            if words
                .first()
                .is_some_and(|program| matches!(program.as_str(), "cargo" | "blockhaul" | "blockhauld"))
            {
                found.push(words);
            }
        }
    }
    found
}

/// The words before the first option that the program takes for a command, with `--help`; then its help has every option.
fn understood(program: &Path, words: &[String]) -> Result<()> {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let is_word = |word: &&String| word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
    let plain: Vec<_> = words
        .iter()
        .take_while(|word| !word.starts_with('-'))
        .take_while(is_word)
        .collect();
    let mut help = None;
    // What is no command any more is an argument: `archive verify card`.
    for length in (0..=plain.len().min(2)).rev() {
        let output = Command::new(program)
            .args(&plain[..length])
            .arg("--help")
            .stdin(Stdio::null())
            .output();
        let output = output.map_err(|error| format!("{name} cannot be run: {error}."))?;
        if output.status.success() {
            help = Some((length, String::from_utf8_lossy(&output.stdout).into_owned()));
            break;
        }
    }
    let shown = format!("{name} {}", words.join(" "));
    let Some((length, help)) = help else {
        return Err(format!("README.md shows `{shown}`, which is no command."));
    };
    if let Some(word) = plain.get(length)
        && help.contains("Commands:")
    {
        return Err(format!("README.md shows `{shown}`, and there is no command {word}."));
    }
    for option in words.iter().filter(|word| word.starts_with("--")) {
        let option = option.split('=').next().unwrap_or(option);
        if !help.contains(option) {
            return Err(format!("README.md shows `{shown}`, and its help does not know {option}."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_in_code_only() {
        let text =
            "Run `cargo nothing` never.\n\n```sh\n$ cargo demo   # a minute\nsudo blockhaul status | less\n```\n\n    cargo ci\n";
        let found: Vec<String> = commands(text).into_iter().map(|words| words.join(" ")).collect();
        assert_eq!(found, ["cargo demo", "blockhaul status", "cargo ci"]);
    }
}
