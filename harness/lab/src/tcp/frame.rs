//! WebSocket frames (RFC 6455): a client's bytes to messages, and messages to a server's bytes.
//!
//! Not responsible for I/O, nor for answering anything: a ping stays unanswered and a close frame
//! closes nothing. No extension is known, so the reserved bits are zero.
//!
//! Invariant: what is decoded depends on the bytes alone, not on how they were split; after a fault
//! nothing more is decoded.

use smol_str::SmolStr;
use thiserror::Error;

/// The most bytes of a message. A little more than the wire's 1 MiB, so that the wire can say that
/// a message was too long for it.
pub const LONGEST_MESSAGE: usize = (1 << 20) + (1 << 16);

/// The most bytes of a control frame's payload.
pub const LONGEST_CONTROL: usize = 125;

/// How much of an empty buffer is kept for the next message.
const KEPT: usize = 4096;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// What one side says to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Bytes.
    Binary(Vec<u8>),
    /// A goodbye.
    Close {
        /// Why, as a number; without it there is no reason either.
        code: Option<u16>,
        /// Why, in words.
        reason: SmolStr,
    },
    /// A question whether the other side is there.
    Ping(Vec<u8>),
    /// The answer to a ping, with the same bytes.
    Pong(Vec<u8>),
    /// A text.
    Text(SmolStr),
}

/// What a client can do against RFC 6455.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// Section 7.4: a code that must not be sent.
    #[error("a close frame with the code {0}, which must not be sent")]
    CloseCode(u16),
    /// Section 5.5.1: a close frame is empty or begins with two bytes.
    #[error("a close frame with half a code: a payload of 1 byte")]
    CloseTooShort,
    /// Section 5.5.
    #[error("a control frame of more than 125 bytes")]
    ControlTooLong,
    /// Section 5.5.
    #[error("a control frame in fragments")]
    FragmentedControl,
    /// Section 5.4: the fragments of two messages are mixed.
    #[error("a new message while the fragments of another were not complete")]
    Interleaved,
    /// Section 5.2: the shortest form of a length must be used, and its top bit is zero.
    #[error("a payload length that is not in its shortest form")]
    LengthForm,
    /// Section 8.1.
    #[error("a text that is not UTF-8")]
    NotUtf8,
    /// Section 5.2: no extension was agreed on.
    #[error(
        "a frame with reserved bits (was an extension such as compression used without consent?)"
    )]
    ReservedBits,
    /// Section 5.4.
    #[error("a continuation frame without a message to continue")]
    StrayContinuation,
    /// A limit of ours.
    #[error("a message of more than {LONGEST_MESSAGE} bytes")]
    TooLong,
    /// Section 5.2.
    #[error("a frame with the unknown opcode {0}")]
    UnknownOpcode(u8),
    /// Section 5.1.
    #[error("a frame without a mask: a client must mask what it sends")]
    Unmasked,
}

impl Fault {
    /// The code to close with.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::NotUtf8 => 1007,
            Self::TooLong => 1009,
            _ => 1002,
        }
    }
}

/// Decodes what a client sends.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// How much of the buffer was decoded.
    start: usize,
    /// The fragments so far of a message that is not complete.
    fragments: Option<Fragments>,
    fault: Option<Fault>,
}

#[derive(Debug)]
struct Fragments {
    opcode: u8,
    payload: Vec<u8>,
}

/// The start of a frame.
#[derive(Clone, Copy, Debug)]
struct Header {
    fin: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Its own length.
    size: usize,
    /// The length of what follows it.
    payload: usize,
}

impl Decoder {
    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.fault.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next complete message, if there is one.
    ///
    /// # Errors
    /// The client broke the protocol; all later calls say the same.
    pub fn message(&mut self) -> Result<Option<Message>, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        loop {
            match self.frame() {
                Ok(Some(Some(message))) => return Ok(Some(message)),
                // A fragment: perhaps the next one is there, too.
                Ok(Some(None)) => {}
                Ok(None) => {
                    self.tidy();
                    return Ok(None);
                }
                Err(fault) => {
                    *self = Self { fault: Some(fault), ..Self::default() };
                    return Err(fault);
                }
            }
        }
    }

    /// Decodes one frame: nothing if it is not complete, an inner nothing if its message is not.
    fn frame(&mut self) -> Result<Option<Option<Message>>, Fault> {
        let Some(header) = header(&self.buffer[self.start..])? else { return Ok(None) };
        self.admit(&header)?;
        let from = self.start + header.size;
        let to = from + header.payload;
        if self.buffer.len() < to {
            return Ok(None);
        }
        self.start = to;
        let payload = &mut self.buffer[from..to];
        unmask(payload, header.mask);
        if header.opcode >= CLOSE || header.fin && self.fragments.is_none() {
            return message(header.opcode, payload).map(|message| Some(Some(message)));
        }
        let fragments = self
            .fragments
            .get_or_insert_with(|| Fragments { opcode: header.opcode, payload: Vec::new() });
        fragments.payload.extend_from_slice(payload);
        match self.fragments.take_if(|_| header.fin) {
            Some(whole) => message(whole.opcode, &whole.payload).map(|message| Some(Some(message))),
            None => Ok(Some(None)),
        }
    }

    /// Whether a frame may come now, judged before its payload is there.
    fn admit(&self, header: &Header) -> Result<(), Fault> {
        if header.opcode >= CLOSE {
            return Ok(());
        }
        match (&self.fragments, header.opcode) {
            (None, CONTINUATION) => return Err(Fault::StrayContinuation),
            (Some(_), TEXT | BINARY) => return Err(Fault::Interleaved),
            _ => {}
        }
        let so_far = self.fragments.as_ref().map_or(0, |fragments| fragments.payload.len());
        if so_far + header.payload > LONGEST_MESSAGE { Err(Fault::TooLong) } else { Ok(()) }
    }

    /// Gives back what was decoded, and most of what a long message needed.
    fn tidy(&mut self) {
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.is_empty() {
            self.buffer.shrink_to(KEPT);
        }
    }
}

/// The header that bytes begin with, if all of it is there and right. What is wrong is said as soon
/// as it can be known.
fn header(bytes: &[u8]) -> Result<Option<Header>, Fault> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let (fin, opcode) = (first & FIN != 0, first & 0x0f);
    if first & 0x70 != 0 {
        return Err(Fault::ReservedBits);
    }
    if !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
        return Err(Fault::UnknownOpcode(opcode));
    }
    if second & MASKED == 0 {
        return Err(Fault::Unmasked);
    }
    let short = usize::from(second & 0x7f);
    if opcode >= CLOSE {
        if !fin {
            return Err(Fault::FragmentedControl);
        }
        if short > LONGEST_CONTROL {
            return Err(Fault::ControlTooLong);
        }
    }
    let (payload, rest) = match short {
        126 => {
            let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
            let length = u16::from_be_bytes(*length);
            (long(length.into(), 126)?, rest)
        }
        127 => {
            let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (long(u64::from_be_bytes(*length), 1 << 16)?, rest)
        }
        _ => (short, rest),
    };
    let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
    Ok(Some(Header { fin, opcode, mask: *mask, size: bytes.len() - rest.len(), payload }))
}

/// A length in one of the longer forms, which is for lengths from `least` on.
fn long(length: u64, least: u64) -> Result<usize, Fault> {
    if length < least || length >> 63 != 0 {
        return Err(Fault::LengthForm);
    }
    usize::try_from(length).ok().filter(|length| *length <= LONGEST_MESSAGE).ok_or(Fault::TooLong)
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let (words, rest) = payload.as_chunks_mut::<4>();
    let key = u32::from_ne_bytes(mask);
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask) {
        *byte ^= key;
    }
}

/// The message of a complete payload.
fn message(opcode: u8, payload: &[u8]) -> Result<Message, Fault> {
    let text = |bytes| std::str::from_utf8(bytes).map(SmolStr::new).map_err(|_| Fault::NotUtf8);
    Ok(match opcode {
        BINARY => Message::Binary(payload.to_vec()),
        CLOSE => match payload {
            [] => Message::Close { code: None, reason: SmolStr::default() },
            [_] => return Err(Fault::CloseTooShort),
            [high, low, reason @ ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                if !may_be_sent(code) {
                    return Err(Fault::CloseCode(code));
                }
                Message::Close { code: Some(code), reason: text(reason)? }
            }
        },
        PING => Message::Ping(payload.to_vec()),
        PONG => Message::Pong(payload.to_vec()),
        _ => Message::Text(text(payload)?),
    })
}

/// Section 7.4 and its registry: 1004 to 1006 and 1015 are for saying that there was no code.
const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Appends a message as a server's frame. A ping, a pong and a reason are cut off at what a control
/// frame can hold; a code is sent as it is, also one that no server should send.
pub fn encode(message: &Message, out: &mut Vec<u8>) {
    match message {
        Message::Binary(bytes) => frame(BINARY, &[bytes], out),
        Message::Close { code: None, .. } => frame(CLOSE, &[], out),
        Message::Close { code: Some(code), reason } => {
            let fits = |n: &usize| reason.is_char_boundary(*n);
            let end = (0..=reason.len().min(LONGEST_CONTROL - 2)).rev().find(fits).unwrap_or(0);
            frame(CLOSE, &[&code.to_be_bytes(), &reason.as_bytes()[..end]], out);
        }
        Message::Ping(bytes) => frame(PING, &[control(bytes)], out),
        Message::Pong(bytes) => frame(PONG, &[control(bytes)], out),
        Message::Text(text) => frame(TEXT, &[text.as_bytes()], out),
    }
}

fn control(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(LONGEST_CONTROL)]
}

fn frame(opcode: u8, payload: &[&[u8]], out: &mut Vec<u8>) {
    let length: usize = payload.iter().map(|part| part.len()).sum();
    out.push(FIN | opcode);
    write_length(length, 0, out);
    for part in payload {
        out.extend_from_slice(part);
    }
}

/// Appends a length in its shortest form; the mask bit is or-ed into its first byte.
fn write_length(length: usize, mask: u8, out: &mut Vec<u8>) {
    // The two casts are of numbers that their arms have bounded.
    match length {
        0..=125 => out.push(mask | length as u8),
        126..=0xffff => {
            out.push(mask | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(mask | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
