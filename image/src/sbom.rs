//! What an image is made of, for whoever has to answer for it: a software bill of materials in CycloneDX 1.6, as JSON.
//!
//! Crates are those that are linked into the daemon on the board's target: build scripts, macros and tests are left out, as
//! nothing of them is in the image. No serial number and no time: the same image has the same bill.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::{Value, json};

use crate::tree::Tree;
use crate::{Result, daemon, process};

/// A file of the image that is listed by its hash.
#[derive(Debug)]
pub struct Part<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it holds.
    pub content: &'a [u8],
}

/// The bill of an image.
pub fn of_image(tree: &Tree, board: &str, target: &str, kernel: &str, parts: &[Part<'_>]) -> Result<Value> {
    let mut bill = of_programs(tree, target, &[daemon::DAEMON], parts)?;
    bill["metadata"]["component"]["name"] = json!(format!("blockhaul-{board}"));
    if let Some(components) = bill["components"].as_array_mut() {
        components.insert(0, kernel_component(kernel));
    }
    Ok(bill)
}

/// The bill of programs: files, and the crates that are linked into them.
pub fn of_programs(tree: &Tree, target: &str, packages: &[&str], parts: &[Part<'_>]) -> Result<Value> {
    let metadata = metadata(tree, target)?;
    let linked = linked(&metadata, packages)?;
    let root = linked.iter().find(|package| package["name"] == packages[0]);
    let version = root.and_then(|package| package["version"].as_str()).unwrap_or_default();
    let mut components: Vec<Value> = parts.iter().map(file_component).collect();
    components.extend(linked.iter().map(|package| crate_component(package)));
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": { "type": "firmware", "name": "blockhaul", "version": version } },
        "components": components,
    }))
}

/// A line for each component: type, name, version, licence.
pub fn table(bill: &Value) -> Vec<[String; 4]> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let components = bill["components"].as_array().into_iter().flatten();
    components
        .map(|one| {
            let licence = &one["licenses"][0];
            let licence = if licence.is_null() {
                "-".to_owned()
            } else {
                text(&licence["expression"])
            };
            [text(&one["type"]), text(&one["name"]), text(&one["version"]), licence]
        })
        .collect()
}

/// `package` is `NAME_VERSION_ARCHITECTURE`, as Debian names the file.
fn kernel_component(package: &str) -> Value {
    let mut words = package.split('_');
    let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let version = version.replace("%3a", ":");
    let architecture = words.next().unwrap_or_default();
    json!({
        "type": "operating-system", "name": name, "version": version,
        "purl": format!("pkg:deb/debian/{name}@{version}?arch={architecture}"),
        "licenses": [{ "expression": "GPL-2.0-only" }],
    })
}

fn file_component(part: &Part<'_>) -> Value {
    let hash = blake3::hash(part.content).to_hex().to_string();
    json!({ "type": "file", "name": part.name, "hashes": [{ "alg": "BLAKE3", "content": hash }] })
}

fn crate_component(package: &Value) -> Value {
    let (name, version) = (
        package["name"].as_str().unwrap_or_default(),
        package["version"].as_str().unwrap_or_default(),
    );
    let mut component = json!({
        "type": "library", "name": name, "version": version, "purl": format!("pkg:cargo/{name}@{version}"),
    });
    if let Some(licence) = package["license"].as_str() {
        // Older crates write a slash for OR.
        component["licenses"] = json!([{ "expression": licence.replace('/', " OR ") }]);
    }
    component
}

fn metadata(tree: &Tree, target: &str) -> Result<Value> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(&tree.root)
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", target]);
    let printed = process::output(&mut command, "cargo")?.stdout;
    serde_json::from_slice(&printed).map_err(|error| format!("What cargo says of the packages cannot be read: {error}."))
}

/// The packages that are linked into the programs of packages `roots`, sorted by name and version.
fn linked<'a>(metadata: &'a Value, roots: &[&str]) -> Result<Vec<&'a Value>> {
    let list = |value: &'a Value| value.as_array().into_iter().flatten();
    let packages: BTreeMap<&str, &Value> = list(&metadata["packages"])
        .filter_map(|one| Some((one["id"].as_str()?, one)))
        .collect();
    let nodes: BTreeMap<&str, &Value> = list(&metadata["resolve"]["nodes"])
        .filter_map(|one| Some((one["id"].as_str()?, one)))
        .collect();
    let mut open = Vec::new();
    for root in roots {
        let found = packages.iter().find(|(_, package)| package["name"] == *root);
        open.push(*found.ok_or_else(|| format!("There is no package {root}."))?.0);
    }
    let mut seen: BTreeSet<&str> = open.iter().copied().collect();
    while let Some(id) = open.pop() {
        for dependency in nodes.get(id).into_iter().flat_map(|node| list(&node["deps"])) {
            let is_linked = list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null());
            let Some(other) = dependency["pkg"].as_str().filter(|_| is_linked) else {
                continue;
            };
            let is_macro = packages.get(other).is_some_and(|package| is_macro(package));
            if !is_macro && seen.insert(other) {
                open.push(other);
            }
        }
    }
    let mut found: Vec<&Value> = seen.iter().filter_map(|id| packages.get(id).copied()).collect();
    found.sort_by_key(|package| (package["name"].as_str(), package["version"].as_str()));
    Ok(found)
}

fn is_macro(package: &Value) -> bool {
    let targets = package["targets"].as_array().into_iter().flatten();
    targets
        .flat_map(|target| target["kind"].as_array().into_iter().flatten())
        .any(|kind| kind == "proc-macro")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_linked_is_listed() {
        let package = |name: &str, kind: &str| {
            json!({ "id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0",
            "targets": [{ "kind": [kind] }] })
        };
        let dep = |name: &str, kind: Value| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [package("root", "bin"), package("a", "lib"), package("b", "lib"), package("m", "proc-macro"), package("t", "lib")],
            "resolve": { "nodes": [
                { "id": "root", "deps": [dep("b", Value::Null), dep("m", Value::Null), dep("t", json!("dev"))] },
                { "id": "b", "deps": [dep("a", Value::Null)] },
                { "id": "a", "deps": [] }, { "id": "m", "deps": [dep("t", Value::Null)] }, { "id": "t", "deps": [] },
            ] },
        });
        let names: Vec<_> = linked(&metadata, &["root"])
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["a", "b", "root"]);
        assert!(linked(&metadata, &["none"]).is_err());
        assert_eq!(
            crate_component(&package("a", "lib"))["licenses"][0]["expression"],
            "MIT OR Apache-2.0"
        );
    }

    #[test]
    fn the_kernel_is_named_as_its_package() {
        let kernel = kernel_component("linux-image-6.12.117+deb12-amd64_6.12.117-1~deb12u1_amd64");
        assert_eq!(kernel["name"], "linux-image-6.12.117+deb12-amd64");
        assert_eq!(kernel["version"], "6.12.117-1~deb12u1");
    }

    #[test]
    fn the_daemon_of_this_tree_has_a_bill() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let tree = Tree {
            target: root.join("target"),
            root,
        };
        let parts = [Part {
            name: "init",
            content: b"abc",
        }];
        let bill = of_image(&tree, "b", "x86_64-unknown-linux-gnu", "k_1_amd64", &parts).unwrap();
        let table = table(&bill);
        let named = |name: &str| table.iter().find(|row| row[1] == name);
        assert!(named("blockhaul-core").is_some() && named("rustls").is_some());
        assert!(named("clap").is_none(), "the command line is not in the image");
        assert!(
            table.iter().filter(|row| row[0] == "library").all(|row| row[3] != "-"),
            "a licence each"
        );
    }
}
