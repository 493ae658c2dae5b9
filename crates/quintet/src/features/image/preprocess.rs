//! RGB pixels -> the tensor an encoder asks for, as its preprocessing file says.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What `NAME.toml` beside an encoder says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// `shorter-side`: the shorter side becomes `size`, then the middle is cut out. `squash`: both sides become `size`.
    pub resize: Resize,
    /// Pixels; see `resize`.
    pub size: u32,
    /// Side of the square cut out of the middle, in pixels, at most `size`: the network's input is `crop` x `crop`.
    pub crop: u32,
    /// `bilinear`, `bicubic` or `lanczos`, all antialiased as in Pillow.
    pub filter: Filter,
    /// `RGB` or `BGR`.
    pub channels: Channels,
    /// `NCHW` or `NHWC`.
    pub layout: TensorLayout,
    /// A pixel 0..255 becomes `(pixel * scale - mean) / std`; 1/255 for torchvision.
    pub scale: f64,
    /// Mean per channel, in the order of `channels`.
    pub mean: [f64; 3],
    /// Standard deviation per channel, in the order of `channels`.
    pub std: [f64; 3],
    /// Name of the network's output to use; absent: its first.
    pub output: Option<String>,
    /// What turns the output into one vector.
    #[serde(default)]
    pub pooling: Pooling,
}

/// How an image gets the network's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// Keeps the aspect; what lies outside the middle square is lost.
    ShorterSide,
    /// Keeps everything; the aspect is lost.
    Squash,
}

/// How pixels are averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// Triangle.
    Bilinear,
    /// Catmull-Rom (a = -0.5, as Pillow).
    Bicubic,
    /// Lanczos with three lobes.
    Lanczos,
}

/// Order of the colour channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Channels {
    /// Red first (PyTorch, TensorFlow).
    #[serde(rename = "RGB")]
    Rgb,
    /// Blue first (Caffe).
    #[serde(rename = "BGR")]
    Bgr,
}

/// Order of the axes of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TensorLayout {
    /// `[1, 3, crop, crop]` (PyTorch).
    #[serde(rename = "NCHW")]
    Nchw,
    /// `[1, crop, crop, 3]` (TensorFlow).
    #[serde(rename = "NHWC")]
    Nhwc,
}

/// What turns the output into one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The output is `[1, dim]` or `[1, dim, 1, 1]` already.
    #[default]
    None,
    /// Mean over all axes after the second of `[1, dim, height, width]`.
    Mean,
    /// First row of `[1, tokens, dim]` (the class token of a vision transformer).
    FirstToken,
}

/// Images longer than this many times their width are cut to it first: resizing a 1 x 10,000 strip by its shorter side
/// would take gigabytes for pixels that are cut off anyway.
const MAX_ASPECT: u32 = 4;

impl Preprocessing {
    /// Reads the text of a preprocessing file.
    ///
    /// # Errors
    /// If a key is unknown, missing or has an impossible value.
    pub fn parse(text: &str) -> Result<Preprocessing> {
        let this: Preprocessing = toml::from_str(text).map_err(|e| {
            Error::config(e.to_string()).help("docs/encoders.md lists the keys of a preprocessing file")
        })?;
        let sizes = 1..=4096;
        if !sizes.contains(&this.size) || !(1..=this.size).contains(&this.crop) {
            return Err(Error::config(format!("size = {}, crop = {} cannot be", this.size, this.crop))
                .help("`size` is 1 to 4096 pixels and `crop` at most `size`"));
        }
        if this.resize == Resize::Squash && this.crop != this.size {
            return Err(Error::config("`squash` cuts nothing off").help("set `crop` to the same value as `size`"));
        }
        let finite = [this.scale].iter().chain(&this.mean).chain(&this.std).all(|v| v.is_finite());
        if !finite || this.std.iter().any(|&s| s <= 0.0) {
            return Err(Error::config("`scale`, `mean` and `std` must be finite numbers, `std` above 0"));
        }
        Ok(this)
    }

    /// Shape of the network's input for one image.
    pub fn shape(&self) -> [usize; 4] {
        let side = self.crop as usize;
        match self.layout {
            TensorLayout::Nchw => [1, 3, side, side],
            TensorLayout::Nhwc => [1, side, side, 3],
        }
    }

    /// The network's input for one image, row-major in [`Preprocessing::shape`].
    ///
    /// # Errors
    /// A reason in a few words.
    pub fn tensor(&self, resizer: &mut Resizer, image: &RgbImage) -> Result<Vec<f32>, String> {
        let (pixels, width, height) = self.resized(resizer, image)?;
        let side = self.crop as usize;
        let (left, top) = (middle(width, self.crop), middle(height, self.crop));
        let table = self.table();
        let mut out = vec![0f32; 3 * side * side];
        for y in 0..side {
            let start = ((y + top) * width as usize + left) * 3;
            let row = &pixels[start..start + side * 3];
            match self.layout {
                TensorLayout::Nchw => {
                    for (channel, values) in table.iter().enumerate() {
                        let from = self.source_channel(channel);
                        let line = &mut out[(channel * side + y) * side..][..side];
                        for (value, pixel) in line.iter_mut().zip(row.chunks_exact(3)) {
                            *value = values[usize::from(pixel[from])];
                        }
                    }
                }
                TensorLayout::Nhwc => {
                    let line = &mut out[y * side * 3..][..side * 3];
                    for (value, pixel) in line.chunks_exact_mut(3).zip(row.chunks_exact(3)) {
                        for (channel, v) in value.iter_mut().enumerate() {
                            *v = table[channel][usize::from(pixel[self.source_channel(channel)])];
                        }
                    }
                }
            }
        }
        Ok(out)
    }

    fn source_channel(&self, channel: usize) -> usize {
        match self.channels {
            Channels::Rgb => channel,
            Channels::Bgr => 2 - channel,
        }
    }

    /// The value of each of the 256 pixel values, per channel of the input.
    fn table(&self) -> [[f32; 256]; 3] {
        std::array::from_fn(|c| {
            std::array::from_fn(|pixel| ((pixel as f64 * self.scale - self.mean[c]) / self.std[c]) as f32)
        })
    }

    /// The resized pixels with their width and height, each at least `crop`.
    fn resized(&self, resizer: &mut Resizer, image: &RgbImage) -> Result<(Vec<u8>, u32, u32), String> {
        let (cut_width, cut_height) = match self.resize {
            Resize::ShorterSide => cut_aspect(image.width(), image.height()),
            Resize::Squash => image.dimensions(),
        };
        let (width, height) = match self.resize {
            Resize::Squash => (self.size, self.size),
            Resize::ShorterSide => scaled(cut_width, cut_height, self.size),
        };
        if (width, height) == image.dimensions() {
            return Ok((image.as_raw().clone(), width, height));
        }
        let source =
            ImageRef::new(image.width(), image.height(), image.as_raw(), PixelType::U8x3).map_err(|e| e.to_string())?;
        let mut target = Image::new(width, height, PixelType::U8x3);
        let left = f64::from(image.width() - cut_width) / 2.0;
        let top = f64::from(image.height() - cut_height) / 2.0;
        let filter = match self.filter {
            Filter::Bilinear => FilterType::Bilinear,
            Filter::Bicubic => FilterType::CatmullRom,
            Filter::Lanczos => FilterType::Lanczos3,
        };
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).crop(
            left.floor(),
            top.floor(),
            f64::from(cut_width),
            f64::from(cut_height),
        );
        resizer.resize(&source, &mut target, &options).map_err(|e| format!("cannot be resized ({e})"))?;
        Ok((target.into_vec(), width, height))
    }
}

/// Offset of a middle piece, rounded half to even as torchvision's CenterCrop does.
fn middle(whole: u32, piece: u32) -> usize {
    (f64::from(whole - piece) / 2.0).round_ties_even() as usize
}

fn cut_aspect(width: u32, height: u32) -> (u32, u32) {
    let longest = width.min(height).saturating_mul(MAX_ASPECT);
    (width.min(longest), height.min(longest))
}

/// Width and height with the shorter side `size`; the longer is rounded down as torchvision's Resize does.
fn scaled(width: u32, height: u32, size: u32) -> (u32, u32) {
    let longer = |long: u32, short: u32| (u64::from(size) * u64::from(long) / u64::from(short)) as u32;
    if width <= height { (size, longer(height, width)) } else { (longer(width, height), size) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Preprocessing {
        let base = "resize = \"shorter-side\"\nsize = 8\ncrop = 4\nfilter = \"bilinear\"\nchannels = \"RGB\"\nlayout = \"NCHW\"\n\
                    scale = 1.0\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n";
        let mut table: toml::Table = toml::from_str(base).unwrap();
        table.extend(toml::from_str::<toml::Table>(text).unwrap());
        Preprocessing::parse(&toml::to_string(&table).unwrap()).unwrap()
    }

    #[test]
    fn channels_layout_and_values_are_as_asked() {
        let image = RgbImage::from_pixel(8, 8, image::Rgb([10, 20, 30]));
        let mut resizer = Resizer::new();
        let plain = settings("").tensor(&mut resizer, &image).unwrap();
        assert_eq!((plain.len(), plain[0], plain[16], plain[47]), (48, 10.0, 20.0, 30.0));
        let other = settings("channels = \"BGR\"\nlayout = \"NHWC\"\nmean = [1.0, 2.0, 3.0]\nstd = [2.0, 2.0, 2.0]");
        assert_eq!(other.tensor(&mut resizer, &image).unwrap()[..3], [14.5, 9.0, 3.5]);
    }

    #[test]
    fn the_middle_is_cut_out_and_strips_stay_small() {
        let image = RgbImage::from_fn(24, 8, |x, _| image::Rgb([if (10..14).contains(&x) { 255 } else { 0 }, 0, 0]));
        let out = settings("").tensor(&mut Resizer::new(), &image).unwrap();
        assert!(out[..16].iter().all(|&v| v == 255.0));
        for (width, height) in [(1, 9000), (9000, 1), (1, 1), (3, 5)] {
            let out = settings("").tensor(&mut Resizer::new(), &RgbImage::new(width, height)).unwrap();
            assert_eq!(out.len(), 48);
            assert_eq!(
                settings("resize = \"squash\"\ncrop = 8")
                    .tensor(&mut Resizer::new(), &RgbImage::new(width, height))
                    .unwrap()
                    .len(),
                192
            );
        }
    }

    #[test]
    fn impossible_settings_are_refused() {
        for text in
            ["crop = 9", "size = 0", "std = [0.0, 1.0, 1.0]", "scale = nan", "resize = \"squash\"", "colour = 1"]
        {
            let shipped = include_str!("../../../../../assets/efficientnet-lite0.toml");
            let mut table: toml::Table = toml::from_str(shipped).unwrap();
            table.extend(toml::from_str::<toml::Table>("size = 8\ncrop = 4").unwrap());
            table.extend(toml::from_str::<toml::Table>(text).unwrap());
            assert!(Preprocessing::parse(&toml::to_string(&table).unwrap()).is_err(), "{text}");
        }
        assert!(Preprocessing::parse(include_str!("../../../../../assets/resnet152.toml")).is_ok());
    }
}
