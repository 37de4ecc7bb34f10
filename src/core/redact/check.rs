//! Checks that tell a number from a number that looks like one: checksums and entropy.

/// Whether the digits of `text` end in their Luhn check digit (ISO/IEC 7812-1, annex B).
pub(super) fn luhn(text: &str) -> bool {
    let digits = text.bytes().rev().filter(u8::is_ascii_digit).map(|digit| u32::from(digit - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => digit,
            _ if digit < 5 => digit * 2,
            _ => digit * 2 - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether an IBAN without spaces has the right check digits (ISO 13616: modulo 97 is 1).
pub(super) fn mod97(iban: &str) -> bool {
    let (head, body) = iban.split_at_checked(4).unwrap_or((iban, ""));
    let remainder = body.bytes().chain(head.bytes()).try_fold(0_u32, |remainder, byte| match byte {
        b'0'..=b'9' => Some((remainder * 10 + u32::from(byte - b'0')) % 97),
        b'A'..=b'Z' => Some((remainder * 100 + u32::from(byte - b'A') + 10) % 97),
        _ => None,
    });
    remainder == Some(1)
}

/// Shannon entropy of the bytes, bits a byte. English words have about 3, random base64 of 40 bytes about 4.7.
pub(super) fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "lengths of tokens are small")]
    let total = text.len().max(1) as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / total)
        .map(|share| -share * share.log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves the checksums on published examples and that one changed digit breaks them.
    #[test]
    fn checksums_on_published_examples() {
        for card in ["4111111111111111", "5555 5555 5555 4444", "378282246310005", "6011111111111117"] {
            assert!(luhn(card), "{card}");
            assert!(!luhn(&card.replacen('1', "2", 1).replacen("55", "56", 1)), "{card}");
        }
        for iban in ["GB82WEST12345698765432", "DE89370400440532013000", "FR1420041010050500013M02606"] {
            assert!(mod97(iban), "{iban}");
            assert!(!mod97(&iban.replacen('3', "4", 1)), "{iban}");
        }
        assert!(!mod97("GB") && !mod97("gb82west12345698765432"));
    }

    /// Proves the order that the thresholds rely on: repetition, words, random tokens.
    #[test]
    fn entropy_tells_words_from_tokens() {
        assert!(entropy("aaaaaaaaaaaaaaaa") < 0.1);
        assert!(entropy("changeme") < 3.1);
        assert!(entropy("q8Zr2LxW0vTn5KfYb1Hs") > 4.0);
    }
}
