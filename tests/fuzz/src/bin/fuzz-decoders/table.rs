//! The table that is printed while the targets run: a line for each as it ends.

use blockhaul_fuzz::Target;

use crate::engine::Run;

/// Titles of the columns.
pub fn head() {
    println!(
        "{:<12} {:>7} {:>12} {:>12} {:>9}  {:<6} what",
        "target", "inputs", "executions", "a second", "coverage", "found"
    );
}

/// How it went with a target.
pub fn row(target: &Target, run: &Run) {
    println!(
        "{:<12} {:>7} {:>12} {:>12} {:>9}  {:<6} {}",
        target.name,
        run.inputs,
        grouped(run.executions),
        grouped(run.per_second),
        grouped(run.coverage),
        if run.artifact.is_some() { "YES" } else { "-" },
        target.what
    );
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_apart() {
        let shown = [0, 999, 1000, 1_234_567].map(super::grouped);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
