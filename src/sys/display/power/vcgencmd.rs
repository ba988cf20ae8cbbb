//! Asks the firmware of a Raspberry Pi whose kernel does not drive the screen itself.
//!
//! With the kernel's own driver (`vc4-kms-v3d`, what every current system has) the program still says that it has
//! switched, and does nothing; so it counts only where the kernel has no connectors.

use crate::supervisor::Failure;
use crate::sys::process::browser_profile;
use crate::sys::process::children::Children;
use std::time::Duration;

const PROGRAM: &str = "vcgencmd";

/// How long the program may take. The firmware answers at once; more only delays the next switch.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Whether the program is installed.
pub(super) fn is_there() -> bool {
    browser_profile::is_installed(PROGRAM)
}

/// Switches.
pub(super) async fn set(children: &Children, on: bool) -> Result<(), Failure> {
    let number = if on { "1" } else { "0" };
    let argv = [PROGRAM, "display_power", number];
    children.ask(&argv, TIMEOUT).await.map(drop)
}

/// Whether the screen is on.
pub(super) async fn read(children: &Children) -> Result<Option<bool>, Failure> {
    let argv = [PROGRAM, "display_power"];
    Ok(parse(&children.ask(&argv, TIMEOUT).await?))
}

/// `display_power=1`
fn parse(output: &str) -> Option<bool> {
    match output.trim().strip_prefix("display_power=")? {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_firmware_says_is_understood() {
        assert_eq!(parse("display_power=1\n"), Some(true));
        assert_eq!(parse("display_power=0\n"), Some(false));
        assert_eq!(parse("display_power=-1\n"), None);
        assert_eq!(parse("VCHI initialization failed\n"), None);
    }
}
