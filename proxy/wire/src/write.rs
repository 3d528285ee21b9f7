//! Appending frames to a `Vec`.

/// A frame under construction; [`Open::close`] fills its length in.
#[derive(Debug)]
#[must_use]
pub struct Open {
    /// Where the length field stands.
    length_at: usize,
}

/// Begins a frame: appends the type byte and room for the length.
pub fn open(out: &mut Vec<u8>, tag: u8) -> Open {
    out.push(tag);
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    Open { length_at }
}

impl Open {
    /// Ends the frame: everything appended since [`open`] is its body.
    ///
    /// A body of 4 GiB and more cannot be framed; its length is then clamped, and the receiver
    /// ends the connection. Callers limit their bodies far below that.
    pub fn close(self, out: &mut [u8]) {
        let length = u32::try_from(out.len() - self.length_at).unwrap_or(u32::MAX);
        out[self.length_at..self.length_at + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// Appends a zero-terminated string.
pub fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
    out.push(0);
}

/// Appends a 16-bit count. Counts come from counts that were read as 16 bits, or are small.
pub fn count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
}

/// Appends a value of a Bind or DataRow: length and bytes, or -1 for NULL.
pub fn value(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => out.extend_from_slice(&(-1i32).to_be_bytes()),
        Some(bytes) => {
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(bytes);
        }
    }
}

/// Appends a frame with this body.
pub fn frame(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    let open = open(out, tag);
    out.extend_from_slice(body);
    open.close(out);
}
