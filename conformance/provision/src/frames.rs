//! Counts what two ends of a Valkey connection have said to each other.

/// Counts complete commands or replies, however they are cut on the way.
#[derive(Default)]
pub(crate) struct Frames {
    /// The header that has not come to its end.
    header: Vec<u8>,
    /// Bytes of a text that are still to come.
    skipped: usize,
    /// Parts of the frame that are still to come.
    open: usize,
    /// The frame is a message that nobody asked for.
    is_push: bool,
}

impl Frames {
    /// How many frames end within these bytes, without those that nobody asked for.
    pub(crate) fn ended(&mut self, mut bytes: &[u8]) -> usize {
        let mut ended = 0;
        while !bytes.is_empty() {
            if self.skipped > 0 {
                let skipped = self.skipped.min(bytes.len());
                self.skipped -= skipped;
                bytes = &bytes[skipped..];
            } else {
                self.header.push(bytes[0]);
                bytes = &bytes[1..];
                if !self.header.ends_with(b"\r\n") {
                    continue;
                }
                self.part();
            }
            if self.skipped == 0 && self.open == 0 {
                ended += usize::from(!self.is_push);
            }
        }
        ended
    }

    /// Whether a frame has begun and not ended.
    pub(crate) fn is_within(&self) -> bool {
        self.open > 0 || self.skipped > 0 || !self.header.is_empty()
    }

    /// Takes the header of a part, of which a frame has at least one.
    fn part(&mut self) {
        let header = std::mem::take(&mut self.header);
        let number = std::str::from_utf8(&header[1..]).unwrap_or_default().trim();
        let number: Option<usize> = number.parse().ok();
        if self.open == 0 {
            self.open = 1;
            self.is_push = header[0] == b'>';
        }
        self.open -= 1;
        match (header[0], number) {
            (b'$' | b'=' | b'!', Some(length)) => self.skipped = length + 2,
            (b'*' | b'~' | b'>', Some(parts)) => self.open += parts,
            (b'%', Some(pairs)) => self.open += 2 * pairs,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_wherever_they_are_cut() {
        let said = b"*2\r\n$5\r\nFCALL\r\n$3\r\n*\r\n\r\n$-1\r\n:7\r\n%1\r\n+a\r\n*0\r\n>1\r\n+b\r\n-no\r\n$0\r\n\r\n";
        for cut in 0..said.len() {
            let mut frames = Frames::default();
            let ended = frames.ended(&said[..cut]) + frames.ended(&said[cut..]);
            assert_eq!(ended, 6, "cut at {cut}");
        }
        let mut frames = Frames::default();
        assert_eq!(said.iter().map(|byte| frames.ended(&[*byte])).sum::<usize>(), 6);
    }
}
