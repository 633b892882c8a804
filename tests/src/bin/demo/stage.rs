//! The stage: two appliances, their archives, the network between them, paired, and the job that hauls.

use std::fs;
use std::path::Path;

use blockhaul_tests::Result;
use blockhaul_tests::appliance::{Appliance, free_address};
use blockhaul_tests::programs::{Programs, target_folder};
use blockhaul_tests::proxy::Proxy;
use tempfile::TempDir;

use crate::Options;
use crate::original::Original;

/// Camera that is recorded.
pub const CAMERA: &str = "cam1";
/// Archive at the source.
pub const CARD: &str = "card";
/// Archive at the target.
pub const VAULT: &str = "vault";
/// Job at the source.
pub const JOB: &str = "cam1-to-store";

const MEBIBYTE: u64 = 1 << 20;
/// Smallest volume file.
const VOLUME_BYTES_MIN: u64 = 256 * MEBIBYTE;

/// Everything that the story needs.
pub struct Stage {
    /// What is recorded.
    pub original: Original,
    /// The appliance at the camera.
    pub source: Appliance,
    /// The appliance that keeps.
    pub target: Appliance,
    /// The network between them.
    pub network: Proxy,
    /// Goes away with everything in it.
    pub folder: TempDir,
}

impl Stage {
    /// Starts both daemons, makes the archives, pairs, and saves the job.
    pub fn set(options: &Options, programs: &Programs) -> Result<Stage> {
        // Beside the build: temporary folders are often in memory, and that is no disk.
        let beside = target_folder()?;
        let folder = TempDir::with_prefix_in("demo-", &beside);
        let folder = folder.map_err(|error| format!("no folder can be made in {}: {error}.", beside.display()))?;
        let original = match &options.input {
            Some(input) => Original::given(folder.path(), input)?,
            None => Original::picture(folder.path(), options.size * 1_000_000)?,
        };
        let listen = free_address()?;
        let mut source = Appliance::new("camera", folder.path(), programs, None)?;
        let mut target = Appliance::new("store", folder.path(), programs, Some(listen))?;
        source.start()?;
        target.start()?;
        let network = Proxy::start(listen).map_err(|error| format!("no port for the proxy: {error}"))?;
        let stage = Stage {
            original,
            source,
            target,
            network,
            folder,
        };
        stage.create_archives(options)?;
        stage.pair()?;
        Ok(stage)
    }

    fn create_archives(&self, options: &Options) -> Result<()> {
        let wanted = (self.original.bytes / 2 * 3).next_multiple_of(MEBIBYTE) + 64 * MEBIBYTE;
        let size = format!("{}MiB", wanted.max(VOLUME_BYTES_MIN) / MEBIBYTE);
        let create = |at: &Appliance, archive: &str, mode: &str, device: &Option<_>, destroy: &Option<String>| {
            let file = at.folder().join("volume");
            let volume: &Path = device.as_deref().unwrap_or(&file);
            let volume = volume.display().to_string();
            let mut arguments = vec!["archive", "create", archive, "--mode", mode, "--volume", &volume];
            if device.is_none() {
                arguments.extend(["--size", &size]);
            }
            if let Some(destroy) = destroy {
                arguments.extend(["--destroy", destroy]);
            }
            at.call(&arguments).map(drop)
        };
        create(&self.source, CARD, "ring", &options.volume_source, &options.destroy_source)?;
        create(&self.target, VAULT, "append", &options.volume_target, &options.destroy_target)
    }

    /// Each side knows the other's key; the target gives a token; the job at the source carries it.
    fn pair(&self) -> Result<()> {
        let source_key = self.source.text(&["identity"], "fingerprint")?;
        let target_key = self.target.text(&["identity"], "fingerprint")?;
        let route = self.network.address().to_string();
        self.target.call(&["peer", "add", "camera", "--key", &source_key])?;
        self.source
            .call(&["peer", "add", "store", "--route", &route, "--key", &target_key])?;
        let grant = ["grant", "create", "--peer", "camera", "--archive", VAULT, "--camera", CAMERA];
        let token = self.target.text(&grant, "token")?;
        let token_file = self.source.folder().join("token");
        fs::write(&token_file, token).map_err(|error| format!("the token cannot be kept: {error}"))?;
        let token_file = token_file.display().to_string();
        let to = format!("store/{VAULT}");
        let job = [
            "job", "create", JOB, "--from", CARD, "--to", &to, "--camera", CAMERA, "--mode", "always",
        ];
        self.source.call(&[&job[..], &["--token-file", &token_file]].concat())?;
        Ok(())
    }
}
