//! The ClientHello as the host needs it before rustls sees it: who is asked for, and which
//! sessions are offered. rustls's own view shows neither session ids nor PSK identities.
//!
//! Rules: only reads, consumes nothing; the message may be spread over records (RFC 8446 §5.1);
//! every length is checked; unknown extensions and GREASE are passed over. What rustls will refuse
//! need not be refused here: a hello that is not understood offers no session.

/// Above this a hello is not waited for (RFC 8446 allows more, nobody sends it).
const MAX_HELLO: usize = 64 * 1024;
/// A handshake message's type and length (RFC 8446 §4).
const HEAD: usize = 4;
/// PSK identities that are looked at (RFC 8446 §4.2.11 puts no limit).
const MAX_IDENTITIES: usize = 2;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const PSK_DHE_KE: u8 = 1;

mod extension {
    pub(super) const SERVER_NAME: u16 = 0;
    pub(super) const ALPN: u16 = 16;
    pub(super) const SESSION_TICKET: u16 = 35;
    pub(super) const PRE_SHARED_KEY: u16 = 41;
    pub(super) const EARLY_DATA: u16 = 42;
    pub(super) const SUPPORTED_VERSIONS: u16 = 43;
    pub(super) const PSK_KEY_EXCHANGE_MODES: u16 = 45;
}

#[derive(Debug, Default, PartialEq)]
pub(crate) struct ClientHello {
    pub(crate) server_name: Option<String>,
    pub(crate) alpn_protocols: Vec<Vec<u8>>,
    /// Empty where the client knows TLS 1.2 tickets: what it has of ours is one, and its session
    /// id is made up (RFC 5077 §3.4).
    pub(crate) session_id: Vec<u8>,
    /// TLS 1.2 session ticket (RFC 5077), if one is offered.
    pub(crate) ticket: Vec<u8>,
    /// The first PSK identities, if psk_dhe_ke is offered with them.
    pub(crate) identities: Vec<Vec<u8>>,
    pub(crate) early_data: bool,
    pub(crate) tls13: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Parsed {
    /// More bytes are needed.
    Partial,
    Hello(ClientHello),
    /// Left to rustls, which says what is wrong.
    NotUnderstood,
}

/// Reads the start of what a client sent, as it grows: each record is looked at once, however small
/// the pieces are in which it comes, and nothing is copied before the message is complete.
#[derive(Default)]
pub(crate) struct HelloReader {
    /// The message's type and length, as far as they are there.
    head: [u8; HEAD],
    /// Bytes of the message in the records read so far.
    have: usize,
    /// Records read so far, in bytes.
    at: usize,
}

impl HelloReader {
    /// `records`: everything that was received, from the start.
    pub(crate) fn read(&mut self, records: &[u8]) -> Parsed {
        loop {
            if self.have >= HEAD {
                let [kind, length @ ..] = self.head;
                let [high, middle, low] = length.map(usize::from);
                let length = high << 16 | middle << 8 | low;
                if kind != CLIENT_HELLO || length > MAX_HELLO {
                    return Parsed::NotUnderstood;
                }
                if self.have >= HEAD + length {
                    let message = self.message(records);
                    return hello(&message[HEAD..HEAD + length])
                        .map_or(Parsed::NotUnderstood, Parsed::Hello);
                }
            }
            let rest = &records[self.at..];
            let Some((header, after)) = rest.split_first_chunk::<5>() else {
                // What cannot be the header of a handshake record need not be waited for.
                let wrong = rest.first().is_some_and(|&kind| kind != HANDSHAKE);
                return if wrong { Parsed::NotUnderstood } else { Parsed::Partial };
            };
            let length = record_length(header);
            if header[0] != HANDSHAKE || header[1] != 3 || length == 0 || length > 1 << 14 {
                return Parsed::NotUnderstood;
            }
            let Some(fragment) = after.get(..length) else {
                return Parsed::Partial;
            };
            for (slot, &byte) in self.head.iter_mut().skip(self.have).zip(fragment) {
                *slot = byte;
            }
            self.have += length;
            self.at += header.len() + length;
        }
    }

    /// What the records read so far carry.
    fn message(&self, records: &[u8]) -> Vec<u8> {
        let mut message = Vec::with_capacity(self.have);
        let mut rest = &records[..self.at];
        while let Some((header, after)) = rest.split_first_chunk::<5>() {
            let (fragment, next) = after.split_at(record_length(header));
            message.extend_from_slice(fragment);
            rest = next;
        }
        message
    }
}

fn record_length(header: &[u8; 5]) -> usize {
    usize::from(u16::from_be_bytes([header[3], header[4]]))
}

fn hello(body: &[u8]) -> Option<ClientHello> {
    let mut reader = Reader(body);
    let mut hello = ClientHello::default();
    reader.take(2 + 32)?; // legacy_version, random
    hello.session_id = reader.vector(1)?.to_vec();
    reader.vector(2)?; // cipher_suites
    reader.vector(1)?; // compression_methods
    if reader.0.is_empty() {
        return Some(hello);
    }
    let mut extensions = Reader(reader.vector(2)?);
    let mut psk_dhe_ke = false;
    let mut identities = Vec::new();
    while !extensions.0.is_empty() {
        let kind = extensions.length(2)? as u16;
        let mut data = Reader(extensions.vector(2)?);
        match kind {
            extension::SERVER_NAME => hello.server_name = server_name(data),
            extension::ALPN => {
                let mut list = Reader(data.vector(2)?);
                while !list.0.is_empty() {
                    hello.alpn_protocols.push(list.vector(1)?.to_vec());
                }
            }
            extension::SESSION_TICKET => {
                hello.ticket = data.0.to_vec();
                hello.session_id.clear();
            }
            extension::PRE_SHARED_KEY => {
                let mut list = Reader(data.vector(2)?);
                while !list.0.is_empty() && identities.len() < MAX_IDENTITIES {
                    identities.push(list.vector(2)?.to_vec());
                    list.take(4)?; // obfuscated_ticket_age
                }
            }
            extension::EARLY_DATA => hello.early_data = true,
            extension::SUPPORTED_VERSIONS => {
                hello.tls13 = data.vector(1)?.chunks_exact(2).any(|version| version == [3, 4]);
            }
            extension::PSK_KEY_EXCHANGE_MODES => psk_dhe_ke = data.vector(1)?.contains(&PSK_DHE_KE),
            _ => {}
        }
    }
    if psk_dhe_ke {
        hello.identities = identities;
    }
    Some(hello)
}

/// The one host name (RFC 6066 §3), in lower case. An IP address, or anything else that is no
/// host name, is none: rustls ignores the former and refuses the rest.
fn server_name(mut data: Reader<'_>) -> Option<String> {
    let mut list = Reader(data.vector(2)?);
    while !list.0.is_empty() {
        let kind = list.length(1)?;
        let name = list.vector(2)?;
        if kind == 0 {
            let name = core::str::from_utf8(name).ok()?;
            let name = pki_types::DnsName::try_from(name).ok()?;
            return Some(name.as_ref().to_ascii_lowercase());
        }
    }
    None
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    fn length(&mut self, size: usize) -> Option<usize> {
        let bytes = self.take(size)?;
        Some(bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte)))
    }

    fn vector(&mut self, size: usize) -> Option<&'a [u8]> {
        let length = self.length(size)?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(records: &[u8]) -> Parsed {
        HelloReader::default().read(records)
    }

    fn vector(size: usize, bytes: &[u8]) -> Vec<u8> {
        let length = (bytes.len() as u32).to_be_bytes();
        [&length[4 - size..], bytes].concat()
    }

    fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &vector(2, data)].concat()
    }

    fn message(extensions: &[u8]) -> Vec<u8> {
        let body = [
            &[3, 3][..],
            &[9; 32],
            &vector(1, &[5; 32]),
            &vector(2, &[0x13, 1]),
            &vector(1, &[0]),
            &vector(2, extensions),
        ]
        .concat();
        [&[CLIENT_HELLO][..], &vector(3, &body)].concat()
    }

    fn record(fragment: &[u8]) -> Vec<u8> {
        [&[HANDSHAKE, 3, 1][..], &vector(2, fragment)].concat()
    }

    fn sample() -> Vec<u8> {
        let identity = |id: u8| [&vector(2, &[id; 40])[..], &[0; 4]].concat();
        let list = [identity(1), identity(2), identity(3)].concat();
        message(
            &[
                extension(0x0a0a, &[]),
                extension(0, &vector(2, &[&[0][..], &vector(2, b"A.Example")].concat())),
                extension(16, &vector(2, &vector(1, b"h2"))),
                extension(43, &vector(1, &[0x7a, 0x7a, 3, 4])),
                extension(45, &vector(1, &[1])),
                extension(42, &[]),
                extension(41, &[vector(2, &list), vector(2, &vector(1, &[0; 32]))].concat()),
            ]
            .concat(),
        )
    }

    #[test]
    fn reads_a_hello_over_any_records() {
        let message = sample();
        for size in [1, 3, 7, 100, message.len()] {
            let records: Vec<u8> = message.chunks(size).flat_map(record).collect();
            let Parsed::Hello(hello) = parse(&records) else { panic!("not parsed") };
            assert_eq!(hello.server_name.as_deref(), Some("a.example"));
            assert_eq!(hello.alpn_protocols, [b"h2"]);
            assert_eq!(hello.identities, [vec![1; 40], vec![2; 40]]);
            assert!(hello.early_data && hello.tls13);
            assert_eq!(hello.session_id, [5; 32]);
            let mut reader = HelloReader::default();
            for len in 0..records.len() {
                assert_eq!(reader.read(&records[..len]), Parsed::Partial, "{len}");
            }
            assert_eq!(reader.read(&records), Parsed::Hello(hello));
        }
    }

    #[test]
    fn offers_no_identities_without_psk_dhe_ke() {
        let list = [&vector(2, &[1; 40])[..], &[0; 4]].concat();
        let records = record(&message(&extension(41, &vector(2, &list))));
        let Parsed::Hello(hello) = parse(&records) else { panic!("not parsed") };
        assert!(hello.identities.is_empty());
    }

    #[test]
    fn leaves_what_it_does_not_understand_to_rustls() {
        assert_eq!(parse(b"GET / HTTP/1.1\r\n"), Parsed::NotUnderstood);
        assert_eq!(parse(&record(&[2, 0, 0, 0])), Parsed::NotUnderstood);
        assert_eq!(parse(&record(&[1, 1, 0, 1])), Parsed::NotUnderstood);
        let mut bad = sample();
        let end = bad.len();
        bad.truncate(end - 1);
        bad[3] -= 1; // the message is one byte short, so a length inside points past its end
        assert_eq!(parse(&record(&bad)), Parsed::NotUnderstood);
    }

    #[test]
    fn never_panics_on_a_flipped_byte() {
        let records = record(&sample());
        for at in 0..records.len() {
            for flip in [1, 0x80, 0xff] {
                let mut flipped = records.clone();
                flipped[at] ^= flip;
                let _ = parse(&flipped);
            }
        }
    }
}
