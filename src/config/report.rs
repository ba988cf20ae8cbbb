//! What `ossuary check` says of a configuration file.

use super::{Loaded, Problem};
use std::fmt::Write;

/// Reads the bytes of a configuration file and reports on them, in lines for a terminal.
///
/// A sound file: `ok`, then what a migration would change and every warning.
///
/// # Errors
/// Every problem on a line of its own, `processes.sync.command: is required`; the command
/// then ends with exit code 1.
pub fn report(bytes: &[u8]) -> Result<String, String> {
    let loaded = Loaded::from_bytes(bytes).map_err(|problems| lines(&problems))?;
    let mut text = "ok\n".to_owned();
    if let Some(migration) = &loaded.migration {
        let from = migration.from;
        let _ = writeln!(
            text,
            "migration from version {from} to 3 (the old file is kept as .v{from}.bak):"
        );
        for note in &migration.notes {
            let _ = writeln!(text, "  {note}");
        }
    }
    for warning in loaded.warnings.iter() {
        let _ = writeln!(text, "warning: {warning}");
    }
    Ok(text)
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |mut text, problem| {
        let _ = writeln!(text, "{problem}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_file_is_ok() {
        assert_eq!(report(b"").unwrap(), "ok\n");
        assert_eq!(
            report(br#"{"version": 3, "processes": {}}"#).unwrap(),
            "ok\n"
        );
    }

    #[test]
    fn a_warning_is_no_problem() {
        let text = report(br#"{"version": 3, "colour": "teal"}"#).unwrap();
        assert_eq!(
            text,
            "ok\nwarning: colour: unknown field; it is kept and has no effect\n"
        );
    }

    #[test]
    fn a_migration_is_told_before_it_happens() {
        let text = report(br#"{"startup_command": "chromium --kiosk https://x"}"#).unwrap();
        assert_eq!(
            text,
            "ok\nmigration from version 1 to 3 (the old file is kept as .v1.bak):\n  \
             startup_command becomes the process main-display of type chromium on :0\n"
        );
    }

    #[test]
    fn every_problem_has_its_line() {
        let text = report(br#"{"version": 3, "processes": {"a": {"name": 1}, "b c": {}}}"#);
        assert_eq!(
            text.unwrap_err(),
            "processes.a.name: must be a string, not a number\n\
             processes.a.command: is required\n\
             processes[\"b c\"]: its id may have only letters, digits, - and _ in it\n"
        );
    }
}
