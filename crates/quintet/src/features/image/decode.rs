//! The bytes of an image file -> RGB pixels, upright, within fixed limits; anything else -> a short reason.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Largest file that is read. Platforms cap photos at 5 to 16 MB.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// Largest image, width times height. A decoder needs up to 10 bytes a pixel (progressive JPEG), so this bounds memory.
pub const MAX_PIXELS: u64 = 64_000_000;
/// Largest width and height.
pub const MAX_SIDE: u32 = 30_000;
/// Images with more pixels are decoded one at a time, whatever the number of threads.
const LARGE_PIXELS: u64 = 16_000_000;
/// Memory a decoder of the `image` crate may ask for: [`MAX_PIXELS`] of 16-bit RGBA.
const MAX_DECODER_BYTES: u64 = MAX_PIXELS * 8;

static ONE_LARGE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Decodes JPEG (also grey, CMYK, progressive), PNG (also 16 bit, palette, alpha), WebP and GIF (first frame).
///
/// The kind is told by content, not by name. Transparent pixels are laid on white. An EXIF orientation is applied.
///
/// # Errors
/// A reason in a few words, in lower case, without the file's name.
pub fn decode(bytes: &[u8]) -> Result<RgbImage, String> {
    // The decoders are written not to panic; one bad file among a million must not end a run of hours if one does.
    catch_unwind(AssertUnwindSafe(|| decode_known(bytes)))
        .unwrap_or_else(|_| Err("the decoder failed on this file".to_owned()))
}

fn decode_known(bytes: &[u8]) -> Result<RgbImage, String> {
    if bytes.is_empty() {
        return Err("empty file".to_owned());
    }
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(too_many_bytes());
    }
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => decode_jpeg(bytes),
        Ok(format @ (ImageFormat::Png | ImageFormat::WebP | ImageFormat::Gif)) => decode_other(bytes, format),
        _ if bytes.trim_ascii_start().starts_with(b"<") => Err("a web page or SVG, not an image of pixels".to_owned()),
        _ => Err("not a JPEG, PNG, WebP or GIF".to_owned()),
    }
}

/// The reason given for a file over [`MAX_FILE_BYTES`].
pub fn too_many_bytes() -> String {
    format!("larger than {} MiB", MAX_FILE_BYTES >> 20)
}

fn check_size(width: u32, height: u32) -> Result<(), String> {
    if width == 0 || height == 0 {
        return Err("no pixels".to_owned());
    }
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        let megapixels = MAX_PIXELS / 1_000_000;
        return Err(format!("{width} x {height} is over {megapixels} megapixels or {MAX_SIDE} a side"));
    }
    Ok(())
}

/// Runs `decode`; large images wait for each other so that memory stays bounded.
fn with_memory_bound<T>(width: u32, height: u32, decode: impl FnOnce() -> T) -> T {
    let large = u64::from(width) * u64::from(height) > LARGE_PIXELS;
    let _guard = large.then(|| ONE_LARGE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner));
    decode()
}

fn decode_jpeg(bytes: &[u8]) -> Result<RgbImage, String> {
    let bad = |e: &dyn std::fmt::Debug| format!("damaged JPEG ({})", short(&format!("{e:?}")));
    // The decoder fills what is missing with grey; a feature of half a photo would pass for one of the whole.
    if !jpeg_is_complete(bytes) {
        return Err("truncated JPEG".to_owned());
    }
    let options = DecoderOptions::default()
        .set_max_width(MAX_SIDE as usize)
        .set_max_height(MAX_SIDE as usize)
        .jpeg_set_max_scans(64)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|e| bad(&e))?;
    let info = decoder.info().ok_or_else(|| "damaged JPEG (no header)".to_owned())?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    check_size(width, height)?;
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let pixels = with_memory_bound(width, height, || decoder.decode()).map_err(|e| bad(&e))?;
    let image =
        RgbImage::from_raw(width, height, pixels).ok_or_else(|| "JPEG of an unknown colour model".to_owned())?;
    Ok(upright(DynamicImage::ImageRgb8(image), orientation).into_rgb8())
}

/// Whether an end marker follows the last start of scan. Inside compressed data 0xFF is always followed by 0 or a restart marker.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|w| w == [0xFF, marker]);
    last(0xD9) > last(0xDA)
}

fn decode_other(bytes: &[u8], format: ImageFormat) -> Result<RgbImage, String> {
    let name = match format {
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        _ => "GIF",
    };
    let bad = |e: image::ImageError| match e {
        image::ImageError::Limits(_) => format!("{name} needs more memory than is allowed"),
        image::ImageError::IoError(ref io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            format!("truncated {name}")
        }
        other => format!("damaged {name} ({})", short(&other.to_string())),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(bad)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    let orientation = decoder.orientation().ok();
    let image = with_memory_bound(width, height, || DynamicImage::from_decoder(decoder)).map_err(bad)?;
    Ok(on_white(upright(image, orientation)))
}

fn upright(mut image: DynamicImage, orientation: Option<Orientation>) -> DynamicImage {
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    image
}

/// 8-bit RGB; transparent pixels are laid on white, as a feed shows them.
fn on_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let image = image.into_rgba8();
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [r, g, b, a] = image.get_pixel(x, y).0.map(u16::from);
        let over = |c: u16| ((c * a + 255 * (255 - a) + 127) / 255) as u8;
        image::Rgb([over(r), over(g), over(b)])
    })
}

/// The first line of a decoder's message, at most 60 characters.
fn short(message: &str) -> String {
    message.lines().next().unwrap_or("").trim().chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/");
        std::fs::read(format!("{folder}{name}.jpg")).unwrap()
    }

    fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        image.into().write_to(&mut out, format).unwrap();
        out.into_inner()
    }

    /// The colours in the middle of the four quarters of the drawing in `tests/data`.
    fn quarters(image: &RgbImage) -> Vec<[u8; 3]> {
        let (w, h) = (image.width(), image.height());
        [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| image.get_pixel(w * x / 4, h * y / 4).0).to_vec()
    }

    fn assert_close(got: &[[u8; 3]], want: [[u8; 3]; 4], name: &str) {
        for (g, w) in got.iter().flatten().zip(want.iter().flatten()) {
            assert!(g.abs_diff(*w) <= 4, "{name}: {got:?} against {want:?}");
        }
    }

    #[test]
    fn every_kind_of_jpeg_shows_the_same_drawing() {
        let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255; 3]];
        for name in ["baseline", "progressive", "cmyk", "turned"] {
            let image = decode(&jpeg(name)).unwrap();
            assert_eq!(image.dimensions(), (48, 32), "{name}");
            assert_close(&quarters(&image), colours, name);
        }
        let grey = decode(&jpeg("grey")).unwrap();
        assert_close(&quarters(&grey), [[76; 3], [150; 3], [29; 3], [255; 3]], "grey");
    }

    #[test]
    fn every_kind_of_png_webp_gif_decodes() {
        let rgb = RgbImage::from_pixel(5, 3, image::Rgb([10, 200, 30]));
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
            let image = decode(&encode(rgb.clone(), format)).unwrap();
            assert_eq!(image.dimensions(), (5, 3));
            assert!(image.get_pixel(2, 1).0[1].abs_diff(200) < 8, "{format:?}");
        }
        let clear = image::RgbaImage::from_pixel(4, 4, image::Rgba([0, 0, 0, 0]));
        assert_eq!(decode(&encode(clear, ImageFormat::Png)).unwrap().get_pixel(0, 0).0, [255; 3]);
        let deep = image::ImageBuffer::<image::Luma<u16>, _>::from_pixel(4, 4, image::Luma([0x8000u16]));
        assert_eq!(
            decode(&encode(DynamicImage::ImageLuma16(deep), ImageFormat::Png)).unwrap().get_pixel(0, 0).0,
            [128; 3]
        );
    }

    #[test]
    fn broken_files_give_a_short_reason() {
        let png =
            encode(RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8, y as u8, (x * y) as u8])), ImageFormat::Png);
        let mut huge = png.clone();
        huge[16..24].copy_from_slice(&[0, 0, 0x70, 0, 0, 0, 0x70, 0]); // 28,672 x 28,672
        let crc = crc32(&huge[12..29]);
        huge[29..33].copy_from_slice(&crc.to_be_bytes());
        let mut no_pixels = jpeg("baseline");
        let frame = no_pixels.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        no_pixels[frame + 5..frame + 9].fill(0);
        let whole = jpeg("baseline");
        let cases: Vec<(&str, Vec<u8>)> = vec![
            ("empty", Vec::new()),
            ("not a JPEG", b"hello, this is text".to_vec()),
            ("a web page", b"\n<!DOCTYPE html><html>".to_vec()),
            ("truncated JPEG", whole[..whole.len() - 40].to_vec()),
            ("JPEG", whole[..30].to_vec()),
            ("PNG", png[..png.len() / 2].to_vec()),
            ("megapixels", huge),
            ("JPEG", no_pixels),
            ("WebP", b"RIFF\x10\0\0\0WEBPVP8 garbage".to_vec()),
            ("GIF", b"GIF89a\x05".to_vec()),
        ];
        for (part, bytes) in cases {
            let reason = decode(&bytes).unwrap_err();
            assert!(reason.contains(part) && reason.len() < 100, "{part}: {reason}");
        }
    }

    #[test]
    fn no_damage_panics() {
        // Every byte of small files changed in turn: the result may be an image or a reason, never an abort.
        for (file, step) in
            [(jpeg("progressive"), 7), (jpeg("baseline"), 5), (encode(RgbImage::new(9, 9), ImageFormat::Gif), 3)]
        {
            for i in (0..file.len()).step_by(step) {
                let mut damaged = file.clone();
                damaged[i] ^= 0x55;
                let _ = decode(&damaged);
                let _ = decode(&file[..i]);
            }
        }
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, &b| {
            (0..8).fold(crc ^ u32::from(b), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xEDB8_8320 } else { c >> 1 })
        })
    }
}
