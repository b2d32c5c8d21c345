//! Splits masked bytes into lines. A very long line becomes several pieces; no byte is changed.

/// A longer line is stored in pieces.
pub(super) const LINE_BYTES_MAX: usize = 64 * 1024;

domain::named_enum! {
    /// Who wrote a line.
    #[derive(Hash)]
    pub enum Stream {
        /// Standard output of the command.
        Out = "out",
        /// Standard error of the command.
        Err = "err",
        /// Lethe itself, about the log.
        Lethe = "lethe",
    }
}

/// Where the reading of a stream continues after what is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The offset of a line's beginning in the command's output: a new mask can start there.
    pub raw: u64,
    /// How many masked bytes from there on are stored already.
    pub skip: u64,
}

/// A line, or a piece of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    /// It continues the line of the previous piece.
    pub continues: bool,
    pub bytes: &'a [u8],
    /// Where the reading continues once this is stored.
    pub place: Place,
}

/// The lines of one stream.
#[derive(Debug)]
pub(super) struct Lines {
    /// The received part of the line that is in no piece yet.
    rest: Vec<u8>,
    /// Where the line begins.
    begun: u64,
    /// How many bytes of the line are in pieces.
    cut: u64,
    /// How many bytes of the line an earlier reader has stored.
    skip: u64,
}

impl Lines {
    pub const fn from(place: Place) -> Self {
        Self { rest: Vec::new(), begun: place.raw, cut: 0, skip: place.skip }
    }

    /// `raw` begins at `from`. `masked` is the mask's output for it and for the bytes that the mask had
    /// held back; a mask holds back nothing across a line end.
    pub fn push(&mut self, from: u64, raw: &[u8], masked: &[u8], put: &mut impl FnMut(Piece<'_>)) {
        // Mostly nothing is masked, and both have the same lines.
        let is_same = raw == masked;
        let mut raw_lines = lines(raw);
        let mut raw_end = from;
        for part in lines(masked) {
            if ends(part) {
                let raw_line = if is_same { Some(part) } else { raw_lines.next() };
                raw_end += raw_line.map_or(0, <[u8]>::len) as u64;
                self.end_line(part, raw_end, put);
            } else {
                self.rest.extend_from_slice(part);
                self.cut_pieces(put);
            }
        }
    }

    /// The end of the stream, at `end`: its last line has no line end.
    pub fn finish(&mut self, end: u64, masked: &[u8], put: &mut impl FnMut(Piece<'_>)) {
        self.end_line(masked, end, put);
    }

    /// Emits the received part of the line: it is unknown whether more will come.
    pub fn pause(&mut self, put: &mut impl FnMut(Piece<'_>)) {
        let rest = std::mem::take(&mut self.rest);
        self.put_piece(&rest, put);
    }

    fn end_line(&mut self, part: &[u8], raw_end: u64, put: &mut impl FnMut(Piece<'_>)) {
        let place = Place { raw: raw_end, skip: 0 };
        if self.rest.is_empty() && part.len() <= LINE_BYTES_MAX {
            self.put(part, place, put);
        } else {
            self.rest.extend_from_slice(part);
            self.cut_pieces(put);
            let rest = std::mem::take(&mut self.rest);
            self.put(&rest, place, put);
        }
        (self.begun, self.cut, self.skip) = (raw_end, 0, 0);
    }

    fn cut_pieces(&mut self, put: &mut impl FnMut(Piece<'_>)) {
        while self.rest.len() > LINE_BYTES_MAX {
            let after = self.rest.split_off(piece_end(&self.rest));
            let piece = std::mem::replace(&mut self.rest, after);
            self.put_piece(&piece, put);
        }
    }

    fn put_piece(&mut self, piece: &[u8], put: &mut impl FnMut(Piece<'_>)) {
        let place = Place { raw: self.begun, skip: self.cut + piece.len() as u64 };
        self.put(piece, place, put);
    }

    /// Skips what is stored already.
    fn put(&mut self, piece: &[u8], place: Place, put: &mut impl FnMut(Piece<'_>)) {
        let known = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
        self.skip -= known as u64;
        let bytes = piece.get(known..).unwrap_or_default();
        if !bytes.is_empty() {
            put(Piece { continues: self.cut > 0 || known > 0, bytes, place });
        }
        self.cut += piece.len() as u64;
    }
}

/// Cuts between two UTF-8 characters, so that each piece is valid text.
fn piece_end(line: &[u8]) -> usize {
    let begins = |at: &usize| line.get(*at).is_some_and(|byte| byte & 0xc0 != 0x80);
    (LINE_BYTES_MAX - 3..=LINE_BYTES_MAX).rev().find(begins).unwrap_or(LINE_BYTES_MAX)
}

fn ends(part: &[u8]) -> bool {
    part.last() == Some(&b'\n')
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}
