//! Walks a document against a schema and collects every mistake.

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{Document, Step, push, steps};
use super::mistakes::Found;
use super::nearest::nearest;
use super::schema::Node;

mod values;

/// Finds mistakes; returns the unknown keys. `complete` is false when parts of the text could not be parsed: then a
/// missing key is no mistake.
pub(super) fn walk(document: &Document<'_>, schema: &Value, complete: bool, found: &mut Vec<Found>) -> Vec<Unknown> {
    let mut walk = Walk { root: schema, complete, found, unknown: Vec::new() };
    let place = Place { path: String::new(), span: 0..0 };
    walk.table(document.root.get_ref(), &Node::root(schema), &place);
    walk.unknown
}

/// Where the walk stands.
struct Place {
    path: String,
    span: std::ops::Range<usize>,
}

impl Place {
    fn key(&self, key: &str, span: std::ops::Range<usize>) -> Self {
        let mut path = self.path.clone();
        push(&mut path, key);
        Self { path, span }
    }

    fn index(&self, i: usize, span: std::ops::Range<usize>) -> Self {
        Self { path: format!("{}[{i}]", self.path), span }
    }
}

/// A key that no schema knows, and the one that was probably meant.
pub(super) struct Unknown {
    pub(super) path: Vec<Step>,
    pub(super) meant: Option<String>,
}

struct Walk<'f> {
    root: &'f Value,
    complete: bool,
    found: &'f mut Vec<Found>,
    unknown: Vec<Unknown>,
}

impl Walk<'_> {
    fn mistake(&mut self, place: &Place, message: String, hint: Option<String>) {
        self.found.push(Found { span: place.span.clone(), path: place.path.clone(), message, hint });
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, node: &Node<'_>, place: &Place) {
        for part in node.all_of() {
            self.value(value, &part, place);
        }
        if let Some(literals) = node.literals() {
            return self.literal(value, &literals, place);
        }
        let alternatives = node.alternatives();
        match alternatives.as_slice() {
            [] => {}
            [only] => return self.value(value, only, place),
            several => return self.one_of(value, node, several, place),
        }
        if !self.has_type(value, node, place) {
            return;
        }
        match value.get_ref() {
            DeValue::Table(table) => self.table(table, node, place),
            DeValue::Array(items) => {
                self.length(items.len(), node, place, ("minItems", "maxItems"), "items");
                if let Some(each) = node.items() {
                    for (i, item) in items.iter().enumerate() {
                        self.value(item, &each, &place.index(i, item.span()));
                    }
                }
            }
            DeValue::String(text) => {
                self.length(text.chars().count(), node, place, ("minLength", "maxLength"), "characters");
            }
            DeValue::Integer(_) | DeValue::Float(_) => self.range(value.get_ref(), node, place),
            DeValue::Boolean(_) | DeValue::Datetime(_) => {}
        }
    }

    fn table(&mut self, table: &DeTable<'_>, node: &Node<'_>, place: &Place) {
        if let Some((tag, tagged)) = node.tag() {
            self.tagged(table, node, &tag, &tagged, place);
        } else {
            self.members(table, &[node], place);
        }
    }

    /// A table whose tag says which alternative it is.
    fn tagged(
        &mut self,
        table: &DeTable<'_>,
        node: &Node<'_>,
        tag: &str,
        tagged: &[(String, Node<'_>)],
        place: &Place,
    ) {
        let names: Vec<&str> = tagged.iter().map(|(name, _)| name.as_str()).collect();
        let Some((key, value)) = table.get_key_value(tag) else {
            if self.complete {
                let hint = format!("one of {}", list(&names));
                self.mistake(&place.key(tag, place.span.clone()), format!("missing key `{tag}`"), Some(hint));
            }
            return;
        };
        let said = value.get_ref().as_str().unwrap_or_default();
        match tagged.iter().find(|(name, _)| name == said) {
            Some((_, chosen)) => self.members(table, &[node, chosen], place),
            None => {
                let literals: Vec<Value> = names.iter().map(|name| Value::from(*name)).collect();
                self.literal(value, &literals, &place.key(key.get_ref(), value.span()));
            }
        }
    }

    /// The members of a table whose keys are described by several schemas together.
    fn members(&mut self, table: &DeTable<'_>, nodes: &[&Node<'_>], place: &Place) {
        let mut meant = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if let Some(node) = nodes.iter().find_map(|node| node.property(name)) {
                self.value(value, &node, &place.key(name, value.span()));
            } else if let Some(node) = nodes.iter().rev().find_map(|node| node.additional()) {
                self.value(value, &node, &place.key(name, value.span()));
            } else {
                let found = self.unknown_key(name, table, nodes, &place.key(name, key.span()));
                // The value is checked as that of the key that was meant.
                if let Some((known, node)) = found {
                    self.value(value, &node, &place.key(name, value.span()));
                    meant.push(known);
                }
            }
        }
        if !self.complete {
            return;
        }
        for name in nodes.iter().flat_map(|node| node.required()) {
            // A key that was misspelt is reported once, where it stands.
            if !table.contains_key(name) && !meant.iter().any(|meant| meant == name) {
                let property = nodes.iter().find_map(|node| node.property(name));
                let hint = property.and_then(|property| property.text("description").map(first_sentence));
                self.mistake(&place.key(name, place.span.clone()), format!("missing key `{name}`"), hint);
            }
        }
    }

    /// Reports an unknown key; returns the key that was probably meant.
    fn unknown_key<'s>(
        &mut self,
        name: &str,
        table: &DeTable<'_>,
        nodes: &[&Node<'s>],
        place: &Place,
    ) -> Option<(String, Node<'s>)> {
        let properties: Vec<(&str, Node<'s>)> = nodes.iter().flat_map(|node| node.properties()).collect();
        let free: Vec<&str> = properties.iter().map(|(known, _)| *known).filter(|k| !table.contains_key(*k)).collect();
        let meant = nearest(name, free.iter().copied());
        let elsewhere = Node::root(self.root).home_of(name, 3);
        let hint = match (meant, elsewhere) {
            (Some(meant), _) => format!("did you mean `{meant}`?"),
            (None, Some(home)) => format!("it belongs into [{home}]"),
            (None, None) if free.is_empty() => "remove it".to_owned(),
            (None, None) => format!("known keys not used here: {}", list(&free)),
        };
        self.mistake(place, format!("unknown key `{name}`"), Some(hint));
        self.unknown.push(Unknown { path: steps(&place.path), meant: meant.map(str::to_owned) });
        let meant = meant?;
        properties.iter().find(|(known, _)| *known == meant).map(|(known, node)| ((*known).to_owned(), node.clone()))
    }

    /// Alternatives without a common tag: the key of a single-key table, then the type, then the best fit decide.
    fn one_of(&mut self, value: &Spanned<DeValue<'_>>, node: &Node<'_>, several: &[Node<'_>], place: &Place) {
        if let DeValue::Table(table) = value.get_ref() {
            if node.tag().is_some() {
                return self.table(table, node, place);
            }
            let by_key = several.iter().find(|alternative| {
                let required = alternative.required();
                !required.is_empty() && required.iter().all(|key| table.contains_key(*key))
            });
            if let Some(alternative) = by_key {
                return self.value(value, alternative, place);
            }
        }
        let mut best: Option<(Vec<Found>, Vec<Unknown>)> = None;
        for alternative in several {
            let mut found = Vec::new();
            let mut trial = Walk { root: self.root, complete: self.complete, found: &mut found, unknown: Vec::new() };
            trial.value(value, alternative, place);
            let unknown = trial.unknown;
            if best.as_ref().is_none_or(|(fewest, _)| found.len() < fewest.len()) {
                best = Some((found, unknown));
            }
        }
        let (found, unknown) = best.unwrap_or_default();
        self.found.extend(found);
        self.unknown.extend(unknown);
    }
}

/// `a`, `b` and so on, at most a dozen.
fn list(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(12).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > 12 { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn first_sentence(text: &str) -> String {
    let text = text.replace('\n', " ");
    text.split_once(". ").map_or_else(|| text.trim_end_matches('.').to_owned(), |(first, _)| first.to_owned())
}
