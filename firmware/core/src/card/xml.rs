//! The elements of a small XML document: names, attributes, texts.
//!
//! Not XML: no document types, no CDATA, no references (`&…;` stays as it is), no namespaces (what stands before a colon is left out).
//! That is all that the index files of cameras need; the packages for more want the standard library.
//!
//! Pure. Invariants: one pass, memory for the names above an element; a document that is cut short is none.

use alloc::vec::Vec;

/// Elements within elements.
const DEPTH_MAX: usize = 16;

/// What a document says at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// An attribute of the innermost element: name and value.
    Attribute(&'a str, &'a str),
    /// A text in the innermost element, without space around it.
    Text(&'a str),
}

/// Tells everything that a document says, with the names of the elements around it, the outermost first. None if it is not whole.
pub fn walk<'a>(text: &'a str, each: &mut dyn FnMut(&[&'a str], Said<'a>)) -> Option<()> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut path: Vec<&'a str> = Vec::new();
    let mut ended = false;
    while let Some((before, tag)) = rest.split_once('<') {
        let before = before.trim();
        if !before.is_empty() {
            if path.is_empty() {
                return None;
            }
            each(&path, Said::Text(before));
        }
        rest = if let Some(remark) = tag.strip_prefix("!--") {
            remark.split_once("-->")?.1
        } else if let Some(instruction) = tag.strip_prefix('?') {
            instruction.split_once("?>")?.1
        } else if let Some(closing) = tag.strip_prefix('/') {
            let (name, behind) = closing.split_once('>')?;
            if path.pop() != Some(local(name.trim_end())?) {
                return None;
            }
            ended = path.is_empty();
            behind
        } else {
            if ended || path.len() >= DEPTH_MAX {
                return None;
            }
            let behind = open(tag, &mut path, each)?;
            ended = path.is_empty();
            behind
        };
    }
    (ended && rest.trim().is_empty()).then_some(())
}

/// Behind the first character of an element: its name and attributes. What is empty is closed at once.
fn open<'a>(tag: &'a str, path: &mut Vec<&'a str>, each: &mut dyn FnMut(&[&'a str], Said<'a>)) -> Option<&'a str> {
    let end = tag.find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/' | '<' | '='))?;
    path.push(local(&tag[..end])?);
    let mut rest = &tag[end..];
    loop {
        rest = rest.trim_start();
        if let Some(behind) = rest.strip_prefix("/>") {
            path.pop();
            return Some(behind);
        }
        if let Some(behind) = rest.strip_prefix('>') {
            return Some(behind);
        }
        let (name, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, behind) = value[1..].split_once(quote)?;
        if value.contains('<') {
            return None;
        }
        each(path, Said::Attribute(local(name.trim_end())?, value));
        rest = behind;
    }
}

/// A name without what stands before its colon.
fn local(name: &str) -> Option<&str> {
    let name = name.rsplit_once(':').map_or(name, |(_, name)| name);
    let good = |c: char| !c.is_whitespace() && !matches!(c, '<' | '>' | '/' | '=' | '"' | '\'' | '&');
    (!name.is_empty() && name.chars().all(good)).then_some(name)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    fn told(text: &str) -> Option<String> {
        let mut told = String::new();
        walk(text, &mut |path, said| {
            let line = match said {
                Said::Attribute(name, value) => format!("{}@{name}={value};", path.join("/")),
                Said::Text(value) => format!("{}={value};", path.join("/")),
            };
            told.push_str(&line);
        })?;
        Some(told)
    }

    #[test]
    fn elements_attributes_and_texts() {
        let text = "\u{feff}<?xml version='1.0'?><!-- a > b --><a:R T=\"1\" U = 'x y' ><B/> <C >  t </C><D e='>'/></a:R>\n";
        assert_eq!(told(text).unwrap(), "R@T=1;R@U=x y;R/C=t;R/D@e=>;");
    }

    #[test]
    fn what_is_not_whole_is_nothing() {
        let whole = "<R T='1'><A>2026</A></R>";
        assert!(told(whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(told(&whole[..end]), None, "{}", &whole[..end]);
        }
        for bad in [
            "",
            "x",
            "<a></b>",
            "<a/><b/>",
            "<!DOCTYPE a><a/>",
            "<a>\u{0}</a",
            "<a b/>",
            "<a b=c/>",
            "</a>",
            "< a/>",
        ] {
            assert_eq!(told(bad), None, "{bad}");
        }
        let deep = format!("{}{}", "<a>".repeat(DEPTH_MAX + 1), "</a>".repeat(DEPTH_MAX + 1));
        assert_eq!(told(&deep), None);
    }
}
