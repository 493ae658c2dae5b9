//! `[image]`: files -> decoded, resized, normalised -> ONNX encoder -> unit vectors, cached by content.
//!
//! An encoder is an ONNX file with its preprocessing beside it (`resnet152.onnx` + `resnet152.toml`,
//! [`Preprocessing`]), or the shipped `efficientnet-lite0`. ResNet-152, the published setting, comes from torchvision:
//!
//! ```text
//! python -c "import torch, torchvision as tv; m = tv.models.resnet152(weights='IMAGENET1K_V1').eval(); \
//!   m.fc = torch.nn.Identity(); torch.onnx.export(m, torch.zeros(1, 3, 224, 224), 'resnet152.onnx', dynamo=False)"
//! cp assets/resnet152.toml .
//! ```
//!
//! Plain convolutional networks, the shipped one and ResNets among them, run on our own kernels (`convnet`); any other on
//! `rten`. Every image runs through the network alone, on one thread, so its feature depends on nothing but the image, the
//! encoder and the kind of processor: not on its batch, the number of threads or the order of files.

use std::fs;
use std::path::{Path, PathBuf};

use fast_image_resize::Resizer;
use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::error::{AtPath, Error, Result};

mod convnet;
pub mod decode;
mod layers;
mod network;
mod onnx;
pub mod preprocess;
mod stamps;
pub mod store;

use network::{Network, Workspace};
use preprocess::Pooling;
pub use preprocess::Preprocessing;
pub use store::{ImageFeature, ImageStore};

/// Name of the shipped encoder.
pub const SHIPPED: &str = "efficientnet-lite0";
static SHIPPED_NETWORK: &[u8] = include_bytes!("../../../../assets/efficientnet-lite0.onnx.zst");
static SHIPPED_PREPROCESSING: &str = include_str!("../../../../assets/efficientnet-lite0.toml");
/// Raised whenever our own decoding or resizing changes features, so that cached ones are not mixed with new ones.
const PIPELINE: &[u8] = b"quintet image pipeline 1";
/// What [`ImageEncoder::save`] writes to say which encoder a folder holds.
const SAVED: &str = "encoder.toml";

/// An image encoder with its preprocessing.
pub struct ImageEncoder {
    network: Network,
    preprocessing: Preprocessing,
    dim: usize,
    region_shape: Option<[usize; 2]>,
    id: String,
    /// The ONNX file it was opened from; `None` for the shipped one.
    file: Option<PathBuf>,
}

/// What one thread needs to encode images: made by [`ImageEncoder::worker`], used by one thread at a time.
pub struct Worker {
    workspace: Workspace,
    resizer: Resizer,
}

/// `encoder.toml` in a folder that [`ImageEncoder::save`] wrote.
#[derive(Serialize, Deserialize)]
struct Saved {
    encoder: String,
    id: String,
}

impl ImageEncoder {
    /// `efficientnet-lite0` (shipped in the binary) or the path of an ONNX file with `NAME.toml` beside it.
    ///
    /// # Errors
    /// If a file is missing or is no usable encoder.
    pub fn open(spec: &str) -> Result<ImageEncoder> {
        if spec == SHIPPED { Self::open_shipped() } else { Self::open_file(Path::new(spec)) }
    }

    /// Opens what [`ImageEncoder::save`] wrote into `folder`.
    ///
    /// # Errors
    /// If a file is missing, or the encoder is not the one that was saved.
    pub fn open_saved(folder: &Path) -> Result<ImageEncoder> {
        let path = folder.join(SAVED);
        let text = fs::read_to_string(&path).at(&path)?;
        let saved: Saved = toml::from_str(&text).map_err(|e| Error::input(e.to_string()).at(&path))?;
        let encoder = if saved.encoder == SHIPPED {
            Self::open_shipped()?
        } else {
            Self::open_file(&folder.join(&saved.encoder))?
        };
        if encoder.id != saved.id {
            return Err(Error::input(format!(
                "the image encoder `{}` is not the one that was saved here",
                saved.encoder
            ))
            .at(&path)
            .help("use the version of quintet that wrote this folder, or compute the features and train again"));
        }
        Ok(encoder)
    }

    /// Length of a feature.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Identity of weights and preprocessing (a hash in hex): features of different identity never mix.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Names the cached features: the identity and what computes them, for the last bits are those of the arithmetic.
    pub fn cache_name(&self) -> String {
        match &self.network {
            Network::Ours(_) => format!("{}-{}", self.id, convnet::EXECUTOR),
            Network::General { .. } => self.id.clone(),
        }
    }

    /// How images are prepared.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// Writes what is needed to open this encoder from `folder` again (nothing but a name for the shipped one).
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let encoder = match &self.file {
            None => SHIPPED.to_owned(),
            Some(file) => {
                for part in parts(file) {
                    copy(&part, folder)?;
                }
                file_name(file)
            }
        };
        let saved = Saved { encoder, id: self.id.clone() };
        let text = toml::to_string(&saved).map_err(|e| Error::internal(e.to_string()))?;
        atomic::write_bytes(&folder.join(SAVED), text.as_bytes())
    }

    /// What a thread needs to call [`ImageEncoder::encode`].
    pub fn worker(&self) -> Worker {
        Worker { workspace: self.network.workspace(), resizer: Resizer::new() }
    }

    /// The feature `[dim]` of an image file's bytes, of unit length.
    ///
    /// # Errors
    /// A reason in a few words: what is wrong with the image.
    pub fn encode(&self, worker: &mut Worker, bytes: &[u8]) -> Result<Vec<f32>, String> {
        let image = decode::decode(bytes)?;
        let tensor = self.preprocessing.tensor(&mut worker.resizer, &image)?;
        drop(image);
        self.encode_tensor(worker, &tensor)
    }

    /// The feature `[dim]` of an image that is prepared as [`ImageEncoder::preprocessing`] says, of unit length.
    ///
    /// # Errors
    /// A reason in a few words.
    ///
    /// # Panics
    /// If the tensor doesn't have [`Preprocessing::shape`].
    pub fn encode_tensor(&self, worker: &mut Worker, tensor: &[f32]) -> Result<Vec<f32>, String> {
        assert_eq!(tensor.len(), self.preprocessing.shape().iter().product::<usize>(), "a prepared image");
        unit(self.run(worker, tensor)?)
    }

    /// Number and length of an image's regions ([`ImageEncoder::regions`]), such as 49 and 1280; `None` for an encoder
    /// whose network shows no map of the image.
    pub fn region_shape(&self) -> Option<[usize; 2]> {
        self.region_shape
    }

    /// The regions of an image file's bytes `[regions, length]`: what the network has of each part of the image before it
    /// pools them into one vector, row after row of the image. Not scaled to unit length.
    ///
    /// # Errors
    /// A reason in a few words: what is wrong with the image, or that the encoder has no regions.
    pub fn regions(&self, worker: &mut Worker, bytes: &[u8]) -> Result<Vec<f32>, String> {
        if self.region_shape.is_none() {
            return Err("the encoder shows no regions of an image".to_owned());
        }
        let tensor = self.preprocessing.tensor(&mut worker.resizer, &decode::decode(bytes)?)?;
        self.network.run_map(&mut worker.workspace, self.preprocessing.shape(), &tensor)
    }

    /// Runs the network on one prepared image and pools: `[dim]`, not normalised.
    fn run(&self, worker: &mut Worker, tensor: &[f32]) -> Result<Vec<f32>, String> {
        let (shape, values) = self.network.run(&mut worker.workspace, self.preprocessing.shape(), tensor)?;
        pool(self.preprocessing.pooling, &shape, &values)
    }

    fn open_shipped() -> Result<ImageEncoder> {
        let network =
            zstd::decode_all(SHIPPED_NETWORK).map_err(|e| Error::internal(format!("shipped encoder: {e}")))?;
        let mut hash = blake3::Hasher::new();
        hash.update(SHIPPED_NETWORK);
        let preprocessing = Preprocessing::parse(SHIPPED_PREPROCESSING)?;
        let network = Network::of_bytes(network, &preprocessing)?;
        Self::new(network, preprocessing, hash, None)
    }

    fn open_file(file: &Path) -> Result<ImageEncoder> {
        if !file.is_file() {
            return Err(Error::input("no such image encoder").at(file).help(format!(
                "`encoder` is `{SHIPPED}` or the path of an ONNX file; docs/encoders.md shows how to make one"
            )));
        }
        let settings = file.with_extension("toml");
        if !settings.is_file() {
            return Err(Error::input("the encoder's preprocessing file is missing")
                .at(&settings)
                .help("put a TOML file of the same name beside the ONNX file; docs/encoders.md lists its keys"));
        }
        let text = fs::read_to_string(&settings).at(&settings)?;
        let preprocessing = Preprocessing::parse(&text).map_err(|e| e.at(&settings))?;
        let mut hash = blake3::Hasher::new();
        for part in parts(file).iter().filter(|p| **p != settings) {
            hash.update_reader(fs::File::open(part).at(part)?).at(part)?;
        }
        let network = Network::of_file(file, &data_of(file), &preprocessing).map_err(|e| e.at(file))?;
        Self::new(network, preprocessing, hash, Some(file.to_owned())).map_err(|e| e.at(file))
    }

    /// Runs the network once, so that what does not fit is said before any image is read.
    fn new(
        network: Network,
        preprocessing: Preprocessing,
        mut hash: blake3::Hasher,
        file: Option<PathBuf>,
    ) -> Result<Self> {
        let settings = serde_json::to_vec(&preprocessing).map_err(|e| Error::internal(e.to_string()))?;
        hash.update(&settings).update(PIPELINE);
        let id = hash.finalize().to_hex()[..16].to_owned();
        let mut encoder = ImageEncoder { network, preprocessing, dim: 0, region_shape: None, id, file };
        let blank = vec![0.0; encoder.preprocessing.shape().iter().product()];
        let (shape, pooling) = (encoder.preprocessing.shape(), encoder.preprocessing.pooling);
        let passed = encoder.network.run(&mut encoder.worker().workspace, shape, &blank);
        let pooled = passed.and_then(|(shape, values)| Ok((pool(pooling, &shape, &values)?, shape)));
        let (feature, shape) = pooled.map_err(|reason| {
            Error::input(format!(
                "a blank image of shape {:?} does not go through: {reason}",
                encoder.preprocessing.shape()
            ))
            .help("check `crop`, `layout`, `output` and `pooling` in the preprocessing file")
        })?;
        encoder.dim = feature.len();
        encoder.region_shape = encoder.network.map_shape(pooling, &shape);
        Ok(encoder)
    }
}

/// The files of an encoder: network, preprocessing and, where PyTorch put the weights beside the network, `NAME.onnx.data`.
fn parts(file: &Path) -> Vec<PathBuf> {
    let data = data_of(file);
    let mut parts = vec![file.to_owned(), file.with_extension("toml")];
    if data.is_file() {
        parts.push(data);
    }
    parts
}

/// Where PyTorch puts the weights of a large network.
fn data_of(file: &Path) -> PathBuf {
    let mut data = file.as_os_str().to_owned();
    data.push(".data");
    PathBuf::from(data)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Copies `file` into `folder` unless it is there already.
fn copy(file: &Path, folder: &Path) -> Result<()> {
    let target = folder.join(file_name(file));
    let same = matches!((file.canonicalize(), target.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if same {
        return Ok(());
    }
    let mut source = fs::File::open(file).at(file)?;
    atomic::write(&target, |out| std::io::copy(&mut source, out).at(&target))?;
    Ok(())
}

/// One vector from an output of `shape`, as [`Pooling`] says.
fn pool(pooling: Pooling, shape: &[usize], values: &[f32]) -> Result<Vec<f32>, String> {
    let misfit = || Err(format!("an output of shape {shape:?} cannot be pooled by `{pooling:?}`"));
    match (pooling, shape) {
        (Pooling::None, [1, dim, rest @ ..]) if rest.iter().all(|&n| n == 1) && *dim > 0 => Ok(values.to_vec()),
        (Pooling::Mean, [1, dim, rest @ ..]) if rest.iter().product::<usize>() > 0 && *dim > 0 => {
            let n = rest.iter().product::<usize>();
            Ok(values.chunks_exact(n).map(|area| area.iter().sum::<f32>() / n as f32).collect())
        }
        (Pooling::FirstToken, [1, tokens, dim]) if *tokens > 0 && *dim > 0 => Ok(values[..*dim].to_vec()),
        _ => misfit(),
    }
}

/// The vector divided by its length.
fn unit(mut feature: Vec<f32>) -> Result<Vec<f32>, String> {
    let norm = feature.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    if !norm.is_finite() || norm == 0.0 {
        return Err("the encoder gave no usable feature".to_owned());
    }
    for v in &mut feature {
        *v = (f64::from(*v) / norm) as f32;
    }
    Ok(feature)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The drawing of `reference/efficientnet.py`.
    fn drawn() -> Vec<u8> {
        let image = image::RgbImage::from_fn(300, 260, |x, y| {
            let (dx, dy) = (x as i32 - 100, y as i32 - 90);
            let red = if dx * dx + dy * dy < 3600 { 255 } else { (x * 255 / 299) as u8 };
            image::Rgb([red, (y * 255 / 259) as u8, ((x / 20 + y / 20) % 2 * 200) as u8])
        });
        let mut png = std::io::Cursor::new(Vec::new());
        image.write_to(&mut png, image::ImageFormat::Png).unwrap();
        png.into_inner()
    }

    #[test]
    fn the_shipped_encoder_gives_the_reference_feature() {
        #[derive(Deserialize)]
        struct Reference {
            feature: Vec<f64>,
        }
        let text = include_str!("../../../../reference/efficientnet_features.json");
        let want = serde_json::from_str::<Reference>(text).unwrap().feature;
        let encoder = ImageEncoder::open(SHIPPED).unwrap();
        assert_eq!((encoder.dim(), want.len()), (1280, 1280));
        let got = encoder.encode(&mut encoder.worker(), &drawn()).unwrap();
        let norm = want.iter().map(|v| v * v).sum::<f64>().sqrt();
        let cosine = got.iter().zip(&want).map(|(&g, w)| f64::from(g) * w).sum::<f64>() / norm;
        assert!(cosine > 0.9995, "cosine {cosine}");
    }

    /// The shipped network ends in convolution, clamp and mean: its feature is the mean of its regions.
    #[test]
    fn the_mean_of_the_regions_is_the_feature() {
        let encoder = ImageEncoder::open(SHIPPED).unwrap();
        assert_eq!(encoder.region_shape(), Some([49, 1280]));
        let mut worker = encoder.worker();
        let regions = encoder.regions(&mut worker, &drawn()).unwrap();
        assert_eq!(regions.len(), 49 * 1280);
        let mut mean = vec![0.0; 1280];
        regions.chunks(1280).for_each(|region| mean.iter_mut().zip(region).for_each(|(m, v)| *m += v / 49.0));
        let (mean, feature) = (unit(mean).unwrap(), encoder.encode(&mut worker, &drawn()).unwrap());
        assert!(mean.iter().zip(&feature).all(|(a, b)| (a - b).abs() < 1e-5));
        let first = &regions[..1280];
        assert!(regions.chunks(1280).any(|region| region != first), "regions differ");
        assert!(encoder.regions(&mut worker, b"no image").is_err());
    }

    #[test]
    fn an_encoder_opens_from_the_folder_it_was_saved_in() {
        let folder = tempfile::tempdir().unwrap();
        let encoder = ImageEncoder::open(SHIPPED).unwrap();
        encoder.save(folder.path()).unwrap();
        assert_eq!(ImageEncoder::open_saved(folder.path()).unwrap().id(), encoder.id());

        // The same network as a file of the user's, with other preprocessing: another identity.
        let own = folder.path().join("own.onnx");
        fs::write(&own, zstd::decode_all(SHIPPED_NETWORK).unwrap()).unwrap();
        let help = ImageEncoder::open(own.to_str().unwrap()).err().unwrap();
        assert!(help.to_string().contains("own.toml"), "{help}");
        fs::write(own.with_extension("toml"), SHIPPED_PREPROCESSING.replace("shorter-side", "squash")).unwrap();
        let squashed = ImageEncoder::open(own.to_str().unwrap()).unwrap();
        assert_ne!(squashed.id(), encoder.id());
        let other = tempfile::tempdir().unwrap();
        squashed.save(other.path()).unwrap();
        assert_eq!(ImageEncoder::open_saved(other.path()).unwrap().id(), squashed.id());
    }

    #[test]
    fn unusable_encoders_say_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("e.onnx");
        let open = |network: &[u8], settings: &str| {
            fs::write(&file, network).unwrap();
            fs::write(file.with_extension("toml"), settings).unwrap();
            ImageEncoder::open(file.to_str().unwrap()).err().unwrap().to_string()
        };
        let network = zstd::decode_all(SHIPPED_NETWORK).unwrap();
        assert!(open(b"not a network", SHIPPED_PREPROCESSING).contains("not a usable ONNX file"));
        assert!(open(&network, &SHIPPED_PREPROCESSING.replace("NCHW", "NHWC")).contains("does not go through"));
        assert!(
            open(&network, &SHIPPED_PREPROCESSING.replace("\"feature\"", "\"logits\""))
                .contains("its outputs are feature")
        );
        assert!(
            open(&network, &SHIPPED_PREPROCESSING.replace("\"none\"", "\"first-token\"")).contains("cannot be pooled")
        );
        assert!(ImageEncoder::open("nowhere.onnx").err().unwrap().to_string().contains(SHIPPED));
    }
}
