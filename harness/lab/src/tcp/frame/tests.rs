//! The codec: the examples of RFC 6455, every fault, any split, any bytes.
//!
//! Not responsible for sockets.
//!
//! Invariant: a client's frames are made here by other code than that which reads them.

use super::*;
use proptest::prelude::*;

/// One frame of a client, as the RFC draws it.
fn client_frame(fin: bool, opcode: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![if fin { 0x80 } else { 0 } | opcode];
    match payload.len() {
        short @ ..=125 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        medium @ ..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend(u64::try_from(long).unwrap().to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().enumerate().map(|(n, byte)| byte ^ mask[n % 4]));
    bytes
}

fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    client_frame(true, opcode, payload, [1, 2, 3, 4])
}

/// All messages of some bytes, and the fault that ends them.
fn decode<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Message>, Option<Fault>) {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    for part in parts {
        decoder.push(part);
        loop {
            match decoder.message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(fault) => return (messages, Some(fault)),
            }
        }
    }
    (messages, None)
}

fn check(bytes: &[u8], expected: &[Message]) {
    assert_eq!(decode([bytes]), (expected.to_vec(), None));
}

fn check_fault(bytes: &[u8], expected: Fault) {
    assert_eq!(decode([bytes]), (Vec::new(), Some(expected)));
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    assert_eq!(decoder.message(), Err(expected));
    // Nothing mends it.
    decoder.push(&masked(TEXT, b"late"));
    assert_eq!(decoder.message(), Err(expected));
}

fn text(text: &str) -> Message {
    Message::Text(text.into())
}

#[test]
fn the_examples_of_the_rfc_are_decoded() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    check(&hello, &[text("Hello")]);
    let pong = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    check(&pong, &[Message::Pong(b"Hello".to_vec())]);
    let fragments = [client_frame(false, 1, b"Hel", [9; 4]), client_frame(true, 0, b"lo", [7; 4])];
    check(&fragments.concat(), &[text("Hello")]);
    for length in [256, 65_536] {
        let bytes = vec![0xaa; length];
        check(&masked(2, &bytes), &[Message::Binary(bytes)]);
    }
}

#[test]
fn the_examples_of_the_rfc_are_encoded() {
    fn check(message: &Message, expected: &[u8]) {
        let mut bytes = Vec::new();
        encode(message, &mut bytes);
        assert_eq!(bytes, expected);
    }
    check(&text("Hello"), &[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    check(&Message::Ping(b"Hello".to_vec()), &[0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    check(&Message::Pong(b"Hello".to_vec()), &[0x8a, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    let bytes = vec![5; 256];
    check(&Message::Binary(bytes.clone()), &[&[0x82, 0x7e, 0x01, 0x00], &bytes[..]].concat());
    let bytes = vec![5; 65_536];
    let head = [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0];
    check(&Message::Binary(bytes.clone()), &[&head, &bytes[..]].concat());
    check(&Message::Close { code: None, reason: "x".into() }, &[0x88, 0]);
    check(&Message::Close { code: Some(4001), reason: "x".into() }, &[0x88, 3, 0x0f, 0xa1, b'x']);
}

#[test]
fn control_frames_are_never_too_long() {
    let mut bytes = Vec::new();
    encode(&Message::Pong(vec![1; 126]), &mut bytes);
    assert_eq!((bytes[1], bytes.len()), (125, 127));
    bytes.clear();
    // The cut would be within a letter of two bytes.
    let reason = format!("{}\u{e9}x", "a".repeat(122));
    encode(&Message::Close { code: Some(1000), reason: reason.into() }, &mut bytes);
    assert_eq!((bytes[1], bytes.len()), (124, 126));
}

#[test]
fn a_control_frame_may_come_between_fragments() {
    let frames = [
        client_frame(false, 1, b"Hel", [1; 4]),
        masked(9, b"there?"),
        client_frame(false, 0, b"", [2; 4]),
        masked(10, b""),
        client_frame(true, 0, b"lo", [3; 4]),
        masked(8, &[0x03, 0xe8, b'b', b'y', b'e']),
    ];
    check(
        &frames.concat(),
        &[
            Message::Ping(b"there?".to_vec()),
            Message::Pong(Vec::new()),
            text("Hello"),
            Message::Close { code: Some(1000), reason: "bye".into() },
        ],
    );
    check(&masked(8, &[]), &[Message::Close { code: None, reason: "".into() }]);
}

#[test]
fn a_letter_may_be_split_over_fragments() {
    let frames = [client_frame(false, 1, &[0xc3], [1; 4]), client_frame(true, 0, &[0xa9], [1; 4])];
    check(&frames.concat(), &[text("\u{e9}")]);
}

#[test]
fn faults_are_named() {
    check_fault(&[0x81, 0x05], Fault::Unmasked);
    check_fault(&[0xc1, 0x85], Fault::ReservedBits);
    check_fault(&[0x91, 0x85], Fault::ReservedBits);
    check_fault(&[0x83, 0x85], Fault::UnknownOpcode(3));
    check_fault(&[0x8b, 0x85], Fault::UnknownOpcode(11));
    check_fault(&[0x09, 0x80], Fault::FragmentedControl);
    check_fault(&[0x89, 0xfe], Fault::ControlTooLong);
    check_fault(&masked(0, b"lo"), Fault::StrayContinuation);
    let mixed = [client_frame(false, 1, b"Hel", [1; 4]), masked(2, b"lo")];
    check_fault(&mixed.concat(), Fault::Interleaved);
    check_fault(&masked(1, &[0xff]), Fault::NotUtf8);
    check_fault(&masked(8, &[0x03]), Fault::CloseTooShort);
    check_fault(&masked(8, &[0x03, 0xe8, 0xff]), Fault::NotUtf8);
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
        check_fault(&masked(8, &code.to_be_bytes()), Fault::CloseCode(code));
    }
    check_fault(&[0x82, 0xfe, 0, 125], Fault::LengthForm);
    check_fault(&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Fault::LengthForm);
    check_fault(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], Fault::LengthForm);
    check_fault(&[0x82, 0xff, 0, 0, 0, 0, 0, 0x11, 0, 1], Fault::TooLong);
}

#[test]
fn the_longest_message_is_decoded_and_no_longer_one() {
    let longest = vec![b'a'; LONGEST_MESSAGE];
    let (messages, fault) = decode(masked(1, &longest).chunks(60_000));
    assert_eq!((messages.len(), fault), (1, None));
    let mut fragments = client_frame(false, 1, &longest, [1; 4]);
    // Judged by its header: the byte itself has not come.
    fragments.extend([0x80, 0x81, 1, 2, 3, 4]);
    check_fault(&fragments, Fault::TooLong);
}

#[test]
fn a_long_message_leaves_no_memory_behind() {
    let mut decoder = Decoder::default();
    decoder.push(&masked(2, &vec![0; 1 << 20]));
    assert!(matches!(decoder.message(), Ok(Some(Message::Binary(_)))));
    assert_eq!(decoder.message(), Ok(None));
    assert!(decoder.buffer.capacity() <= KEPT);
}

/// A message with the frames that a client makes of it: fragments, with pings in between.
fn sent() -> impl Strategy<Value = (Vec<Message>, Vec<u8>)> {
    let message = prop_oneof![
        "[ -~é]{0,300}".prop_map(|text| Message::Text(text.into())),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Message::Binary),
        prop::collection::vec(any::<u8>(), 65_530..65_540).prop_map(Message::Binary),
        prop::collection::vec(any::<u8>(), 0..=125).prop_map(Message::Ping),
        prop::collection::vec(any::<u8>(), 0..=125).prop_map(Message::Pong),
        (3000_u16..5000, "[a-zé]{0,60}")
            .prop_map(|(code, reason)| Message::Close { code: Some(code), reason: reason.into() }),
    ];
    let cuts = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..4);
    (message, cuts, any::<[u8; 4]>()).prop_map(|(message, cuts, mask)| {
        let (opcode, payload) = match &message {
            Message::Text(text) => (1, text.as_bytes().to_vec()),
            Message::Binary(bytes) => (2, bytes.clone()),
            Message::Ping(bytes) => (9, bytes.clone()),
            Message::Pong(bytes) => (10, bytes.clone()),
            Message::Close { code, reason } => {
                (8, [&code.unwrap().to_be_bytes(), reason.as_bytes()].concat())
            }
        };
        if opcode >= 8 {
            return (vec![message], client_frame(true, opcode, &payload, mask));
        }
        let mut cuts: Vec<(usize, bool)> =
            cuts.into_iter().map(|(at, ping)| (at.index(payload.len() + 1), ping)).collect();
        cuts.sort_unstable();
        let (mut messages, mut bytes, mut from) = (Vec::new(), Vec::new(), 0);
        let kind = |from_start: bool| if from_start { opcode } else { 0 };
        for (n, (at, ping)) in cuts.iter().enumerate() {
            bytes.extend(client_frame(false, kind(n == 0), &payload[from..*at], mask));
            if *ping {
                bytes.extend(client_frame(true, 9, b"?", mask));
                messages.push(Message::Ping(b"?".to_vec()));
            }
            from = *at;
        }
        bytes.extend(client_frame(true, kind(cuts.is_empty()), &payload[from..], mask));
        messages.push(message);
        (messages, bytes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_decodes_to_the_same(
        sent in prop::collection::vec(sent(), 0..6),
        steps in prop::collection::vec(1_usize..2000, 1..20),
    ) {
        let (messages, bytes): (Vec<_>, Vec<_>) = sent.into_iter().unzip();
        let (messages, bytes) = (messages.concat(), bytes.concat());
        let mut parts = Vec::new();
        let (mut rest, mut steps) = (&bytes[..], steps.into_iter().cycle());
        while !rest.is_empty() {
            let (part, after) = rest.split_at(steps.next().unwrap().min(rest.len()));
            parts.push(part);
            rest = after;
        }
        prop_assert_eq!(decode(parts), (messages, None));
    }

    #[test]
    fn any_bytes_decode_or_fault(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let whole = decode([&bytes[..]]);
        prop_assert_eq!(decode(bytes.chunks(1)), whole);
    }

    #[test]
    fn a_damaged_frame_decodes_or_faults(
        (_, bytes) in sent(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let mut bytes = bytes;
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let whole = decode([&bytes[..]]);
        prop_assert_eq!(decode(bytes.chunks(777)), whole);
    }
}
