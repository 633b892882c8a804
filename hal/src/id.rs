//! Names of things that cross the seam: fixed-size, comparable, printable.

use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Chosen by the core for an op, returned by the machine with its event. The machine does not look into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

/// An open volume. Chosen by the core; never used again after it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeId(pub u32);

/// A link. Chosen by the core when it dials (even numbers), by the machine when it accepts (odd numbers); never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// A door through which a recorder's bytes come in. Chosen by the core; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedId(pub u32);

/// An open card. Chosen by the core; never used again after it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardId(pub u32);

/// A program connected to the control socket. Chosen by the machine, in the order in which they come; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// Text that is not the hexadecimal form of the id it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the hexadecimal digits of an id")
    }
}

impl core::error::Error for ParseIdError {}

/// Defines an id of `$length` bytes whose text form is lower-case hexadecimal, with dashes after the bytes in `$dashes`.
macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $length:literal, $text:literal, $dashes:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $length]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let dashes: &[usize] = &$dashes;
                for (index, byte) in self.0.iter().enumerate() {
                    if dashes.contains(&index) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            /// Takes upper and lower case, with or without dashes and colons.
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let mut id = [0u8; $length];
                let mut nibbles = 0;
                for character in text.chars().filter(|c| !matches!(c, '-' | ':')) {
                    let digit = character.to_digit(16).ok_or(ParseIdError)?;
                    let byte = id.get_mut(nibbles / 2).ok_or(ParseIdError)?;
                    *byte = *byte << 4 | u8::try_from(digit).map_err(|_| ParseIdError)?;
                    nibbles += 1;
                }
                if nibbles == 2 * $length { Ok(Self(id)) } else { Err(ParseIdError) }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serde::Serialize::serialize(&self.0[..], serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::Error;
                if deserializer.is_human_readable() {
                    let text = <alloc::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                    text.parse().map_err(D::Error::custom)
                } else {
                    let bytes = <&[u8]>::deserialize(deserializer)?;
                    bytes.try_into().map(Self).map_err(|_| D::Error::custom($text))
                }
            }
        }
    };
}

hex_id! {
    /// Identity of an archive (RFC 9562 form).
    Uuid, 16, "a UUID has 16 bytes", [4, 6, 8, 10]
}

hex_id! {
    /// A BLAKE3 hash.
    Digest, 32, "a digest has 32 bytes", []
}

hex_id! {
    /// BLAKE3 of a public key in SubjectPublicKeyInfo form: who an appliance is.
    Fingerprint, 32, "a fingerprint has 32 bytes", []
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn text_goes_there_and_back() {
        let uuid = Uuid([0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(uuid.to_string(), "12345678-9abc-def0-0102-030405060708");
        assert_eq!(uuid.to_string().parse(), Ok(uuid));
        assert_eq!("123456789ABCDEF00102030405060708".parse(), Ok(uuid));
        assert_eq!("12345678".parse::<Uuid>(), Err(ParseIdError));
        assert_eq!((uuid.to_string() + "00").parse::<Uuid>(), Err(ParseIdError));
        assert_eq!("zz345678-9abc-def0-0102-030405060708".parse::<Uuid>(), Err(ParseIdError));
    }
}
