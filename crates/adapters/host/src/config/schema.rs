//! Reading JSON Schema as `schemars` writes it.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// A schema and the root its references point into.
#[derive(Clone)]
pub(super) struct Node<'s> {
    root: &'s Value,
    own: Cow<'s, Map<String, Value>>,
}

impl<'s> Node<'s> {
    pub(super) fn root(schema: &'s Value) -> Self {
        Self::new(schema, schema)
    }

    /// The schema at `schema`, its reference followed and its neighbours (description, default) kept.
    fn new(root: &'s Value, schema: &'s Value) -> Self {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        let own = schema.as_object().unwrap_or(&EMPTY);
        let Some(target) = own.get("$ref").and_then(Value::as_str) else {
            return Self { root, own: Cow::Borrowed(own) };
        };
        let target = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer)).unwrap_or(&Value::Null);
        let mut merged = Self::new(root, target).own.into_owned();
        let neighbours = own.iter().filter(|(name, _)| *name != "$ref");
        merged.extend(neighbours.map(|(name, value)| (name.clone(), value.clone())));
        Self { root, own: Cow::Owned(merged) }
    }

    fn child(&self, schema: &Value) -> Node<'s> {
        // A borrowed child would borrow from `self`; schemas are small and read once per start, so it is cloned.
        let mut own = schema.as_object().cloned().unwrap_or_default();
        if let Some(target) = own.remove("$ref") {
            let pointer = target.as_str().and_then(|t| t.strip_prefix('#')).unwrap_or_default();
            let mut merged = self.root.pointer(pointer).map(|t| Self::new(self.root, t).own.into_owned());
            if let Some(merged) = &mut merged {
                merged.extend(own);
            }
            own = merged.unwrap_or_default();
        }
        Node { root: self.root, own: Cow::Owned(own) }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.own.get(name)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(Value::as_f64)
    }

    /// The JSON types allowed; none means any.
    pub(super) fn types(&self) -> Vec<&str> {
        match self.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The alternatives of `oneOf` or `anyOf`, without the `null` that stands for an absent option.
    pub(super) fn alternatives(&self) -> Vec<Node<'s>> {
        let listed = self.get("oneOf").or_else(|| self.get("anyOf")).and_then(Value::as_array);
        let nodes = listed.into_iter().flatten().map(|schema| self.child(schema));
        nodes.filter(|node| node.types() != ["null"]).collect()
    }

    pub(super) fn all_of(&self) -> Vec<Node<'s>> {
        let listed = self.get("allOf").and_then(Value::as_array);
        listed.into_iter().flatten().map(|schema| self.child(schema)).collect()
    }

    pub(super) fn properties(&self) -> Vec<(&str, Node<'s>)> {
        let listed = self.get("properties").and_then(Value::as_object);
        listed.into_iter().flatten().map(|(name, schema)| (name.as_str(), self.child(schema))).collect()
    }

    pub(super) fn property(&self, name: &str) -> Option<Node<'s>> {
        self.get("properties")?.get(name).map(|schema| self.child(schema))
    }

    pub(super) fn required(&self) -> Vec<&str> {
        let listed = self.get("required").and_then(Value::as_array);
        listed.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// What a key that is not a property must look like; `None` when there must be none.
    pub(super) fn additional(&self) -> Option<Node<'s>> {
        match self.get("additionalProperties") {
            Some(schema @ Value::Object(_)) => Some(self.child(schema)),
            Some(Value::Bool(true)) => Some(self.child(&Value::Null)),
            Some(_) => None,
            // A structure is closed even if its author forgot `deny_unknown_fields`; a map is open.
            None if self.get("properties").is_some() || self.get("oneOf").is_some() => None,
            None => Some(self.child(&Value::Null)),
        }
    }

    /// The table, below this one and not deeper than `depth`, that has a property of this name.
    pub(super) fn home_of(&self, name: &str, depth: usize) -> Option<String> {
        self.properties().into_iter().filter(|_| depth > 0).find_map(|(table, node)| {
            let shapes = node.alternatives();
            let shape = if shapes.len() == 1 { &shapes[0] } else { &node };
            if shape.property(name).is_some() {
                return Some(table.to_owned());
            }
            shape.home_of(name, depth - 1).map(|home| format!("{table}.{home}"))
        })
    }

    pub(super) fn items(&self) -> Option<Node<'s>> {
        self.get("items").map(|schema| self.child(schema))
    }

    /// The literal values allowed, if the schema is nothing but a list of them.
    pub(super) fn literals(&self) -> Option<Vec<Value>> {
        if let Some(literal) = self.get("const") {
            return Some(vec![literal.clone()]);
        }
        if let Some(listed) = self.get("enum").and_then(Value::as_array) {
            return Some(listed.iter().filter(|v| !v.is_null()).cloned().collect());
        }
        let alternatives = self.alternatives();
        if alternatives.is_empty() {
            return None;
        }
        let each: Option<Vec<_>> = alternatives.iter().map(Node::literals).collect();
        each.map(|lists| lists.concat())
    }

    /// The property that tells the alternatives apart, with each alternative's value of it.
    pub(super) fn tag(&self) -> Option<(String, Vec<(String, Node<'s>)>)> {
        let alternatives = self.alternatives();
        let first = alternatives.first()?;
        let tag_of = |node: &Node<'s>, name: &str| {
            let literals = node.property(name)?.literals()?;
            literals.first().and_then(Value::as_str).map(str::to_owned)
        };
        let names: Vec<String> = first.properties().iter().map(|(name, _)| (*name).to_owned()).collect();
        names.into_iter().find_map(|name| {
            let tagged = alternatives.iter().map(|node| Some((tag_of(node, &name)?, node.clone())));
            tagged.collect::<Option<Vec<_>>>().map(|tagged| (name, tagged))
        })
    }
}
