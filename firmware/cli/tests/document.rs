//! The interface descriptions, the document and the types say the same.
//!
//! Every method that is described has its section in `docs/control.md`; a sample of every parameter and reply type, written by the
//! types themselves, has the fields that the description gives it, no more and no fewer, and each of the kind it says.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod samples;
mod varlink;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use samples::{Sample, samples};
use varlink::{Interface, check};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn interfaces() -> BTreeMap<String, Interface> {
    let folder = root().join("firmware/core/src/control");
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "varlink") {
            let interface =
                varlink::parse(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|told| panic!("{}: {told}", path.display()));
            assert_eq!(path.file_stem().unwrap().to_str().unwrap(), interface.name);
            all.insert(interface.name.clone(), interface);
        }
    }
    all
}

#[test]
fn there_is_one_description_for_each_interface() {
    let names: Vec<String> = interfaces().into_keys().collect();
    let nouns = [
        "",
        ".Appliance",
        ".Archive",
        ".Card",
        ".Config",
        ".Device",
        ".Grant",
        ".Job",
        ".Macro",
        ".Mark",
        ".Peer",
        ".Recorder",
        ".Retention",
        ".Service",
        ".Tag",
        ".Tenant",
    ];
    assert_eq!(names, nouns.map(|noun| format!("io.blockhaul{noun}")));
}

#[test]
fn every_method_has_a_section_and_every_section_a_method() {
    let document = fs::read_to_string(root().join("docs/control.md")).unwrap();
    let sections: BTreeSet<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("### io.blockhaul."))
        .collect();
    let mut methods = BTreeSet::new();
    for interface in interfaces().values() {
        let noun = interface.name.trim_start_matches("io.blockhaul").trim_start_matches('.');
        methods.extend(interface.methods.keys().map(|method| format!("{noun}.{method}")));
    }
    assert_eq!(sections, methods.iter().map(String::as_str).collect());
}

#[test]
fn every_field_is_named_in_the_section_of_its_method() {
    let document = fs::read_to_string(root().join("docs/control.md")).unwrap();
    for interface in interfaces().values() {
        for (method, signature) in &interface.methods {
            let head = format!("### {}.{method}\n", interface.name);
            let start = document.find(&head).unwrap_or_else(|| panic!("no section {head}")) + head.len();
            let rest = &document[start..];
            let section = &rest[..rest.find("\n##").unwrap_or(rest.len())];
            for field in signature.parameters.keys().chain(signature.reply.keys()) {
                assert!(
                    section.contains(&format!("`{field}`")),
                    "{}.{method} does not name `{field}`",
                    interface.name
                );
            }
        }
    }
}

#[test]
fn every_error_is_in_the_document() {
    let document = fs::read_to_string(root().join("docs/control.md")).unwrap();
    let interfaces = interfaces();
    for error in &interfaces["io.blockhaul"].errors {
        assert!(document.contains(&format!("`io.blockhaul.{error}`")), "{error}");
    }
}

#[test]
fn types_and_descriptions_have_the_same_fields() {
    let interfaces = interfaces();
    let mut sampled = BTreeSet::new();
    for Sample {
        method,
        full,
        least,
        replies,
    } in samples()
    {
        let (interface, name) = method.rsplit_once('.').unwrap();
        let interface = &interfaces[interface];
        let signature = interface
            .methods
            .get(name)
            .unwrap_or_else(|| panic!("{method} is not described"));
        for value in [&full, &least] {
            check(interface, &signature.parameters, value).unwrap_or_else(|told| panic!("{method}, parameters: {told}"));
        }
        for value in &replies {
            check(interface, &signature.reply, value).unwrap_or_else(|told| panic!("{method}, reply: {told}"));
        }
        for (fields, values) in [
            (&signature.parameters, std::slice::from_ref(&full)),
            (&signature.reply, &replies),
        ] {
            let missing = |field: &&String| values.iter().all(|value| value.get(field.as_str()).is_none());
            let missing: Vec<&String> = fields.keys().filter(missing).collect();
            assert!(missing.is_empty(), "{method}: the types have no {missing:?}");
        }
        sampled.insert(method.to_owned());
    }
    let described = interfaces
        .values()
        .flat_map(|it| it.methods.keys().map(|method| format!("{}.{method}", it.name)));
    assert_eq!(described.collect::<BTreeSet<String>>(), sampled);
}
