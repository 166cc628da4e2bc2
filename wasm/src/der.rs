//! Elements of DER (X.690), as far as certificates and revocation lists need it.
//!
//! It only walks; what an element means is its caller's.

/// Tag, contents, and what follows.
pub(crate) fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
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

/// The elements of a constructed one; stops at what is none.
pub(crate) fn elements(mut contents: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    core::iter::from_fn(move || {
        let (tag, inner, rest) = element(contents)?;
        contents = rest;
        Some((tag, inner))
    })
}

/// The value of an extension in `Extensions` (RFC 5280 §4.1), the contents of its OCTET STRING.
pub(crate) fn extension<'a>(extensions: &'a [u8], oid: &[u8]) -> Option<&'a [u8]> {
    elements(extensions).find_map(|(_, extension)| {
        let mut fields = elements(extension);
        if fields.next()?.1 != oid {
            return None;
        }
        // A BOOLEAN may stand between: whether it is critical.
        fields.find(|(tag, _)| *tag == 4).map(|(_, value)| value)
    })
}

/// UTCTime (tag 23) or GeneralizedTime (tag 24), both with seconds and `Z` (RFC 5280 §4.1.2.5), in
/// seconds since 1970.
pub(crate) fn time(tag: u8, text: &[u8]) -> Option<u64> {
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
    use super::*;

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

    #[test]
    fn finds_an_extension_that_is_critical_or_not() {
        let extensions = [
            &[0x30, 8, 6, 3, 0x55, 0x1d, 0x13, 4, 1, 9][..],
            &[0x30, 11, 6, 3, 0x55, 0x1d, 0x11, 1, 1, 0xff, 4, 1, 7],
        ]
        .concat();
        assert_eq!(extension(&extensions, &[0x55, 0x1d, 0x13]), Some(&[9][..]));
        assert_eq!(extension(&extensions, &[0x55, 0x1d, 0x11]), Some(&[7][..]));
        assert_eq!(extension(&extensions, &[0x55, 0x1d, 0x14]), None);
        assert_eq!(extension(&extensions[..12], &[0x55, 0x1d, 0x11]), None);
    }
}
