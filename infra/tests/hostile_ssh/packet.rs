//! SSH's data types (RFC 4251, 5), right or wrong.

#[derive(Clone, Default)]
pub struct Packet(pub Vec<u8>);

impl Packet {
    pub fn of(message: u8) -> Self {
        Self(vec![message])
    }

    pub fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    pub fn number(mut self, number: u32) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub fn string(self, bytes: impl AsRef<[u8]>) -> Self {
        let length = u32::try_from(bytes.as_ref().len()).unwrap();
        self.number(length).bytes(bytes.as_ref())
    }

    /// A string that declares to be longer than it is.
    pub fn lie(self, declared: u32) -> Self {
        self.number(declared).bytes(b"short")
    }

    pub fn positive(self, bytes: &[u8]) -> Self {
        let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign =
            if digits.first().is_some_and(|first| *first >= 0x80) { &[0_u8][..] } else { &[] };
        self.string([sign, &digits].concat())
    }
}

/// Reads what a client sent.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    pub fn number(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    pub fn string(&mut self) -> &'a [u8] {
        let length = self.number();
        self.take(usize::try_from(length).unwrap())
    }
}
