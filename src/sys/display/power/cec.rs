//! Asks the television itself, through the HDMI cable (CEC, by `cec-ctl` of v4l-utils).

use crate::supervisor::Failure;
use crate::sys::process::browser_profile;
use crate::sys::process::children::Children;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PROGRAM: &str = "cec-ctl";

/// How long the program may take. A television that wakes up answers after two or three seconds.
const TIMEOUT: Duration = Duration::from_secs(8);

/// The device that leads to the screen, if it can be identified: the only one, or on a Raspberry Pi the one of the same
/// number (`/dev/cec0` belongs to `HDMI-A-1`, as its documentation has it).
pub(super) fn device(devices: &Path, connector: Option<&str>) -> Option<String> {
    if !browser_profile::is_installed(PROGRAM) {
        return None;
    }
    let found = device_files(devices, "cec");
    let found = match found.as_slice() {
        [only] => only,
        several => {
            let number: usize = connector?.strip_prefix("HDMI-A-")?.parse().ok()?;
            let name = format!("cec{}", number.checked_sub(1)?);
            several.iter().find(|path| path.ends_with(&name))?
        }
    };
    Some(found.display().to_string())
}

/// The files of `directory` whose names begin with `prefix`, sorted.
fn device_files(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// Has the television show us, or go to sleep. We are a playback device: others are not allowed to.
pub(super) async fn set(children: &Children, device: &str, on: bool) -> Result<(), Failure> {
    let message = if on { "--image-view-on" } else { "--standby" };
    let argv = [
        PROGRAM,
        "-d",
        device,
        "--skip-info",
        "--playback",
        "--to",
        "0",
        message,
    ];
    children.ask(&argv, TIMEOUT).await.map(drop)
}

/// Whether the television is on; nothing where it does not say.
pub(super) async fn read(children: &Children, device: &str) -> Result<Option<bool>, Failure> {
    let argv = [
        PROGRAM,
        "-d",
        device,
        "--skip-info",
        "--playback",
        "--to",
        "0",
        "--give-device-power-status",
    ];
    Ok(parse(&children.ask(&argv, TIMEOUT).await?))
}

/// `pwr-state: standby (0x01)`. On its way to a state counts as there.
fn parse(output: &str) -> Option<bool> {
    let (_, state) = output.split_once("pwr-state: ")?;
    match state.split_whitespace().next()? {
        "on" | "to-on" => Some(true),
        "standby" | "to-standby" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_television_says_is_understood() {
        let said = "Transmit from Playback Device 1 to TV (4 to 0):\n\
            GIVE_DEVICE_POWER_STATUS (0x8f)\n    Received from TV (0):\n    \
            REPORT_POWER_STATUS (0x90):\n\tpwr-state: standby (0x01)\n";
        assert_eq!(parse(said), Some(false));
        assert_eq!(parse("pwr-state: on (0x00)"), Some(true));
        assert_eq!(parse("pwr-state: to-on (0x02)"), Some(true));
        assert_eq!(parse("\tTransmit failed: Not Acknowledged"), None);
        assert_eq!(parse("pwr-state: "), None);
    }
}
