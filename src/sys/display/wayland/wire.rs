//! Messages as they go over a Wayland socket: the object, the length and the number of the message, its arguments.
//!
//! Words of four bytes in the machine's own order; a text has its length before it, with the NUL at its end counted,
//! and is filled up to whole words (the Wayland protocol, "Wire Format").

/// The longest message the protocol knows.
const MESSAGE_MAX: usize = 65_535;

/// What a message begins with.
const HEADER: usize = 8;

/// A request in the making.
#[derive(Debug)]
pub(super) struct Request(Vec<u8>);

impl Request {
    /// The request `opcode` of `object`.
    pub(super) fn new(object: u32, opcode: u16) -> Self {
        let mut bytes = object.to_ne_bytes().to_vec();
        bytes.extend(u32::from(opcode).to_ne_bytes());
        Self(bytes)
    }

    /// With a number or an object as its next argument.
    pub(super) fn number(mut self, number: u32) -> Self {
        self.0.extend(number.to_ne_bytes());
        self
    }

    /// With a text as its next argument.
    pub(super) fn text(mut self, text: &str) -> Self {
        self.0.extend((text.len() as u32 + 1).to_ne_bytes());
        self.0.extend(text.as_bytes());
        self.0.push(0);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// The bytes to send.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        let length = (self.0.len() as u32) << 16;
        for (byte, more) in self.0[4..8].iter_mut().zip(length.to_ne_bytes()) {
            *byte |= more;
        }
        self.0
    }
}

/// An event that has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Whose.
    pub object: u32,
    /// Which.
    pub opcode: u16,
    arguments: Vec<u8>,
}

/// What has come is not Wayland.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Garbled;

impl Event {
    /// Takes an event out of what has come, once it is whole.
    pub(super) fn take(inbox: &mut Vec<u8>) -> Result<Option<Self>, Garbled> {
        let (Some(object), Some(word)) = (word(inbox), inbox.get(4..).and_then(word)) else {
            return Ok(None);
        };
        let length = (word >> 16) as usize;
        if !(HEADER..=MESSAGE_MAX).contains(&length) || !length.is_multiple_of(4) {
            return Err(Garbled);
        }
        if inbox.len() < length {
            return Ok(None);
        }
        let arguments = inbox.drain(..length).skip(HEADER).collect();
        Ok(Some(Self {
            object,
            opcode: word as u16,
            arguments,
        }))
    }

    /// Its arguments, one after the other.
    pub(super) fn arguments(&self) -> Arguments<'_> {
        Arguments(&self.arguments)
    }
}

/// The arguments of an event that were not read yet. One that is missing is 0, or empty: what follows is not
/// believed anyway.
#[derive(Debug)]
pub(super) struct Arguments<'a>(&'a [u8]);

impl<'a> Arguments<'a> {
    /// A number or an object.
    pub(super) fn number(&mut self) -> u32 {
        let number = word(self.0).unwrap_or(0);
        self.0 = self.0.get(4..).unwrap_or_default();
        number
    }

    /// A text without its NUL.
    pub(super) fn text(&mut self) -> &'a str {
        let length = self.number() as usize;
        let bytes = self.0.get(..length).unwrap_or_default();
        let padded = length.saturating_add(3) / 4 * 4;
        self.0 = self.0.get(padded..).unwrap_or_default();
        let text = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        std::str::from_utf8(text).unwrap_or_default()
    }
}

fn word(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_what_is_read() {
        let request = Request::new(7, 2).number(5).text("wl_output").number(4);
        let mut bytes = request.into_bytes();
        assert_eq!(bytes.len(), 8 + 4 + 4 + 12 + 4);
        let last = bytes.pop().unwrap();
        assert_eq!(Event::take(&mut bytes), Ok(None));
        bytes.push(last);
        bytes.extend([1, 2, 3]);
        let event = Event::take(&mut bytes).unwrap().unwrap();
        assert_eq!((event.object, event.opcode), (7, 2));
        let mut arguments = event.arguments();
        assert_eq!(arguments.number(), 5);
        assert_eq!(arguments.text(), "wl_output");
        assert_eq!(arguments.number(), 4);
        assert_eq!(arguments.number(), 0);
        assert_eq!(bytes, [1, 2, 3]);
    }

    #[test]
    fn rubbish_is_garbled_or_ends() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..20_000 {
            let length = random.usize(..300);
            let mut bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            let before = bytes.len();
            while let Ok(Some(event)) = Event::take(&mut bytes) {
                let mut arguments = event.arguments();
                for _ in 0..3 {
                    arguments.text();
                }
                arguments.number();
            }
            assert!(bytes.len() <= before);
        }
    }
}
