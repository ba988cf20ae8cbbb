//! What `ossuary check` prints about a configuration file.

use super::document::VERSION;
use super::{Loaded, Problem};
use serde_json::json;
use std::fmt::Write;

/// The result of reading a configuration file, as lines for a terminal.
///
/// For a valid file: `ok`, then what a migration would change, then every warning. Otherwise every problem, one a line:
/// `processes.sync.command: is required`.
pub fn report(read: Result<Loaded, Vec<Problem>>) -> String {
    let loaded = match read {
        Ok(loaded) => loaded,
        Err(problems) => return lines(&problems),
    };
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
    text
}

/// The same for programs, as one JSON object on a line: `ok`, `problems` and `warnings` as in the API, and `migration`,
/// which is `null` or has `from`, `to` and `notes`.
pub fn report_as_json(read: Result<Loaded, Vec<Problem>>) -> String {
    let (ok, problems, loaded) = match read {
        Ok(loaded) => (true, Vec::new(), Some(loaded)),
        Err(problems) => (false, problems, None),
    };
    let warnings = loaded.as_ref().map(|loaded| loaded.warnings.clone());
    let migration = loaded.and_then(|loaded| loaded.migration);
    let migration = migration
        .map(|migration| json!({"from": migration.from, "to": VERSION, "notes": migration.notes}));
    let report = json!({
        "ok": ok,
        "problems": problems,
        "warnings": warnings.as_deref().unwrap_or_default(),
        "migration": migration,
    });
    format!("{report}\n")
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

    fn report(bytes: &[u8]) -> String {
        super::report(Loaded::from_bytes(bytes))
    }

    #[test]
    fn the_report_as_json_says_the_same() {
        let report = |bytes: &[u8]| report_as_json(Loaded::from_bytes(bytes));
        assert_eq!(
            report(br#"{"version": 3, "colour": "teal"}"#),
            "{\"ok\":true,\"problems\":[],\"warnings\":[{\"path\":\"colour\",\"message\":\
             \"unknown field; it is kept and has no effect\"}],\"migration\":null}\n"
        );
        let broken = report(br#"{"version": 3, "processes": {"a": {}}}"#);
        let path = r#""problems":[{"path":"processes.a.command","message":"is required"}]"#;
        assert!(
            broken.contains(path) && broken.contains(r#""ok":false"#),
            "{broken}"
        );
        let older = report(br#"{"startup_command": "sleep 9"}"#);
        assert!(older.contains(r#""from":1,"to":3,"notes":["#), "{older}");
    }

    #[test]
    fn a_valid_file_is_ok() {
        assert_eq!(report(b""), "ok\n");
        assert_eq!(report(br#"{"version": 3, "processes": {}}"#), "ok\n");
    }

    #[test]
    fn a_warning_is_not_a_problem() {
        let text = report(br#"{"version": 3, "colour": "teal"}"#);
        assert_eq!(
            text,
            "ok\nwarning: colour: unknown field; it is kept and has no effect\n"
        );
    }

    #[test]
    fn a_migration_is_reported_before_it_happens() {
        let text = report(br#"{"startup_command": "chromium --kiosk https://x"}"#);
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
            text,
            "processes.a.name: must be a string, not a number\n\
             processes.a.command: is required\n\
             processes[\"b c\"]: its id must contain only letters, digits, - and _\n\
             processes[\"b c\"].command: is required\n"
        );
    }
}
