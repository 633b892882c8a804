//! As much of the Varlink interface language as the descriptions use: types, methods, errors; and a check of values against it.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;

use serde_json::Value;

/// Names and types of fields.
pub type Fields = BTreeMap<String, Type>;

/// One interface.
#[derive(Debug, Default)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Named types.
    pub types: BTreeMap<String, Type>,
    /// Methods.
    pub methods: BTreeMap<String, Signature>,
    /// Names of errors.
    pub errors: Vec<String>,
}

/// What a method takes and gives.
#[derive(Debug, Default)]
pub struct Signature {
    /// Parameters.
    pub parameters: Fields,
    /// Fields of the reply.
    pub reply: Fields,
}

/// A type.
#[derive(Clone, Debug)]
pub enum Type {
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `string`
    Text,
    /// `?T`
    Maybe(Box<Type>),
    /// `[]T`
    List(Box<Type>),
    /// Fields in parentheses.
    Struct(Fields),
    /// Words in parentheses.
    Enum(Vec<String>),
    /// The name of another type.
    Named(String),
}

struct Parser<'a> {
    words: std::iter::Peekable<std::vec::IntoIter<&'a str>>,
}

/// Words and signs of the text, without comments.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for line in text.lines() {
        let mut line = line.split('#').next().unwrap_or_default();
        while let Some(start) = line.find(|c: char| !c.is_whitespace()) {
            line = &line[start..];
            let signs = ["->", "[]", "(", ")", ",", ":", "?"];
            let length = signs.iter().find(|sign| line.starts_with(**sign)).map_or_else(
                || {
                    line.find(|c: char| !(c.is_alphanumeric() || "._-".contains(c)))
                        .unwrap_or(line.len())
                        .max(1)
                },
                |sign| sign.len(),
            );
            words.push(&line[..length]);
            line = &line[length..];
        }
    }
    words
}

/// Reads a description.
pub fn parse(text: &str) -> Result<Interface, String> {
    let mut parser = Parser {
        words: words(text).into_iter().peekable(),
    };
    parser.expect("interface")?;
    let mut interface = Interface {
        name: parser.word()?.to_owned(),
        ..Interface::default()
    };
    while let Some(keyword) = parser.words.next() {
        let name = parser.word()?.to_owned();
        if !name.starts_with(|c: char| c.is_ascii_uppercase()) || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format!("{name} is not a name of a type, method or error"));
        }
        match keyword {
            "type" => drop(interface.types.insert(name, parser.body()?)),
            "error" => {
                parser.fields()?;
                interface.errors.push(name);
            }
            "method" => {
                let parameters = parser.fields()?;
                parser.expect("->")?;
                drop(interface.methods.insert(
                    name,
                    Signature {
                        parameters,
                        reply: parser.fields()?,
                    },
                ));
            }
            other => return Err(format!("{other} is no member of an interface")),
        }
    }
    Ok(interface)
}

impl<'a> Parser<'a> {
    fn word(&mut self) -> Result<&'a str, String> {
        self.words.next().ok_or_else(|| "it ends too early".into())
    }

    fn expect(&mut self, expected: &str) -> Result<(), String> {
        let word = self.word()?;
        if word == expected {
            Ok(())
        } else {
            Err(format!("{word} where {expected} should be"))
        }
    }

    /// A name of a field or of a word of an enum: letters, digits and single underscores.
    fn field(&mut self) -> Result<String, String> {
        let word = self.word()?;
        let good =
            word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if good && !word.contains("__") {
            Ok(word.to_owned())
        } else {
            Err(format!("{word} is not a name of a field"))
        }
    }

    fn fields(&mut self) -> Result<Fields, String> {
        match self.body()? {
            Type::Struct(fields) => Ok(fields),
            other => Err(format!("{other:?} where fields should be")),
        }
    }

    /// Fields or words in parentheses.
    fn body(&mut self) -> Result<Type, String> {
        self.expect("(")?;
        let (mut fields, mut choices) = (Fields::new(), Vec::new());
        while self.words.peek() != Some(&")") {
            let name = self.field()?;
            if self.words.next_if_eq(&":").is_some() {
                let of = self.of()?;
                if fields.insert(name.clone(), of).is_some() {
                    return Err(format!("{name} is there twice"));
                }
            } else {
                choices.push(name);
            }
            if self.words.peek() != Some(&")") {
                self.expect(",")?;
            }
        }
        self.expect(")")?;
        match (fields.is_empty(), choices.is_empty()) {
            (_, true) => Ok(Type::Struct(fields)),
            (true, false) => Ok(Type::Enum(choices)),
            (false, false) => Err("fields and words are mixed".into()),
        }
    }

    fn of(&mut self) -> Result<Type, String> {
        Ok(match self.word()? {
            "?" => Type::Maybe(Box::new(self.of()?)),
            "[]" => Type::List(Box::new(self.of()?)),
            "bool" => Type::Bool,
            "int" => Type::Int,
            "string" => Type::Text,
            name if name.starts_with(|c: char| c.is_ascii_uppercase()) => Type::Named(name.to_owned()),
            other => return Err(format!("{other} is not a type")),
        })
    }
}

/// Whether an object has these fields: none that is not described, and all that must be there.
pub fn check(interface: &Interface, fields: &Fields, value: &Value) -> Result<(), String> {
    let object = value.as_object().ok_or_else(|| format!("{value} is not an object"))?;
    if let Some(extra) = object.keys().find(|key| !fields.contains_key(*key)) {
        return Err(format!("{extra} is not described"));
    }
    for (name, of) in fields {
        fits(interface, of, object.get(name)).map_err(|told| format!("{name}: {told}"))?;
    }
    Ok(())
}

fn fits(interface: &Interface, of: &Type, value: Option<&Value>) -> Result<(), String> {
    let value = match (of, value) {
        (Type::Maybe(_), None | Some(Value::Null)) => return Ok(()),
        (_, None) => return Err("it is not there".into()),
        (_, Some(value)) => value,
    };
    let wrong = || Err(format!("{value} is not {of:?}"));
    match of {
        Type::Bool if value.is_boolean() => Ok(()),
        Type::Int if value.is_i64() || value.is_u64() => Ok(()),
        Type::Text if value.is_string() => Ok(()),
        Type::Maybe(of) => fits(interface, of, Some(value)),
        Type::List(of) => match value.as_array() {
            Some(list) if !list.is_empty() => list.iter().try_for_each(|item| fits(interface, of, Some(item))),
            Some(_) => Ok(()),
            None => wrong(),
        },
        Type::Struct(fields) => check(interface, fields, value),
        Type::Enum(choices) if value.as_str().is_some_and(|word| choices.iter().any(|choice| choice == word)) => Ok(()),
        Type::Named(name) => {
            let of = interface.types.get(name).ok_or_else(|| format!("there is no type {name}"))?;
            fits(interface, of, Some(value))
        }
        _ => wrong(),
    }
}

#[test]
fn the_check_finds_what_does_not_fit() {
    let text = "interface a.b\n# said\ntype C (x, y)\ntype S (n: int, c: ?C)\nmethod M(s: []S) -> ()\nerror E ()\n";
    let interface = parse(text).unwrap();
    let fields = &interface.methods["M"].parameters;
    let fits = |value: &str| check(&interface, fields, &serde_json::from_str(value).unwrap()).is_ok();
    assert!(fits(r#"{"s":[{"n":1},{"n":2,"c":"x"}]}"#));
    for bad in [
        r#"{}"#,
        r#"{"s":[{"n":"1"}]}"#,
        r#"{"s":[{"n":1,"c":"z"}]}"#,
        r#"{"s":[{"n":1,"d":2}]}"#,
        r#"{"s":[],"t":1}"#,
    ] {
        assert!(!fits(bad), "{bad}");
    }
    for bad in [
        "interface",
        "interface a.b\nmethod m() -> ()",
        "interface a.b\ntype T (a-b)",
        "interface a.b\ntype T (a: float)",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}
