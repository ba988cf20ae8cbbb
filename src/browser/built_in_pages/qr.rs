//! Renders a URL as a QR code: an SVG path, which is sharp at any size.

use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write;

/// The quiet zone that readers need around the code, in modules (ISO/IEC 18004).
const MARGIN: i32 = 4;

/// The code as inline SVG; none if the URL is too long for a code that can be scanned from a few metres away.
pub(super) fn svg(address: &str) -> Option<String> {
    /// About version 10 of QR codes: 57 modules. URLs of kiosks are 20 to 60 bytes long.
    const MAX_BYTES: usize = 200;
    if address.len() > MAX_BYTES {
        return None;
    }
    let code = QrCode::encode_text(address, QrCodeEcc::Medium).ok()?;
    let size = code.size() + 2 * MARGIN;
    let mut svg = format!(
        "<svg class=\"qr\" viewBox=\"0 0 {size} {size}\" role=\"img\" aria-label=\"QR code\" \
         shape-rendering=\"crispEdges\"><path fill=\"currentColor\" d=\""
    );
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let start = x;
            while x < code.size() && code.get_module(x, y) {
                x += 1;
            }
            match x - start {
                0 => x += 1,
                run => write!(svg, "M{} {}h{run}v1h-{run}z", start + MARGIN, y + MARGIN)
                    .expect("writing to a string does not fail"),
            }
        }
    }
    svg.push_str("\"/></svg>");
    Some(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The dark modules of the SVG path.
    fn drawn(svg: &str) -> Vec<(i32, i32)> {
        let path = svg.split(" d=\"").nth(1).expect("a path");
        let path = path.split('"').next().expect("its end");
        let mut modules = Vec::new();
        for run in path.split_terminator('z') {
            let (place, rest) = run[1..].split_once('h').expect("a run");
            let (x, y) = place.split_once(' ').expect("a place");
            let (length, _) = rest.split_once('v').expect("a height");
            let [x, y, length] =
                [x, y, length].map(|number| number.parse::<i32>().expect("a number"));
            modules.extend((x..x + length).map(|x| (x, y)));
        }
        modules
    }

    #[test]
    fn the_image_is_the_code_with_its_margin() {
        let address = "http://ossuary.local:8081/";
        let code = QrCode::encode_text(address, QrCodeEcc::Medium).expect("it fits");
        let wanted: Vec<(i32, i32)> = (0..code.size())
            .flat_map(|y| (0..code.size()).map(move |x| (x, y)))
            .filter(|(x, y)| code.get_module(*x, *y))
            .map(|(x, y)| (x + MARGIN, y + MARGIN))
            .collect();
        let svg = svg(address).expect("it fits");
        assert_eq!(drawn(&svg), wanted);
        let side = code.size() + 2 * MARGIN;
        assert!(svg.contains(&format!("viewBox=\"0 0 {side} {side}\"")));
    }

    #[test]
    fn a_url_that_is_too_long_has_no_code() {
        assert_eq!(svg(&"x".repeat(4000)), None);
    }
}
