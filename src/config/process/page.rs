//! The kiosk page of a display process.

use crate::config::{CommandLine, Process, check_url};

/// The URL that a display process is configured to show: its `url`, or the last URL in its command. `None` if a shell
/// runs the command.
pub fn page_of(process: &Process) -> Option<String> {
    if process.url.is_some() || !process.is_display() {
        return process.url.clone();
    }
    let Ok(CommandLine::Direct { argv, .. }) = CommandLine::parse(process.command.as_deref()?)
    else {
        return None;
    };
    let mut words = argv.into_iter().skip(1).rev();
    words.find(|word| word.contains("://") && check_url(word).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loaded;

    #[test]
    fn the_page_is_the_url_or_is_part_of_the_command() {
        for (fields, page) in [
            (r#""url": "https://a/""#, Some("https://a/")),
            (
                r#""command": "chromium --kiosk https://b/""#,
                Some("https://b/"),
            ),
            (
                r#""command": "chromium https://b/", "url": "https://a/""#,
                Some("https://a/"),
            ),
            (r#""command": "cd x && chromium https://b/""#, None),
            (r#""command": "chromium""#, None),
        ] {
            let text = format!(
                r#"{{"version": 3, "processes": {{"it": {{"type": "chromium", {fields}}}}}}}"#
            );
            let loaded = Loaded::from_bytes(text.as_bytes()).unwrap();
            assert_eq!(page_of(&loaded.config.processes[0]).as_deref(), page);
        }
    }
}
