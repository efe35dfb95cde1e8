//! An example file, written from the schema: every key with its description, optional ones commented out.

use std::fmt::Write;

use serde_json::Value;

use super::schema::Node;

/// The example for a schema. Descriptions are the doc comments of the configuration's structures; values are the
/// schema's `examples`, defaults, or, for keys without either, a placeholder to fill in.
#[must_use]
pub fn example(schema: &Value) -> String {
    let mut page = String::new();
    let root = Node::root(schema);
    if let Some(description) = root.text("description") {
        comment(&mut page, description);
        page.push('\n');
    }
    table(&mut page, &root, "", false);
    page
}

/// Simple keys first, because in TOML what follows a header belongs to it.
fn table(page: &mut String, node: &Node<'_>, path: &str, optional: bool) {
    let mut properties = node.properties();
    // The tag of an alternative leads.
    properties.sort_by_key(|(_, property)| property.get("const").is_none());
    let required = node.required();
    let (tables, simple): (Vec<_>, Vec<_>) =
        properties.into_iter().partition(|(_, property)| kind(property).is_table());
    for (name, property) in &simple {
        if let Some(description) = property.text("description") {
            comment(page, description);
        }
        let off = if optional || !required.contains(name) { "# " } else { "" };
        let _ = writeln!(page, "{off}{name} = {}", literal(&value(property)));
    }
    for (name, property) in &tables {
        let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
        let optional = optional || (!required.contains(name) && !has_default_table(property));
        section(page, property, &path, optional);
    }
}

fn section(page: &mut String, node: &Node<'_>, path: &str, optional: bool) {
    let off = if optional { "# " } else { "" };
    let (shapes, brackets) = match kind(node) {
        Kind::Tables(shapes) => (shapes, ("[[", "]]")),
        Kind::Table(shapes) => (shapes.into_iter().take(1).collect(), ("[", "]")),
        Kind::Simple => return,
    };
    for (i, shape) in shapes.iter().enumerate() {
        page.push('\n');
        if let Some(description) = node.text("description").filter(|_| i == 0) {
            comment(page, description);
        }
        if let Some(description) = shape.text("description").filter(|own| node.text("description") != Some(*own)) {
            comment(page, description);
        }
        let _ = writeln!(page, "{off}{}{path}{}", brackets.0, brackets.1);
        table(page, shape, path, optional);
    }
}

/// What a property is written as.
enum Kind<'s> {
    Simple,
    Table(Vec<Node<'s>>),
    Tables(Vec<Node<'s>>),
}

impl Kind<'_> {
    const fn is_table(&self) -> bool {
        !matches!(self, Self::Simple)
    }
}

fn kind<'s>(node: &Node<'s>) -> Kind<'s> {
    let shapes = shapes(node);
    if !shapes.is_empty() {
        return Kind::Table(shapes);
    }
    let item_shapes = node.items().map(|items| self::shapes(&items)).unwrap_or_default();
    if item_shapes.is_empty() { Kind::Simple } else { Kind::Tables(item_shapes) }
}

/// The table shapes a value may have.
fn shapes<'s>(node: &Node<'s>) -> Vec<Node<'s>> {
    let alternatives = node.alternatives();
    let candidates = if alternatives.is_empty() { vec![node.clone()] } else { alternatives };
    candidates.into_iter().filter(|shape| shape.get("properties").is_some()).collect()
}

fn has_default_table(node: &Node<'_>) -> bool {
    node.get("default").is_some_and(|default| default.is_object() || default.is_array())
}

fn value(node: &Node<'_>) -> Value {
    let example = node.get("examples").and_then(Value::as_array).and_then(|examples| examples.first());
    if let Some(value) = example.or_else(|| node.get("default")).or_else(|| node.get("const")).filter(|v| !v.is_null())
    {
        return value.clone();
    }
    if let Some(literals) = node.literals() {
        return literals.into_iter().next().unwrap_or_default();
    }
    if let [only] = node.alternatives().as_slice() {
        return value(only);
    }
    match node.types().first().copied() {
        Some("integer") => node.get("minimum").cloned().unwrap_or_else(|| 1.into()),
        Some("number") => node.get("minimum").cloned().unwrap_or_else(|| 1.0.into()),
        Some("boolean") => false.into(),
        Some("array") => Value::Array(Vec::new()),
        Some("object") => Value::Object(serde_json::Map::new()),
        _ => "…".into(),
    }
}

/// A JSON value as TOML.
fn literal(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{name} = {}", literal(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        // Strings, numbers and truth values are written alike in JSON and TOML.
        other => other.to_string(),
    }
}

fn comment(page: &mut String, text: &str) {
    for line in text.lines() {
        let _ = writeln!(page, "{}", format!("# {line}").trim_end());
    }
}
