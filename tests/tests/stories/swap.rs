//! Somebody puts another archive's volume where ours was. It is foreign, nothing is recorded to it, not a byte of it changes, and ours goes on
//! when it is back. So it is with a file and with a block device.

use std::fs;
use std::path::Path;

use blockhaul_tests::Result;
use blockhaul_tests::appliance::{Appliance, free_address};

use crate::stage::{CAMERA, CARD, archive_field, ask, create, events, folder, programs, wait_until};
use crate::stream::{blocks, export, record, same};
use crate::volume::{Loop, blank, hash};

#[test]
fn a_file_of_another_archive_is_not_touched() -> Result<()> {
    let (programs, folder) = (programs()?, folder()?);
    let mut appliance = Appliance::new("camera", folder.path(), &programs, Some(free_address()?))?;
    appliance.start()?;
    let [ours, other, aside] = ["ours", "other", "aside"].map(|name| folder.path().join(name));
    create(&appliance, CARD, &ours, &["--size", "16MiB"])?;
    create(&appliance, "other", &other, &["--size", "16MiB"])?;
    let recorded = blocks(0, 30);
    record(&appliance, CARD, CAMERA, &recorded)?;
    record(&appliance, "other", CAMERA, &blocks(1, 10))?;
    appliance.stop()?;
    fs::rename(&ours, &aside)
        .and_then(|()| fs::rename(&other, &ours))
        .map_err(|error| error.to_string())?;
    is_left_alone(&mut appliance, &ours)?;
    fs::rename(&ours, &other)
        .and_then(|()| fs::rename(&aside, &ours))
        .map_err(|error| error.to_string())?;
    goes_on(&mut appliance, folder.path(), &recorded)
}

#[test]
fn a_device_of_another_archive_is_not_touched() -> Result<()> {
    let (programs, folder) = (programs()?, folder()?);
    let images = ["a", "b"].map(|name| folder.path().join(name));
    blank(&images[0], 16 << 20)?;
    blank(&images[1], 16 << 20)?;
    // The path in the settings is a link: device names are given out anew at each start of a machine.
    let path = folder.path().join("disk");
    let mut appliance = Appliance::new("camera", folder.path(), &programs, None)?;
    let [first, second] = [Loop::attach(&images[0])?, Loop::attach(&images[1])?];
    let plug = |device: &Loop| {
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink(&device.device, &path).map_err(|error| error.to_string())
    };
    plug(&first)?;
    appliance.start()?;
    create(&appliance, CARD, &path, &[])?;
    create(&appliance, "other", &second.device, &[])?;
    let recorded = blocks(0, 30);
    record(&appliance, CARD, CAMERA, &recorded)?;
    appliance.stop()?;
    plug(&second)?;
    is_left_alone(&mut appliance, &images[1])?;
    plug(&first)?;
    goes_on(&mut appliance, folder.path(), &recorded)
}

/// Starts with the wrong image, tries to use it, and stops.
fn is_left_alone(appliance: &mut Appliance, image: &Path) -> Result<()> {
    let before = hash(image)?;
    appliance.start()?;
    wait_until("the archive to be foreign", || {
        Ok(archive_field(appliance, CARD, "state")? == "foreign")
    })?;
    let why = archive_field(appliance, CARD, "why")?;
    let action = archive_field(appliance, CARD, "action")?;
    assert!(
        why.as_str() > Some("") && action.as_str() > Some(""),
        "foreign, and no reason: {why} {action}"
    );
    assert_eq!(events(appliance, "uuid-mismatch")?.len(), 1);
    let input = appliance.folder().join("input");
    fs::write(&input, blocks(9, 2)).map_err(|error| error.to_string())?;
    let input = input.display().to_string();
    let recorded = ask(
        appliance,
        &["record", "--archive", CARD, "--camera", CAMERA, "--input", &input],
    )?;
    assert!(
        [11, 12].contains(&recorded.exit),
        "recording into a foreign volume: {recorded:?}"
    );
    appliance.stop()?;
    assert_eq!(hash(image)?, before, "a byte of the foreign volume was changed");
    Ok(())
}

/// Starts with the right volume again.
fn goes_on(appliance: &mut Appliance, folder: &Path, recorded: &[u8]) -> Result<()> {
    appliance.start()?;
    wait_until("the archive to be ready", || {
        Ok(archive_field(appliance, CARD, "state")? == "ready")
    })?;
    let more = blocks(2, 5);
    record(appliance, CARD, CAMERA, &more)?;
    let (_, bytes) = export(appliance, CARD, &folder.join("out"))?;
    same("what our volume has", &bytes, &[recorded, &more].concat())
}
