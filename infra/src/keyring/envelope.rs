//! The bytes of a sealed field: version, generation, bucket, salt, commitment, ciphertext with tag.

use domain::privacy::Class;

const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;

/// The header of an envelope. Do not trust it before the commitment and the tag are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Envelope<'a> {
    pub generation: i64,
    /// Days since 1970-01-01 to the first of the bucket; 0 where the class has none.
    pub bucket: i64,
    pub salt: &'a [u8; 32],
    pub commitment: &'a [u8; 32],
    pub ciphertext: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// `None` for anything that was not written by [`Envelope::to_bytes`] for this class.
    pub fn parse(bytes: &'a [u8], class: Class) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (generation, rest) = rest.split_first_chunk::<4>()?;
        let (bucket, rest) = rest.split_first_chunk::<4>()?;
        let (salt, rest) = rest.split_first_chunk::<32>()?;
        let (commitment, ciphertext) = rest.split_first_chunk::<32>()?;
        let generation = i64::from(u32::from_be_bytes(*generation));
        let bucket = i64::from(u32::from_be_bytes(*bucket));
        let fits = *version == VERSION
            && generation > 0
            && class.bucket().is_some() == (bucket > 0)
            && ciphertext.len() >= TAG_BYTES;
        fits.then_some(Self { generation, bucket, salt, commitment, ciphertext })
    }

    /// `None` for a generation or a bucket beyond what 32 bits count.
    pub fn to_bytes(self) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(73 + self.ciphertext.len());
        bytes.push(VERSION);
        bytes.extend(u32::try_from(self.generation).ok()?.to_be_bytes());
        bytes.extend(u32::try_from(self.bucket).ok()?.to_be_bytes());
        bytes.extend_from_slice(self.salt);
        bytes.extend_from_slice(self.commitment);
        bytes.extend_from_slice(self.ciphertext);
        Some(bytes)
    }
}
