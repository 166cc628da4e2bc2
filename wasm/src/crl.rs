//! Certificate revocation lists, the newest of each issuer first.
//!
//! webpki 0.104.0-alpha.7 asks the first list that it finds for a certificate's issuer, whatever its
//! number: an older one, listed before a newer one, would let a revoked certificate pass.

use pki_types::CertificateRevocationListDer;

use crate::der::{element, elements, extension, time};
use crate::sort::sort_by;

/// cRLNumber (RFC 5280 §5.2.3).
const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 0x14];
/// `[0]`, constructed: extensions of a TBSCertList.
const EXTENSIONS: u8 = 0xa0;

/// By number, the highest first; those of the same number, or without one, by their time.
pub(crate) fn newest_first(lists: &mut [CertificateRevocationListDer<'_>]) {
    sort_by(lists, |a, b| version(a) >= version(b));
}

/// What says which of two lists is newer: the number without leading zeros, compared by its length
/// first, and thisUpdate.
fn version(der: &[u8]) -> Option<(usize, Vec<u8>, u64)> {
    let (_, list, _) = element(element(der)?.1)?;
    let mut rest = list;
    if *rest.first()? == 2 {
        rest = element(rest)?.2; // version
    }
    for _ in 0..2 {
        rest = element(rest)?.2; // signature, issuer
    }
    let (tag, this_update, rest) = element(rest)?;
    let number = elements(rest)
        .find(|(tag, _)| *tag == EXTENSIONS)
        .and_then(|(_, extensions)| extension(element(extensions)?.1, CRL_NUMBER))
        .and_then(|value| element(value))
        .map_or(&[][..], |(_, number, _)| number);
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = number[zeros..].to_vec();
    Some((number.len(), number, time(tag, this_update)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
        assert!(contents.len() < 0x80);
        [&[tag, contents.len() as u8][..], contents].concat()
    }

    fn list(number: &[u8], this_update: &[u8]) -> CertificateRevocationListDer<'static> {
        let mut tbs = [tlv(2, &[1]), tlv(0x30, &[]), tlv(0x30, &[]), tlv(23, this_update)].concat();
        tbs.extend_from_slice(&tlv(23, b"491231235959Z"));
        if !number.is_empty() {
            let value = tlv(4, &tlv(2, number));
            let extension = tlv(0x30, &[tlv(6, CRL_NUMBER), value].concat());
            tbs.extend_from_slice(&tlv(EXTENSIONS, &tlv(0x30, &extension)));
        }
        tlv(0x30, &tlv(0x30, &tbs)).into()
    }

    #[test]
    fn the_highest_number_is_first_and_then_the_latest() {
        let ordered = [
            list(&[1, 0, 0], b"240101000000Z"),
            list(&[0, 0xff], b"250101000000Z"),
            list(&[9], b"260101000001Z"),
            list(&[9], b"260101000000Z"),
            list(&[], b"270101000000Z"),
            list(&[], b"250101000000Z"),
        ];
        for turn in 0..ordered.len() {
            let mut lists = ordered.to_vec();
            lists.rotate_left(turn);
            newest_first(&mut lists);
            assert_eq!(lists, ordered, "{turn}");
            lists.reverse();
            newest_first(&mut lists);
            assert_eq!(lists, ordered, "{turn}");
        }
    }
}
