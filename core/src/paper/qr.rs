//! QR codes (ISO/IEC 18004) as modules.

use qrcodegen::{QrCode, QrCodeEcc};

use super::PaperError;
use super::raster::Bitmap;
use crate::limits::MAX_PRINTED_CODE;

/// Light modules around a code.
const QUIET_ZONE: u32 = 4;

/// Returns the code of a content at correction level M, one dot for each module, with its light margin.
pub(super) fn code(content: &str) -> Result<Bitmap, PaperError> {
    let too_long = PaperError::QrTooLong { bytes: content.len() };
    if content.len() > MAX_PRINTED_CODE {
        return Err(too_long);
    }
    let code = QrCode::encode_text(content, QrCodeEcc::Medium).map_err(|_more_than_fits| too_long)?;
    let modules = code.size().unsigned_abs();
    let mut bitmap = Bitmap::new(modules + 2 * QUIET_ZONE, modules + 2 * QUIET_ZONE);
    for y in 0..modules {
        for x in 0..modules {
            if code.get_module(x.cast_signed(), y.cast_signed()) {
                bitmap.set(x + QUIET_ZONE, y + QUIET_ZONE);
            }
        }
    }
    Ok(bitmap)
}
