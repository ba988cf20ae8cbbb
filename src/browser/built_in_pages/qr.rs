//! An address as a QR code: drawn once as a path, as sharp at any size.

use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write;

/// The light margin a reader needs around the code, in modules (ISO/IEC 18004).
const MARGIN: i32 = 4;

/// The code as an inline picture, or none where the address is too long for a code that can be read from
/// some steps away.
pub(super) fn svg(address: &str) -> Option<String> {
    /// Version 10 or so: 57 modules. Addresses of kiosks are 20 to 60 bytes.
    const MOST: usize = 200;
    if address.len() > MOST {
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
                    .expect("a string takes whatever is written"),
            }
        }
    }
    svg.push_str("\"/></svg>");
    Some(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The modules that a path draws.
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
    fn the_picture_is_the_code_with_its_margin() {
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
    fn an_address_too_long_to_be_read_has_no_code() {
        assert_eq!(svg(&"x".repeat(4000)), None);
    }
}
