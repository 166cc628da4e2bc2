//! The few fields of a certificate (RFC 5280 §4.1) that webpki does not hand out.

use rustls::crypto::Identity;

/// The end of validity in seconds since 1970, or `None` if the DER is not understood.
pub(crate) fn not_after(certificate: &[u8]) -> Option<u64> {
    let (_, tbs, _) = element(element(certificate)?.1)?;
    let mut rest = tbs;
    if *rest.first()? == 0xa0 {
        rest = element(rest)?.2; // version
    }
    for _ in 0..3 {
        rest = element(rest)?.2; // serialNumber, signature, issuer
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, not_after) = element(validity)?;
    let (tag, text, _) = element(not_after)?;
    time(tag, text)
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

/// Tag, contents, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let size = usize::from(first & 0x7f);
        if size == 0 || size > 3 {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(size)?;
        (bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte)), rest)
    };
    let (contents, after) = rest.split_at_checked(len)?;
    Some((tag, contents, after))
}

/// UTCTime (tag 23) or GeneralizedTime (tag 24), both with seconds and `Z` (RFC 5280 §4.1.2.5).
fn time(tag: u8, text: &[u8]) -> Option<u64> {
    let digits = text.strip_suffix(b"Z")?;
    let (year, rest) = match (tag, digits.len()) {
        (23, 12) => {
            let year = number(&digits[..2])?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        (24, 14) => (number(&digits[..4])?, &digits[4..]),
        _ => return None,
    };
    let mut fields = rest.chunks(2).map(number);
    let mut field = || fields.next().flatten();
    let (month, day, hour, minute, second) = (field()?, field()?, field()?, field()?, field()?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970 by counting years from March, so that the leap day ends a year.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |n, &d| d.is_ascii_digit().then(|| n * 10 + u64::from(d - b'0')))
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_seconds_since_1970() {
        assert_eq!(time(23, b"700101000000Z"), Some(0));
        assert_eq!(time(23, b"240229123456Z"), Some(1_709_210_096));
        assert_eq!(time(23, b"491231235959Z"), Some(2_524_607_999));
        assert_eq!(time(24, b"20500101000000Z"), Some(2_524_608_000));
        assert_eq!(time(24, b"20500101000000"), None);
        assert_eq!(time(23, b"24022912345Z"), None);
        assert_eq!(time(23, b"241329123456Z"), None);
    }
}
