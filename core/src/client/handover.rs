//! Hand-over without network: exports own bundles as a file or QR codes, and imports those of colleagues. Invariant: an export is no
//! acknowledgement; its changes stay in the outbox and are sent with the next sync. Formats: [`crate::protocol::parcel`],
//! [`crate::protocol::qr`].

use std::io::Read;
use std::path::Path;
use std::sync::PoisonError;

use super::output::unwritten;
use super::{FieldClient, Topic};
use crate::Error;
use crate::limits::{BUNDLE_BYTES, MAX_CARRIED_BYTES};
use crate::protocol::parcel::Parcel;
use crate::protocol::qr::{self, QrCollector, QrProgress};
use crate::store::{carried, installation, outbox};
use crate::sync::seal::seal;

impl FieldClient {
    /// Seals the outbox and returns the own bundles that the server has not answered in full, as concatenated parcels, without drafts.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is nothing to hand over, [`Error::Unauthorized`] before enrolment, [`Error::Store`].
    pub fn export_parcel(&self) -> Result<Vec<u8>, Error> {
        let parcels = self.pack()?;
        self.save_export_time()?;
        Ok(parcels)
    }

    /// Writes [`Self::export_parcel`] into a file. An existing file is replaced only by a complete one.
    ///
    /// # Errors
    /// Those of [`Self::export_parcel`]; [`Error::Invalid`] of `path` if the file cannot be written, [`Error::Store`] if the disk is full.
    pub fn export_to(&self, path: &Path) -> Result<(), Error> {
        // Sealed only once there is a file, so that a wrong path leaves no trace.
        self.write_file(path, |out| out.write_all(&self.pack()?).map_err(|error| unwritten(&error)))?;
        self.save_export_time()
    }

    /// Returns [`Self::export_parcel`] as the contents of QR codes, at most [`crate::limits::QR_FRAME_BYTES`] each. Show them in a loop
    /// until the other phone has read all. Each call makes a new series, so show one series to its end.
    ///
    /// # Errors
    /// Those of [`Self::export_parcel`]; [`Error::TooLarge`] if it does not fit into QR codes: export a file.
    pub fn parcel_qr_frames(&self) -> Result<Vec<Vec<u8>>, Error> {
        let frames = qr::frames(&self.pack()?).map_err(|_too_many| Error::TooLarge {
            field: "parcel",
            reason: "too much for QR codes: export a file instead".into(),
        })?;
        self.save_export_time()?;
        Ok(frames)
    }

    /// Imports a colleague's file of one or more parcels, which the next sync uploads: all of them or none. Their content is not checked.
    ///
    /// # Errors
    /// [`Error::Refused`] if one is for another organisation or server, [`Error::Invalid`] if it is no parcel or incomplete,
    /// [`Error::TooLarge`] if this phone would carry more than [`MAX_CARRIED_BYTES`], [`Error::UpdateNeeded`], [`Error::Unauthorized`],
    /// [`Error::Store`].
    pub fn carry_parcel(&self, file: impl Read) -> Result<(), Error> {
        let installation = self.installation()?;
        let too_much = || Error::TooLarge {
            field: "parcel",
            reason: format!("a phone carries up to {} MiB for others: sync first", MAX_CARRIED_BYTES >> 20),
        };
        let (mut parcels, mut bytes) = (Vec::new(), 0);
        for parcel in Parcel::read_all(file) {
            let parcel = parcel?;
            parcel.check_recipient(installation.organisation_id, &installation.server_key)?;
            bytes += parcel.as_bytes().len();
            if bytes > MAX_CARRIED_BYTES {
                return Err(too_much());
            }
            parcels.push(parcel);
        }
        self.write(&[Topic::Sync], |db| {
            for parcel in &parcels {
                carried::add(db, parcel)?;
            }
            if carried::load(db)?.bytes > MAX_CARRIED_BYTES as u64 { Err(too_much()) } else { Ok(()) }
        })
    }

    /// Adds the content of a QR code from a colleague's phone, in any order. A frame of another series drops those before. The last missing
    /// frame imports all as [`Self::carry_parcel`] does.
    ///
    /// # Errors
    /// Those of [`Self::carry_parcel`]; [`Error::Invalid`] for a code that is not a QR frame or was misread: continue with the next one.
    pub fn add_qr_frame(&self, frame: &[u8]) -> Result<QrProgress, Error> {
        self.installation()?;
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let progress = frames.add_frame(frame)?;
        if let Some(parcels) = frames.parcels()? {
            // Parcels that were not kept must not look complete, so the collection starts again.
            self.carry_parcel(parcels.as_slice()).inspect_err(|_refused| *frames = QrCollector::default())?;
        }
        Ok(progress)
    }

    fn pack(&self) -> Result<Vec<u8>, Error> {
        let installation = self.installation()?;
        seal(&self.store, &installation, self.now(), BUNDLE_BYTES, usize::MAX)?;
        let bundles = self.store.read(|db| outbox::unanswered_bundles(db, 0, i32::MAX as usize))?;
        if bundles.is_empty() {
            return Err(Error::not_allowed("nothing to hand over: the server has answered everything"));
        }
        let bundles: Vec<Vec<u8>> = bundles.into_iter().map(|bundle| bundle.1).collect();
        let parcels = Parcel::pack(&bundles, installation.organisation_id, &installation.server_key, &self.environment);
        let parcels = parcels.map_err(|error| Error::Internal { reason: error.to_string() })?;
        Ok(parcels.iter().flat_map(Parcel::as_bytes).copied().collect())
    }

    fn save_export_time(&self) -> Result<(), Error> {
        let now = self.now();
        Ok(self.write(&[Topic::Sync], |db| installation::save_exported(db, now))?)
    }
}
