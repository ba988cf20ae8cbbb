//! Switches a screen where the display's own server cannot: by the HDMI cable ([`cec`]), or by the firmware
//! ([`vcgencmd`]), the first that is there.
//!
//! A way is three functions: is it there, set, read back. Both are other programs, which may hang
//! and may lie; so each has a time limit, and what it says afterwards is what counts.

mod cec;
mod vcgencmd;

use super::connectors::ConnectorDirectory;
use crate::supervisor::{Backend, Failure, PowerReport};
use crate::sys::process::children::Children;
use std::path::Path;

/// Switches (or leaves as it is, without `on`), and looks.
pub(in crate::sys) async fn switch(
    children: &Children,
    drm: &ConnectorDirectory,
    devices: &Path,
    connector: Option<&str>,
    on: Option<bool>,
) -> PowerReport {
    if let Some(device) = cec::device(devices, connector) {
        let set = match on {
            Some(on) => cec::set(children, &device, on).await,
            None => Ok(()),
        };
        return report(Backend::Cec, set, cec::read(children, &device).await);
    }
    if drm.is_empty() && vcgencmd::is_there() {
        let set = match on {
            Some(on) => vcgencmd::set(children, on).await,
            None => Ok(()),
        };
        return report(Backend::Vcgencmd, set, vcgencmd::read(children).await);
    }
    PowerReport {
        backend: None,
        actual: connector.and_then(|name| drm.lit(name)),
        failure: None,
    }
}

fn report(
    backend: Backend,
    set: Result<(), Failure>,
    read: Result<Option<bool>, Failure>,
) -> PowerReport {
    let (actual, unread) = match read {
        Ok(actual) => (actual, None),
        Err(failure) => (None, Some(failure)),
    };
    PowerReport {
        backend: Some(backend),
        actual,
        failure: set.err().or(unread),
    }
}
