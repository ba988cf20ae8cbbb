//! Bounds the memory of screenshots that are being sent.

use super::error::{Error, ErrorKind};
use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;

/// The most bytes of screenshots in transit; above it, further ones are refused, so that slow clients do not hold one
/// each. The largest single screenshot has 16 MiB.
const IN_TRANSIT_MAX: usize = 8 * 1024 * 1024;

/// The bytes of screenshots in transit.
#[derive(Debug, Default)]
pub struct ScreenshotsInTransit(Rc<Cell<usize>>);

/// A screenshot in transit.
#[derive(Debug)]
pub struct SentScreenshot {
    png: Rc<[u8]>,
    in_transit: Rc<Cell<usize>>,
}

impl ScreenshotsInTransit {
    /// Counts a screenshot as in transit until the result is dropped.
    ///
    /// # Errors
    /// There are too many.
    pub fn add(&self, png: Rc<[u8]>) -> Result<SentScreenshot, Error> {
        let so_far = self.0.get();
        if so_far > IN_TRANSIT_MAX {
            let detail = "too many screenshots are being sent; try again in a moment";
            return Err(Error::new(ErrorKind::Busy, detail));
        }
        self.0.set(so_far + png.len());
        Ok(SentScreenshot {
            png,
            in_transit: self.0.clone(),
        })
    }
}

impl Drop for SentScreenshot {
    fn drop(&mut self) {
        let others = self.in_transit.get() - self.png.len();
        self.in_transit.set(others);
    }
}

impl Deref for SentScreenshot {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.png
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_clients_cannot_hold_a_screenshot_each() {
        let screenshots = ScreenshotsInTransit::default();
        let large: Rc<[u8]> = vec![0; IN_TRANSIT_MAX + 1].into();
        let first = screenshots.add(large.clone()).unwrap();
        assert!(screenshots.add(large.clone()).is_err());
        drop(first);
        assert!(screenshots.add(large).is_ok());
    }
}
