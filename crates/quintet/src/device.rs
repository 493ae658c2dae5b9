//! Where the network's weights live and its arithmetic is done: the processor, or a graphics card.

use burn::tensor::Device as Handle;

use crate::config::{Config, Precision};
use crate::error::{Error, Result};

/// An open device. Copies of it are the same device.
#[derive(Clone, Debug)]
pub struct Device {
    handle: Handle,
    name: String,
    software: bool,
}

impl Device {
    /// The processor, with our own kernels.
    pub fn cpu() -> Device {
        Device { handle: Handle::flex(), name: "cpu".into(), software: false }
    }

    /// Opens the device called `cpu`, `gpu` (Vulkan, Metal or DirectX 12) or `cuda`.
    ///
    /// # Errors
    /// If there is no device of this name, this build cannot use it, or the machine has none.
    pub fn open(name: &str) -> Result<Device> {
        match name {
            "cpu" => Ok(Device::cpu()),
            "gpu" => gpu(),
            "cuda" => cuda(),
            _ => Err(Error::config(format!("there is no device `{name}`")).help("devices are cpu, gpu and cuda")),
        }
    }

    /// `cpu`, or the adapter's own name and how it is reached.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is the processor with our own kernels.
    pub fn is_cpu(&self) -> bool {
        crate::model::ops::has_kernels(&self.handle)
    }

    /// Whether this is a driver that does a card's work on the processor.
    pub fn is_software(&self) -> bool {
        self.software
    }

    /// Waits until the device has done all it was given; on the processor nothing waits.
    ///
    /// # Errors
    /// If the device fails in what it was given.
    pub fn finish(&self) -> Result<()> {
        self.handle.sync().map_err(|e| Error::input(format!("{} failed: {e:?}", self.name)))
    }

    /// What a person should know before `config` is used on this device; `None` on the processor.
    pub fn remark(&self, config: &Config) -> Option<String> {
        if self.is_cpu() {
            return None;
        }
        let mut line = format!("the model runs on {}", self.name);
        if self.software {
            line += "; this is no card but a driver that computes on the processor, slower than without --device";
        }
        if config.model.precision == Precision::Bf16 {
            line += "; model.precision = \"bf16\" is for processors only: everything is computed in f32 here";
        }
        Some(line)
    }

    /// Does `work`, which uses this device. On the processor: one way into the thread pool instead of one for each of
    /// its parallel loops. For a card: on the caller's thread, because Burn keeps a queue of work for each thread, and what
    /// one step leaves in the queue of one thread of the pool must not be what the next step waits for in another's.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        if self.is_cpu() { rayon::scope(|_| work()) } else { work() }
    }

    /// Burn's device.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

#[cfg(feature = "wgpu")]
fn gpu() -> Result<Device> {
    use std::sync::OnceLock;

    use burn::tensor::wgpu::wgpu::DeviceType;

    // An adapter can be opened once in a process.
    static GPU: OnceLock<std::result::Result<Device, String>> = OnceLock::new();
    let open = || {
        let (handle, setup) = Handle::wgpu_options().init_with_setup().map_err(|e| e.to_string())?;
        let info = setup.adapter.get_info();
        let software = info.device_type == DeviceType::Cpu;
        Ok(Device { handle, name: format!("{} ({:?})", info.name, info.backend), software })
    };
    GPU.get_or_init(open).clone().map_err(|why| {
        Error::input(format!("no graphics card can be used: {why}")).help(
            "install the card's driver for Vulkan (Debian: `apt-get install mesa-vulkan-drivers`, which also has a \
             software driver to try it without a card; NVIDIA: its own driver), or leave --device out",
        )
    })
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Device> {
    use burn::tensor::DeviceType;
    if Handle::enumerate(DeviceType::Cuda).into_vec().is_empty() {
        return Err(Error::input("no CUDA device was found").help("install NVIDIA's driver, or leave --device out"));
    }
    let handle = Handle::cuda(0);
    let name = handle.identity().map_or("unnamed".into(), |identity| identity.name);
    Ok(Device { handle, name: format!("{name} (CUDA)"), software: false })
}

#[cfg(not(feature = "wgpu"))]
fn gpu() -> Result<Device> {
    Err(not_built("graphics cards", "wgpu"))
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Device> {
    Err(not_built("CUDA", "cuda"))
}

#[cfg(not(all(feature = "wgpu", feature = "cuda")))]
fn not_built(what: &str, feature: &str) -> Error {
    Error::config(format!("this quintet was built without support for {what}"))
        .help(format!("build it again with it: `cargo install --path crates/cli --features {feature}` (docs/gpu.md)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_needs_no_remark() {
        let device = Device::open("cpu").unwrap();
        assert!(device.is_cpu());
        assert_eq!(device.remark(&Config::default()), None);
    }

    #[test]
    fn what_cannot_be_used_names_the_way_out() {
        let error = |name: &str| Device::open(name).unwrap_err().to_string();
        assert!(error("tpu").contains("cpu, gpu and cuda"));
        #[cfg(not(feature = "wgpu"))]
        assert!(error("gpu").contains("--features wgpu"));
        #[cfg(not(feature = "cuda"))]
        assert!(error("cuda").contains("--features cuda"));
    }
}
