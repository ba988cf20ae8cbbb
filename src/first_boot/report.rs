//! The report of the first-boot file: `ossuary.txt` beside it.

use super::card::FILE;
use crate::config::{Access, FirstBoot, Problem};
use std::fmt::Write;

/// The report of a file that was applied.
pub fn applied(wanted: &FirstBoot) -> String {
    let mut text = format!("{FILE} was applied:\n\n");
    let mut say = |name: &str, what: &str| {
        let _ = writeln!(text, "  {name}: {what}");
    };
    if let Some(hostname) = &wanted.hostname {
        say(
            "hostname",
            &format!("{hostname}; the web UI is at http://{hostname}.local:8081"),
        );
    }
    if let Some(timezone) = &wanted.timezone {
        say("timezone", timezone);
    }
    match &wanted.access {
        Some(Access::Password(_)) => say("password", "set"),
        Some(Access::Hash(_)) => say("password", "set to the one with the given hash"),
        Some(Access::Reset) => say(
            "password",
            "removed; the screen shows the code that claims the kiosk",
        ),
        None => {}
    }
    for network in &wanted.networks {
        say("wifi", &network.name);
    }
    if let Some(configuration) = &wanted.configuration {
        let processes: Vec<_> = (configuration.config.processes.iter())
            .map(|process| process.id.as_str())
            .collect();
        let processes = match processes.is_empty() {
            true => "no process".to_owned(),
            false => processes.join(", "),
        };
        say("config", &processes);
        for warning in configuration.warnings.iter() {
            say("  warning", &warning.to_string());
        }
    }
    let _ = write!(
        text,
        "\nThe file may have contained secrets, so it was overwritten and removed. For another change write a new {FILE};\n\
         settings that are not in it do not change.\n"
    );
    text
}

/// The report of a file with problems.
pub fn refused(problems: &[Problem]) -> String {
    let mut text = format!("{FILE} was not applied, and nothing was changed. Its problems:\n\n");
    for problem in problems {
        let _ = match problem.path.is_empty() {
            true => writeln!(text, "  {FILE} {}", problem.message),
            false => writeln!(text, "  {problem}"),
        };
    }
    text.push_str(RETRY);
    text
}

/// The report of a valid file that could not be applied.
pub fn failed(why: &str) -> String {
    format!("{FILE} is valid but could not be applied:\n\n  {why}\n{RETRY}")
}

const RETRY: &str = "\nFix this and boot the kiosk with this card again. The file is unchanged, including its secrets.\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_listed_with_and_without_a_path() {
        let at = |path: &str, message: &str| Problem {
            path: path.to_owned(),
            message: message.to_owned(),
        };
        let text = refused(&[
            at("", "is empty"),
            at("wifi[0].name", "must have 1 to 32 bytes"),
        ]);
        assert!(text.contains("\n  ossuary.json is empty\n"), "{text}");
        assert!(
            text.contains("\n  wifi[0].name: must have 1 to 32 bytes\n"),
            "{text}"
        );
        assert!(text.starts_with("ossuary.json was not applied, and nothing was changed."));
    }
}
