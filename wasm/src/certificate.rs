//! The few fields of a certificate (RFC 5280 §4.1) that webpki does not hand out.

use ring::digest::{Context, SHA256};
use rustls::crypto::Identity;

use crate::der::{element, elements, extension, time};
use crate::sort::sort_by;

/// subjectAltName (RFC 5280 §4.2.1.6).
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// `[2]`: dNSName, of which case means nothing.
const DNS_NAME: u8 = 0x82;
/// `[3]`, constructed: extensions of a TBSCertificate.
const EXTENSIONS: u8 = 0xa3;

/// The fields of a TBSCertificate from `validity` on.
fn from_validity(certificate: &[u8]) -> Option<&[u8]> {
    let (_, tbs, _) = element(element(certificate)?.1)?;
    let mut rest = tbs;
    if *rest.first()? == 0xa0 {
        rest = element(rest)?.2; // version
    }
    for _ in 0..3 {
        rest = element(rest)?.2; // serialNumber, signature, issuer
    }
    Some(rest)
}

/// The end of validity in seconds since 1970, or `None` if the DER is not understood.
pub(crate) fn not_after(certificate: &[u8]) -> Option<u64> {
    let (_, validity, _) = element(from_validity(certificate)?)?;
    let (_, _, not_after) = element(validity)?;
    let (tag, text, _) = element(not_after)?;
    time(tag, text)
}

/// A digest of whom a certificate stands for: of its names, in any order; where it has none, of its
/// public key. Two certificates for the same names stand for the same, whatever their keys are. `None`
/// if the DER is not understood.
pub(crate) fn holder(certificate: &[u8]) -> Option<[u8; 32]> {
    let (_, _, rest) = element(from_validity(certificate)?)?;
    let (_, _, rest) = element(rest)?; // subject
    let (_, public_key, rest) = element(rest)?;
    let names = elements(rest)
        .find(|(tag, _)| *tag == EXTENSIONS)
        .and_then(|(_, list)| extension(element(list)?.1, SUBJECT_ALT_NAME))
        .and_then(|value| element(value))
        .map_or(&[][..], |(_, names, _)| names);
    let mut names: Vec<(u8, Vec<u8>)> = elements(names)
        .map(|(tag, name)| match tag {
            DNS_NAME => (tag, name.to_ascii_lowercase()),
            _ => (tag, name.to_vec()),
        })
        .collect();
    sort_by(&mut names, |a, b| a <= b);
    names.dedup();
    let mut digest = Context::new(&SHA256);
    if names.is_empty() {
        digest.update(b"key");
        digest.update(public_key);
    }
    for (tag, name) in &names {
        digest.update(&[*tag]);
        digest.update(&(name.len() as u32).to_be_bytes());
        digest.update(name);
    }
    digest.finish().as_ref().try_into().ok()
}

/// A chain for the host, end entity first: each a length of 3 bytes and the DER.
pub(crate) fn list(identity: Option<&Identity<'_>>) -> Vec<u8> {
    let mut list = Vec::new();
    if let Some(Identity::X509(chain)) = identity {
        for der in core::iter::once(&chain.end_entity).chain(&chain.intermediates) {
            list.extend_from_slice(&(der.len() as u32).to_be_bytes()[1..]);
            list.extend_from_slice(der);
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
        assert!(contents.len() < 0x80);
        [&[tag, contents.len() as u8][..], contents].concat()
    }

    fn certificate(key: &[u8], names: &[(u8, &[u8])]) -> Vec<u8> {
        let names: Vec<u8> = names.iter().flat_map(|(tag, name)| tlv(*tag, name)).collect();
        let value = tlv(4, &tlv(0x30, &names));
        let extension = tlv(0x30, &[tlv(6, SUBJECT_ALT_NAME), value].concat());
        let validity = [tlv(23, b"240229123456Z"), tlv(23, b"491231235959Z")].concat();
        let mut tbs = [
            tlv(0xa0, &[2, 1, 2]),
            tlv(2, &[1]),
            tlv(0x30, &[]),
            tlv(0x30, &[]),
            tlv(0x30, &validity),
            tlv(0x30, &[]),
            tlv(0x30, key),
        ]
        .concat();
        if !names.is_empty() {
            tbs.extend_from_slice(&tlv(EXTENSIONS, &tlv(0x30, &extension)));
        }
        // Longer than a short length holds.
        let long = |contents: &[u8]| {
            [&[0x30, 0x82][..], &(contents.len() as u16).to_be_bytes(), contents].concat()
        };
        long(&long(&tbs))
    }

    #[test]
    fn a_certificate_stands_for_its_names_in_any_order_and_case() {
        let one = certificate(b"k1", &[(DNS_NAME, b"a.example"), (DNS_NAME, b"b.example")]);
        let same = certificate(b"k2", &[(DNS_NAME, b"B.example"), (DNS_NAME, b"A.EXAMPLE")]);
        let fewer = certificate(b"k1", &[(DNS_NAME, b"a.example")]);
        let address = certificate(b"k1", &[(0x87, b"a.example"), (DNS_NAME, b"b.example")]);
        assert_eq!(not_after(&one), Some(2_524_607_999));
        assert!(holder(&one).is_some());
        assert_eq!(holder(&one), holder(&same));
        assert_ne!(holder(&one), holder(&fewer));
        assert_ne!(holder(&one), holder(&address));
    }

    #[test]
    fn a_certificate_without_names_stands_for_its_key() {
        let one = certificate(b"k1", &[]);
        assert_eq!(holder(&one), holder(&certificate(b"k1", &[])));
        assert_ne!(holder(&one), holder(&certificate(b"k2", &[])));
        assert_ne!(holder(&one), holder(&certificate(b"k1", &[(DNS_NAME, b"k1")])));
        assert_eq!(holder(&one[..one.len() - 1]), None);
    }
}
