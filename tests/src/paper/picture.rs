use farmtally_core::paper::Bitmap;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use std::io::{Read, Write};

/// Returns a picture as a PNG file of one bit a dot.
pub fn to_png(bitmap: &Bitmap) -> Vec<u8> {
    let mut rows = Vec::new();
    for row in bitmap.rows() {
        // No filter; white is 1 in PNG.
        rows.push(0);
        rows.extend(row.iter().map(|byte| !byte));
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&rows).expect("memory");
    let mut header = [bitmap.width().to_be_bytes(), bitmap.height().to_be_bytes()].concat();
    header.extend([1, 0, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in [(b"IHDR", header), (b"IDAT", encoder.finish().expect("memory")), (b"IEND", Vec::new())] {
        let chunk = [name.as_slice(), &data].concat();
        png.extend(u32::try_from(data.len()).expect("small").to_be_bytes());
        let mut crc = Crc::new();
        crc.update(&chunk);
        png.extend(chunk);
        png.extend(crc.sum().to_be_bytes());
    }
    png
}

/// Reads a picture that [`to_png`] wrote.
pub fn from_png(png: &[u8]) -> Bitmap {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes"));
    let (width, height, length) = (number(16), number(20), number(33) as usize);
    let mut rows = Vec::new();
    ZlibDecoder::new(&png[41..41 + length]).read_to_end(&mut rows).expect("a stream");
    let mut bitmap = Bitmap::new(width, height);
    for (y, row) in (0..).zip(rows.chunks(1 + width.div_ceil(8) as usize)) {
        for x in (0..width).filter(|x| row[1 + *x as usize / 8] & (0x80 >> (x % 8)) == 0) {
            bitmap.set(x, y);
        }
    }
    bitmap
}

/// Returns the contents of the QR codes in a picture.
pub fn qr_contents(bitmap: &Bitmap) -> Vec<String> {
    let (width, height) = (bitmap.width() as usize, bitmap.height() as usize);
    let shade = |x: usize, y: usize| {
        let at = |dots: usize| u32::try_from(dots).expect("small");
        if bitmap.is_black(at(x), at(y)) { 0 } else { 255 }
    };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, shade);
    image.detect_grids().iter().filter_map(|grid| grid.decode().ok()).map(|(_, content)| content).collect()
}

/// Returns the number of black dots in rows of a picture.
pub fn black_dots(bitmap: &Bitmap) -> usize {
    bitmap.rows().flatten().map(|byte| byte.count_ones() as usize).sum()
}
