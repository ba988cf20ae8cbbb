//! What is told to whoever reads the card again: `ossuary.txt`, beside the file it is about.

use super::card::FILE;
use crate::config::{Access, FirstBoot, Problem};
use std::fmt::Write;

/// All of it was done.
pub fn applied(wanted: &FirstBoot) -> String {
    let mut text = format!("{FILE} was applied. This is set up now:\n\n");
    let mut say = |name: &str, what: &str| {
        let _ = writeln!(text, "  {name}: {what}");
    };
    if let Some(hostname) = &wanted.hostname {
        say(
            "hostname",
            &format!("{hostname}, so http://{hostname}.local:8081"),
        );
    }
    if let Some(timezone) = &wanted.timezone {
        say("timezone", timezone);
    }
    match &wanted.access {
        Some(Access::Password(_)) => say("password", "the one that stood there"),
        Some(Access::Hash(_)) => say("password", "the one of the hash that stood there"),
        Some(Access::Reset) => say(
            "password",
            "none; the screen shows the code that claims the kiosk",
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
        "\nThere were secrets in it, so it was overwritten and removed. For another change write a new {FILE}:\n\
         what does not stand in it stays as it is.\n"
    );
    text
}

/// Nothing was done, because of these.
pub fn refused(problems: &[Problem]) -> String {
    let mut text = format!(
        "{FILE} was not applied: nothing of it is set up, and the kiosk is as it was before.\n\
         What is wrong, and where:\n\n"
    );
    for problem in problems {
        let _ = match problem.path.is_empty() {
            true => writeln!(text, "  {FILE} {}", problem.message),
            false => writeln!(text, "  {problem}"),
        };
    }
    text.push_str(RETRY);
    text
}

/// Nothing was done, because the system said no.
pub fn failed(why: &str) -> String {
    format!("{FILE} could not be applied, but nothing is wrong with it:\n\n  {why}\n{RETRY}")
}

const RETRY: &str = "\nMend it and start the kiosk with this card once more. Whatever secrets are in the file are still there.\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_by_path_and_without_one() {
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
        assert!(text.starts_with("ossuary.json was not applied: nothing of it"));
    }
}
