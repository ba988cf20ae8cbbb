//! Reads who a monitor says it is (VESA Enhanced EDID, release A revision 2, section 3).
//!
//! The bytes come from the connected device, so nothing in them is trusted: one block of 128 bytes is read,
//! its checksum has to be right, and texts lose what cannot be printed.

use crate::supervisor::{Monitor, Size};

/// The block that every monitor has; extensions behind it are not needed.
const BLOCK: usize = 128;

/// What each block begins with.
const HEADER: [u8; 8] = [0, 255, 255, 255, 255, 255, 255, 0];

/// Where the four descriptors begin, 18 bytes each.
const DESCRIPTORS: [usize; 4] = [54, 72, 90, 108];

/// Descriptors that hold a text, by their tags.
const SERIAL: u8 = 0xff;
const NAME: u8 = 0xfc;

/// Who it is, where the bytes are an EDID.
pub(in crate::sys) fn parse(bytes: &[u8]) -> Option<Monitor> {
    let block: &[u8; BLOCK] = bytes.first_chunk()?;
    let sum = block.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if block[..8] != HEADER || sum != 0 {
        return None;
    }
    let number = u32::from_le_bytes([block[12], block[13], block[14], block[15]]);
    Some(Monitor {
        maker: maker([block[8], block[9]]),
        product: u16::from_le_bytes([block[10], block[11]]),
        name: text(block, NAME),
        serial: text(block, SERIAL).or_else(|| (number != 0).then(|| number.to_string())),
        preferred: timing(block),
    })
}

/// Three letters of five bits each, `A` being 1.
fn maker(bytes: [u8; 2]) -> String {
    let packed = u16::from_be_bytes(bytes);
    let letter = |shift: u16| match (packed >> shift) & 0x1f {
        number @ 1..=26 => char::from(b'A' + number as u8 - 1),
        _ => '?',
    };
    [letter(10), letter(5), letter(0)].iter().collect()
}

/// The text of a descriptor: up to 13 characters, ended by a line feed.
fn text(block: &[u8; BLOCK], tag: u8) -> Option<String> {
    let descriptors = DESCRIPTORS.iter().map(|start| &block[*start..*start + 18]);
    let mut found = descriptors.filter(|bytes| bytes[..3] == [0, 0, 0] && bytes[3] == tag);
    let text = found.next()?[5..].split(|byte| *byte == b'\n').next()?;
    let plain = text.iter().filter(|byte| matches!(byte, b' '..=b'~'));
    let text: String = plain.map(|byte| char::from(*byte)).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The first descriptor is the timing that the maker prefers, where it has a pixel clock.
fn timing(block: &[u8; BLOCK]) -> Option<Size> {
    let bytes = &block[DESCRIPTORS[0]..DESCRIPTORS[0] + 18];
    if bytes[..2] == [0, 0] {
        return None;
    }
    let size = Size {
        width: u32::from(bytes[2]) | u32::from(bytes[4] & 0xf0) << 4,
        height: u32::from(bytes[5]) | u32::from(bytes[7] & 0xf0) << 4,
    };
    (size.width > 0 && size.height > 0).then_some(size)
}

/// A monitor's block, written from the specification, for tests.
#[cfg(test)]
pub(in crate::sys) fn specimen(maker: &str, name: &str, serial: &str) -> Vec<u8> {
    let mut block = vec![0; BLOCK];
    block[..8].copy_from_slice(&HEADER);
    let letters = maker.bytes().map(|letter| u16::from(letter - b'A' + 1));
    let packed = letters.fold(0, |packed, letter| packed << 5 | letter);
    block[8..10].copy_from_slice(&packed.to_be_bytes());
    block[10..12].copy_from_slice(&0xa0c4_u16.to_le_bytes());
    // 1920x1080 at 148.5 MHz: the clock in units of 10 kHz, then sizes in twelve bits.
    block[54..56].copy_from_slice(&14_850_u16.to_le_bytes());
    block[56..62].copy_from_slice(&[0x80, 0x18, 0x71, 0x38, 0x2d, 0x40]);
    for (start, tag, text) in [(72, NAME, name), (90, SERIAL, serial)] {
        block[start + 3] = tag;
        let line = format!("{text}\n");
        let padded = format!("{line: <13}");
        block[start + 5..start + 18].copy_from_slice(&padded.as_bytes()[..13]);
    }
    let sum = block.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    block[127] = sum.wrapping_neg();
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monitor_says_who_it_is() {
        let monitor = parse(&specimen("DEL", "DELL U2412M", "YMYH12345")).unwrap();
        assert_eq!(monitor.maker, "DEL");
        assert_eq!(monitor.product, 0xa0c4);
        assert_eq!(monitor.name.as_deref(), Some("DELL U2412M"));
        assert_eq!(monitor.serial.as_deref(), Some("YMYH12345"));
        assert_eq!(monitor.preferred.unwrap().to_string(), "1920x1080");
    }

    #[test]
    fn a_block_that_was_damaged_on_its_way_is_no_monitor() {
        let whole = specimen("DEL", "DELL", "1");
        for damaged in 0..BLOCK {
            let mut bytes = whole.clone();
            bytes[damaged] ^= 0x10;
            assert_eq!(parse(&bytes), None, "byte {damaged}");
        }
        assert_eq!(parse(&whole[..127]), None);
        assert_eq!(parse(&[]), None);
    }

    #[test]
    fn the_description_of_any_device_can_be_printed() {
        let mut random = fastrand::Rng::with_seed(4);
        for _ in 0..50_000 {
            let mut bytes: Vec<u8> = (0..BLOCK).map(|_| random.u8(..)).collect();
            bytes[..8].copy_from_slice(&HEADER);
            for start in DESCRIPTORS {
                if random.bool() {
                    bytes[start..start + 3].fill(0);
                    bytes[start + 3] = random.choice([NAME, SERIAL, 0xfd]).unwrap();
                }
            }
            let sum = bytes[..127]
                .iter()
                .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
            bytes[127] = sum.wrapping_neg();
            let monitor = parse(&bytes).unwrap();
            assert_eq!(monitor.maker.len(), 3);
            for text in [monitor.name, monitor.serial].into_iter().flatten() {
                assert!(!text.is_empty() && text.len() <= 13, "{text:?}");
                assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            }
        }
    }
}
