//! Sealing of the outbox into bundles, for the exchange and for a hand-over alike.

use crate::Error;
use crate::protocol::bundle::{BUNDLE_VERSION, Bundle, BundleHeader, SCHEMA_VERSION};
use crate::store::Store;
use crate::store::installation::Installation;
use crate::store::outbox;
use crate::units::{BundleHash, Timestamp};

/// Seals unsealed changes into up to `bundles` bundles that end at `bundle_bytes`, each in a transaction of its own, so that concurrent
/// callers seal each change once. `now` is the phone's time.
pub(crate) fn seal(
    store: &Store,
    installation: &Installation,
    now: Timestamp,
    bundle_bytes: usize,
    bundles: usize,
) -> Result<(), Error> {
    for _ in 0..bundles {
        let sealed = store.write(|db| {
            let (numbers, actions) = outbox::unsealed(db, bundle_bytes)?;
            if actions.is_empty() {
                return Ok::<_, Error>(false);
            }
            let (sequence, previous) = outbox::head(db, installation.device_id)?;
            let header = BundleHeader {
                version: BUNDLE_VERSION,
                organisation_id: installation.organisation_id,
                device_id: installation.device_id,
                sequence: sequence + 1,
                previous: previous.unwrap_or(BundleHash([0; 32])),
                sealed_at: now,
                schema: SCHEMA_VERSION,
            };
            let bundle = Bundle::seal(header, actions, &installation.key);
            outbox::save_sealed(db, &bundle, &numbers)?;
            Ok(true)
        })?;
        if !sealed {
            break;
        }
    }
    Ok(())
}
