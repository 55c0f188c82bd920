//! Hand-over parcels: bundles, encrypted to the server, which somebody else carries.
//!
//! Format: `docs/protocol.md`, "Hand-over". Does not judge bundles, which prove themselves, and stores nothing. Invariants: a carrier
//! learns only the recipient and the size of a parcel; no more is read, unpacked or kept than the limits allow, whatever the bytes claim.
//! Read next: `qr.rs`.

use std::convert::Infallible;
use std::io::Read;

use ed25519_dalek::{SigningKey, VerifyingKey};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use minicbor::Decoder;
use minicbor::bytes::ByteSlice;
use sha2::{Digest, Sha256};

use super::RefusalCode;
use crate::codec::encode;
use crate::environment::Environment;
use crate::limits::{MAX_BODY_BYTES, MAX_BUNDLES, MAX_PARCEL_BYTES};
use crate::units::{OrganisationId, ParcelId};

/// Version of the parcel form that this build writes and reads.
pub const PARCEL_VERSION: u8 = 1;

const MAGIC: &[u8; 4] = b"FTPL";
/// Purpose of the encryption (HPKE `info`): what is encrypted for this purpose cannot be decrypted for any other.
const PURPOSE: &[u8] = b"farmtally parcel 1\0";
/// Magic, version, organisation, fingerprint of the server's key, length of the rest.
const HEADER_BYTES: usize = 4 + 1 + 16 + 8 + 4;
/// One-time public key of the sender, and tag of the cipher.
const BOX_BYTES: usize = 32 + 16;

/// Reason why a parcel or QR frame was not accepted. Nothing is lost: the sender still has everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandoverError {
    /// Not a parcel or QR frame, truncated, or the content is not a list of bundles.
    #[error("not a parcel, or incomplete: export it again")]
    Unreadable,
    /// Version 0, or a version newer than this build.
    #[error("this program does not know the parcel's version: update it")]
    UnknownVersion,
    /// Larger than the limit.
    #[error("the parcel is too large")]
    TooLarge,
    /// Meant for another organisation.
    #[error("the parcel belongs to another organisation")]
    ForeignOrganisation,
    /// Encrypted to another server's key; or the key is not a valid one.
    #[error("the parcel is meant for another server")]
    ForeignServer,
    /// Changed in transit: it cannot be decrypted, or its QR frames contradict each other.
    #[error("the parcel was changed on its way")]
    Damaged,
}

impl HandoverError {
    /// Returns the error's stable code.
    pub fn code(self) -> RefusalCode {
        match self {
            Self::Unreadable => RefusalCode::ParcelUnreadable,
            Self::UnknownVersion => RefusalCode::ParcelVersionUnknown,
            Self::TooLarge => RefusalCode::ParcelTooLarge,
            Self::ForeignOrganisation => RefusalCode::ParcelForeignOrganisation,
            Self::ForeignServer => RefusalCode::ParcelForeignServer,
            Self::Damaged => RefusalCode::ParcelDamaged,
        }
    }
}

impl ParcelId {
    /// Returns the id of these bytes, whether or not they are a parcel.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

/// Bundles encrypted to the server: anybody may carry them, only the server can open them.
#[derive(Clone, PartialEq, Eq)]
pub struct Parcel {
    organisation_id: OrganisationId,
    /// First eight bytes of the SHA-256 of the server's public key.
    server: [u8; 8],
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Parcel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parcel({} bytes for {})", self.bytes.len(), self.organisation_id)
    }
}

impl Parcel {
    /// Encrypts bundles to the server, in order, into as many parcels as the limits of one require; none for no bundle.
    ///
    /// # Errors
    /// [`HandoverError::TooLarge`] if a single bundle does not fit, [`HandoverError::ForeignServer`] if the key is not a valid one.
    pub fn pack<B: AsRef<[u8]>>(
        bundles: &[B],
        organisation: OrganisationId,
        server_key: &[u8; 32],
        environment: &Environment,
    ) -> Result<Vec<Self>, HandoverError> {
        let mut parcels = Vec::new();
        for bundles in bundles.chunks(MAX_BUNDLES) {
            match Self::encrypt(bundles, organisation, server_key, environment) {
                Err(HandoverError::TooLarge) if bundles.len() > 1 => {
                    let (older, newer) = bundles.split_at(bundles.len() / 2);
                    parcels.extend(Self::pack(older, organisation, server_key, environment)?);
                    parcels.extend(Self::pack(newer, organisation, server_key, environment)?);
                }
                parcel => parcels.push(parcel?),
            }
        }
        Ok(parcels)
    }

    fn encrypt<B: AsRef<[u8]>>(
        bundles: &[B],
        organisation: OrganisationId,
        server_key: &[u8; 32],
        environment: &Environment,
    ) -> Result<Self, HandoverError> {
        let plain = encode_content(bundles);
        if plain.len() > MAX_BODY_BYTES {
            return Err(HandoverError::TooLarge);
        }
        let packed = zstd::bulk::compress(&plain, 3).map_err(|_memory| HandoverError::TooLarge)?;
        if HEADER_BYTES + BOX_BYTES + packed.len() > MAX_PARCEL_BYTES {
            return Err(HandoverError::TooLarge);
        }
        let server: [u8; 8] = short_hash(server_key);
        let length = u32::try_from(BOX_BYTES + packed.len()).map_err(|_over| HandoverError::TooLarge)?;
        let mut bytes = MAGIC.to_vec();
        bytes.push(PARCEL_VERSION);
        bytes.extend(organisation.as_bytes());
        bytes.extend(server);
        bytes.extend(length.to_be_bytes());
        let to = VerifyingKey::from_bytes(server_key).map_err(|_no_point| HandoverError::ForeignServer)?;
        let to = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(to.to_montgomery().as_bytes());
        let ciphertext = to.and_then(|to| {
            let mode = OpModeS::Base;
            let rng = &mut EnvironmentRng(environment);
            hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &mode, &to, PURPOSE, &packed, &bytes, rng,
            )
        });
        let (one_time_key, ciphertext) = ciphertext.map_err(|_weak_key| HandoverError::ForeignServer)?;
        bytes.extend(one_time_key.to_bytes());
        bytes.extend(ciphertext);
        Ok(Self { organisation_id: organisation, server, bytes })
    }

    /// Reads the next parcel of a file; `None` at the end of the file.
    ///
    /// # Errors
    /// [`HandoverError::Unreadable`], [`HandoverError::UnknownVersion`], [`HandoverError::TooLarge`]: the rest is then unreadable.
    pub fn read(file: &mut impl Read) -> Result<Option<Self>, HandoverError> {
        let mut bytes = take(file, HEADER_BYTES)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let rest = bytes.strip_prefix(MAGIC).ok_or(HandoverError::Unreadable)?;
        let (&version, rest) = rest.split_first().ok_or(HandoverError::Unreadable)?;
        if version != PARCEL_VERSION {
            return Err(HandoverError::UnknownVersion);
        }
        let (organisation, rest) = rest.split_first_chunk::<16>().ok_or(HandoverError::Unreadable)?;
        let (&server, rest) = rest.split_first_chunk::<8>().ok_or(HandoverError::Unreadable)?;
        let length: [u8; 4] = rest.try_into().map_err(|_cut| HandoverError::Unreadable)?;
        let organisation = OrganisationId::from(*organisation);
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_over| HandoverError::TooLarge)?;
        if length > MAX_PARCEL_BYTES - HEADER_BYTES {
            return Err(HandoverError::TooLarge);
        }
        let ciphertext = take(file, length)?;
        if length < BOX_BYTES || ciphertext.len() < length {
            return Err(HandoverError::Unreadable);
        }
        bytes.extend(ciphertext);
        Ok(Some(Self { organisation_id: organisation, server, bytes }))
    }

    /// Returns all parcels of a file, up to and including the first error. An empty file is an error.
    pub fn read_all(mut file: impl Read) -> impl Iterator<Item = Result<Self, HandoverError>> {
        let (mut is_first, mut is_over) = (true, false);
        std::iter::from_fn(move || {
            if is_over {
                return None;
            }
            let next = match Self::read(&mut file) {
                Ok(None) if is_first => Some(Err(HandoverError::Unreadable)),
                next => next.transpose(),
            };
            is_first = false;
            is_over = !matches!(next, Some(Ok(_)));
            next
        })
    }

    /// Parses bytes that are exactly one parcel.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn parse(mut bytes: &[u8]) -> Result<Self, HandoverError> {
        let parcel = Self::read(&mut bytes)?.ok_or(HandoverError::Unreadable)?;
        if bytes.is_empty() { Ok(parcel) } else { Err(HandoverError::Unreadable) }
    }

    /// Returns the parcel's id.
    pub fn id(&self) -> ParcelId {
        ParcelId::of(&self.bytes)
    }

    /// Returns the organisation that the unencrypted header names, unverified until [`Self::open`] succeeds.
    pub fn organisation(&self) -> OrganisationId {
        self.organisation_id
    }

    /// Returns the bytes to carry.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Checks that the unencrypted header names this organisation and this server.
    ///
    /// # Errors
    /// [`HandoverError::ForeignOrganisation`], [`HandoverError::ForeignServer`].
    pub fn check_recipient(&self, organisation: OrganisationId, server_key: &[u8; 32]) -> Result<(), HandoverError> {
        if self.organisation_id != organisation {
            return Err(HandoverError::ForeignOrganisation);
        }
        if self.server != short_hash::<8>(server_key) {
            return Err(HandoverError::ForeignServer);
        }
        Ok(())
    }

    /// Decrypts the bundles, in order, which only the server can do. Anybody can encrypt: verify each bundle.
    ///
    /// # Errors
    /// [`HandoverError::Damaged`] if this key cannot decrypt it; [`HandoverError::Unreadable`], [`HandoverError::TooLarge`].
    pub fn open(&self, server: &SigningKey) -> Result<Vec<Vec<u8>>, HandoverError> {
        let (header, ciphertext) = self.bytes.split_at_checked(HEADER_BYTES).ok_or(HandoverError::Unreadable)?;
        let (one_time_key, ciphertext) = ciphertext.split_at_checked(32).ok_or(HandoverError::Unreadable)?;
        let damaged = |_does_not_open| HandoverError::Damaged;
        let key = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(&server.to_scalar_bytes()).map_err(damaged)?;
        let one_time_key = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(one_time_key).map_err(damaged)?;
        let mode = OpModeR::Base;
        let packed = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &mode,
            &key,
            &one_time_key,
            PURPOSE,
            ciphertext,
            header,
        );
        let plain = zstd::bulk::decompress(&packed.map_err(damaged)?, MAX_BODY_BYTES);
        decode_content(&plain.map_err(|_not_packed| HandoverError::Unreadable)?)
    }
}

/// Returns the first `N` bytes of the SHA-256.
pub(super) fn short_hash<const N: usize>(bytes: &[u8]) -> [u8; N] {
    Sha256::digest(bytes).first_chunk().copied().unwrap_or([0; N])
}

/// Reads up to `count` bytes, fewer at the end of the file. The buffer grows with the bytes that are present, not with the claimed count.
fn take(file: &mut impl Read, count: usize) -> Result<Vec<u8>, HandoverError> {
    let mut bytes = Vec::new();
    file.take(count as u64).read_to_end(&mut bytes).map_err(|_medium| HandoverError::Unreadable)?;
    Ok(bytes)
}

fn encode_content<B: AsRef<[u8]>>(bundles: &[B]) -> Vec<u8> {
    encode(&bundles.iter().map(|bundle| bundle.as_ref().into()).collect::<Vec<&ByteSlice>>())
}

/// Decodes the list of bundles by hand, because the count must be checked before anything is stored.
fn decode_content(plain: &[u8]) -> Result<Vec<Vec<u8>>, HandoverError> {
    let unreadable = |_form| HandoverError::Unreadable;
    let mut decoder = Decoder::new(plain);
    let count = decoder.array().map_err(unreadable)?.ok_or(HandoverError::Unreadable)?;
    if count > MAX_BUNDLES as u64 {
        return Err(HandoverError::TooLarge);
    }
    let bundles = (0..count).map(|_| decoder.bytes().map(<[u8]>::to_vec)).collect::<Result<Vec<_>, _>>();
    let bundles = bundles.map_err(unreadable)?;
    if decoder.position() == plain.len() { Ok(bundles) } else { Err(HandoverError::Unreadable) }
}

struct EnvironmentRng<'a>(&'a Environment);

impl TryRng for EnvironmentRng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.0.random()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.0.random()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.entropy.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for EnvironmentRng<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    const ORGANISATION: [u8; 16] = [7; 16];

    fn server() -> SigningKey {
        SigningKey::from_bytes(&[9; 32])
    }

    fn pack(bundles: &[Vec<u8>]) -> Vec<Parcel> {
        let key = server().verifying_key().to_bytes();
        Parcel::pack(bundles, ORGANISATION.into(), &key, &Environment::system()).expect("it packs")
    }

    fn noise(bytes: usize) -> Vec<u8> {
        let mut noise = vec![0; bytes];
        Environment::system().entropy.fill(&mut noise);
        noise
    }

    #[test]
    fn what_was_packed_comes_out_in_its_order() {
        for bundles in [vec![], vec![vec![]], vec![b"one".to_vec(), b"two".to_vec()], vec![noise(100); MAX_BUNDLES]] {
            let parcels = pack(&bundles);
            let opened: Vec<Vec<u8>> = parcels.iter().flat_map(|it| it.open(&server()).expect("it opens")).collect();
            assert_eq!(opened, bundles);
        }
        let (first, again) = (pack(&[vec![1]]), pack(&[vec![1]]));
        assert_ne!(first, again, "a new one-time key each time");
    }

    #[test]
    fn what_is_too_much_for_one_parcel_becomes_several() {
        let bundles: Vec<Vec<u8>> = (0..5).map(|_| noise(64 * 1024)).collect();
        let parcels = pack(&bundles);
        assert!(parcels.len() >= 2);
        let file: Vec<u8> = parcels.iter().flat_map(|parcel| parcel.as_bytes().to_vec()).collect();
        let read: Vec<Parcel> = Parcel::read_all(file.as_slice()).collect::<Result<_, _>>().expect("parcels");
        assert_eq!(read, parcels);
        assert_eq!(pack(&vec![vec![1]; MAX_BUNDLES + 1]).len(), 2);
        assert_eq!(pack(&[noise(2 * crate::limits::MAX_BUNDLE_BYTES)]).len(), 1);
    }

    #[test]
    fn a_parcel_has_at_most_its_limit() {
        let key = server().verifying_key().to_bytes();
        let fits = |bytes: usize| {
            Parcel::pack(&[noise(bytes)], ORGANISATION.into(), &key, &Environment::system())
                .map(|parcels| parcels.iter().map(|it| it.as_bytes().len()).max().unwrap_or(0))
        };
        let largest = (MAX_PARCEL_BYTES - 200..MAX_PARCEL_BYTES).rev().find_map(|bytes| fits(bytes).ok());
        assert_eq!(largest, Some(MAX_PARCEL_BYTES));
        assert_eq!(fits(MAX_PARCEL_BYTES), Err(HandoverError::TooLarge));
        // Reading: at the limit bytes are missing, above it the parcel is too large.
        let [parcel] = pack(&[vec![1]]).try_into().expect("one");
        for (length, expected) in [
            (MAX_PARCEL_BYTES - HEADER_BYTES, HandoverError::Unreadable),
            (MAX_PARCEL_BYTES - HEADER_BYTES + 1, HandoverError::TooLarge),
            (u32::MAX as usize, HandoverError::TooLarge),
            (BOX_BYTES - 1, HandoverError::Unreadable),
            (0, HandoverError::Unreadable),
        ] {
            let mut bytes = parcel.as_bytes().to_vec();
            let length = u32::try_from(length).expect("it fits").to_be_bytes();
            bytes.splice(HEADER_BYTES - 4..HEADER_BYTES, length);
            assert_eq!(Parcel::parse(&bytes), Err(expected), "{length:?}");
        }
    }

    /// Encrypts compressed `plain` to the server and returns the result of opening it. Anybody can encrypt, so `plain` may be hostile.
    fn encrypt_and_open(plain: &[u8]) -> Result<Vec<Vec<u8>>, HandoverError> {
        let packed = zstd::bulk::compress(plain, 3).expect("it packs");
        encrypt_raw(&packed).open(&server())
    }

    fn encrypt_raw(packed: &[u8]) -> Parcel {
        let key = server().verifying_key();
        let mut bytes = [MAGIC.as_slice(), &[PARCEL_VERSION], &ORGANISATION, &short_hash::<8>(key.as_bytes())].concat();
        bytes.extend(u32::try_from(BOX_BYTES + packed.len()).expect("small").to_be_bytes());
        let to = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(key.to_montgomery().as_bytes()).expect("a key");
        let environment = Environment::system();
        let (one_time, ciphertext) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &to,
            PURPOSE,
            packed,
            &bytes,
            &mut EnvironmentRng(&environment),
        )
        .expect("encrypted");
        bytes.extend(one_time.to_bytes());
        bytes.extend(ciphertext);
        Parcel::parse(&bytes).expect("a parcel")
    }

    #[test]
    fn a_hostile_inside_is_refused_without_unpacking_it() {
        assert_eq!(encrypt_raw(b"no zstd").open(&server()), Err(HandoverError::Unreadable));
        assert_eq!(encrypt_and_open(&vec![0; MAX_BODY_BYTES + 1]), Err(HandoverError::Unreadable), "a bomb");
        assert_eq!(encrypt_and_open(&[]), Err(HandoverError::Unreadable));
        assert_eq!(encrypt_and_open(&[0xf6]), Err(HandoverError::Unreadable), "null");
        assert_eq!(encrypt_and_open(&[0x9f, 0x40, 0xff]), Err(HandoverError::Unreadable), "a list without a count");
        assert_eq!(
            encrypt_and_open(&[0x81, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Err(HandoverError::Unreadable)
        );
        assert_eq!(
            encrypt_and_open(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Err(HandoverError::TooLarge)
        );
        assert_eq!(encrypt_and_open(&[0x81, 0x40, 0x00]), Err(HandoverError::Unreadable), "bytes behind");
        let list = |count: usize| encode_content(&vec![vec![]; count]);
        assert_eq!(encrypt_and_open(&list(MAX_BUNDLES)).expect("at the limit").len(), MAX_BUNDLES);
        assert_eq!(encrypt_and_open(&list(MAX_BUNDLES + 1)), Err(HandoverError::TooLarge));
    }

    #[test]
    fn every_flipped_bit_is_noticed_under_its_name() {
        let [parcel] = pack(&[b"a bundle".to_vec()]).try_into().expect("one");
        let key = server().verifying_key().to_bytes();
        let outcome = |bytes: &[u8]| {
            let parcel = Parcel::parse(bytes)?;
            parcel.check_recipient(ORGANISATION.into(), &key)?;
            parcel.open(&server())
        };
        let regions = [
            (0..4, HandoverError::Unreadable),
            (4..5, HandoverError::UnknownVersion),
            (5..21, HandoverError::ForeignOrganisation),
            (21..29, HandoverError::ForeignServer),
            (HEADER_BYTES..parcel.as_bytes().len(), HandoverError::Damaged),
        ];
        for (region, expected) in regions {
            for bit in region.start * 8..region.end * 8 {
                let mut bytes = parcel.as_bytes().to_vec();
                bytes[bit / 8] ^= 1 << (bit % 8);
                // X25519 ignores the highest bit of a public key (RFC 7748), but the one-time key is hashed into the shared secret.
                assert_eq!(outcome(&bytes), Err(expected), "bit {bit}");
            }
        }
        for bit in 29 * 8..HEADER_BYTES * 8 {
            let mut bytes = parcel.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(outcome(&bytes), Err(HandoverError::Unreadable | HandoverError::TooLarge)), "bit {bit}");
        }
        for length in 0..parcel.as_bytes().len() {
            let cut = parcel.as_bytes().get(..length).unwrap_or_default();
            assert_eq!(outcome(cut), Err(HandoverError::Unreadable), "cut at {length}");
        }
        assert_eq!(parcel.open(&SigningKey::from_bytes(&[8; 32])), Err(HandoverError::Damaged), "another server's key");
    }

    /// A parcel encrypted by version 1, which must open for ever. Another implementation, written from RFC 9180, opened it too.
    #[test]
    fn a_parcel_of_version_1_opens_for_ever() {
        let hex = "4654504c0107070707070707070707070707070707dbc298251c51321b00000055a5e8c214b9cbcd496b6bd51cbc4ffaec67\
            3d43a7cb1198328c4ee35e499fb97905f2444f7b280d5bd0f1b7339380c5025a41351976eb75bf2f63d78bd518a4daf9313c\
            381c4b1c799cfaa69025ecdb08b01851dd11";
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("hex");
        let opened = Parcel::parse(&bytes).expect("a parcel").open(&server()).expect("it opens");
        assert_eq!(opened, [b"first bundle".to_vec(), b"second bundle".to_vec()]);
    }
}
