//! Where the records of a byte stream begin and end (RFC 8446 §5.1), as they come: how much of the
//! one under way is missing, before anybody can decrypt it.
//!
//! It does not judge: a header that makes no sense is rustls's to refuse.

/// Type, version and length.
pub(crate) const HEADER: usize = 5;

/// How far the record under way has come.
#[derive(Default)]
pub(crate) struct RecordBoundaries {
    /// Its bytes so far, the header's among them; 0 between two records.
    begun: usize,
    /// Of its payload; known once the header is whole.
    length: usize,
}

impl RecordBoundaries {
    /// More bytes of the stream.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while let Some(&byte) = bytes.first() {
            if self.begun < HEADER {
                if self.begun >= HEADER - 2 {
                    self.length = self.length << 8 | usize::from(byte);
                }
                self.begun += 1;
                bytes = &bytes[1..];
            } else {
                let n = self.missing().min(bytes.len());
                self.begun += n;
                bytes = &bytes[n..];
            }
            if self.begun >= HEADER && self.missing() == 0 {
                *self = Self::default();
            }
        }
    }

    /// Bytes of the record under way that are there.
    pub(crate) fn begun(&self) -> usize {
        self.begun
    }

    /// Bytes that are missing of it; before its header is whole, of the header.
    pub(crate) fn missing(&self) -> usize {
        match self.begun {
            begun if begun < HEADER => HEADER - begun,
            begun => HEADER + self.length - begun,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_of_each_record_in_pieces_of_any_size() {
        let mut stream = Vec::new();
        for length in [0usize, 1, 300, 16_384] {
            stream.extend_from_slice(&[23, 3, 3, (length >> 8) as u8, length as u8]);
            stream.resize(stream.len() + length, 0xff);
        }
        for size in [1, 2, 4, 5, 6, 299, stream.len()] {
            let mut boundaries = RecordBoundaries::default();
            for piece in stream.chunks(size) {
                boundaries.pass(piece);
            }
            assert_eq!((boundaries.begun(), boundaries.missing()), (0, HEADER), "{size}");
        }
    }

    #[test]
    fn tells_what_is_missing() {
        let mut boundaries = RecordBoundaries::default();
        boundaries.pass(&[23, 3]);
        assert_eq!((boundaries.begun(), boundaries.missing()), (2, 3));
        boundaries.pass(&[3, 1, 0]);
        assert_eq!((boundaries.begun(), boundaries.missing()), (5, 256));
        boundaries.pass(&[0; 250]);
        assert_eq!((boundaries.begun(), boundaries.missing()), (255, 6));
        boundaries.pass(&[0; 7]);
        assert_eq!((boundaries.begun(), boundaries.missing()), (1, 4));
    }
}
