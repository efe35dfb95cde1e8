//! The API's description: OpenAPI 3.1, made from the table that also makes the router.
//!
//! OpenAPI 3.1's schemas are JSON Schema 2020-12, which is what `schemars` writes for our types.

use std::collections::BTreeMap;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::endpoint::{Actor, Endpoint, described};
use super::{Problem, endpoints};

const ABOUT: &str = "Orders, positions, portfolio, strategies and modes of one Nightdesk.\n\n\
    Amounts, prices and quantities are exact decimals as strings. Instants are ISO 8601 in UTC with microseconds. Lists \
    that grow are given newest first in pages: pass `next` of one page as `cursor` of the next. Errors are RFC 9457 \
    problems. Changes are journaled with who asked: name yourself in the header `X-Nightdesk-Actor`. After a 503 or a lost \
    answer, look before you ask again: what was asked may have happened.";

/// The description as JSON.
#[must_use]
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = described::<Problem>(&mut generator).to_value();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for endpoint in endpoints() {
        let operation = operation(&endpoint, &mut generator);
        paths.entry(endpoint.path).or_default().insert(endpoint.method.to_owned(), operation);
    }
    paths.entry("/v1/openapi.json").or_default().insert("get".to_owned(), own_operation());
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Nightdesk core-engine",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/api/core" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "Problem": {
                    "description": "What went wrong.",
                    "content": { "application/problem+json": { "schema": problem } },
                },
                "Denied": {
                    "description": "The token is missing or not valid.",
                    "headers": { "WWW-Authenticate": { "schema": { "type": "string" } } },
                    "content": { "application/problem+json": { "schema": problem } },
                },
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token that DATA_DIR/run.json names.",
                },
            },
        },
    })
}

fn operation(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let mut operation = Map::new();
    operation.insert("operationId".to_owned(), endpoint.id.into());
    operation.insert("summary".to_owned(), endpoint.summary.into());
    let mut parameters = path_parameters(endpoint.path);
    parameters.extend(query_parameters(endpoint, generator));
    if endpoint.method != "get" {
        parameters.push(json!({
            "name": Actor::HEADER, "in": "header", "required": false,
            "description": "Who asks, for the journal: `api` unless told.",
            "schema": { "type": "string", "pattern": "^[!-~]([ -~]{0,62}[!-~])?$" },
        }));
    }
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), parameters.into());
    }
    if let Some(body) = endpoint.body {
        let schema = body(generator);
        let content = json!({ "application/json": { "schema": schema } });
        operation.insert("requestBody".to_owned(), json!({ "required": true, "content": content }));
    }
    operation.insert("responses".to_owned(), responses(endpoint, generator));
    operation.into()
}

fn responses(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let good = endpoint.good;
    let mut answer = Map::from_iter([("description".to_owned(), Value::from(good.says))]);
    if let Some(schema) = good.schema {
        let mut content = Map::new();
        content.insert(good.media_type.to_owned(), json!({ "schema": schema(generator) }));
        answer.insert("content".to_owned(), content.into());
    }
    let mut responses = Map::from_iter([(good.status.to_string(), answer.into())]);
    for status in &endpoint.problems {
        let name = if *status == 401 { "Denied" } else { "Problem" };
        let reference = json!({ "$ref": format!("#/components/responses/{name}") });
        responses.insert(status.to_string(), reference);
    }
    responses.into()
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names
        .map(|name| {
            let longest = match name {
                "instance" => 12,
                "symbol" => 23,
                _ => 36,
            };
            let schema = json!({ "type": "string", "pattern": format!("^[A-Za-z0-9._-]{{1,{longest}}}$") });
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect()
}

/// Each field of a query's type as a parameter.
fn query_parameters(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Vec<Value> {
    let Some(query) = endpoint.query else { return Vec::new() };
    let schema = query(generator).to_value();
    let Some(fields) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        // What is not given is left out, not null.
        if let Some(kinds) = schema.get("type").and_then(Value::as_array) {
            schema["type"] = kinds.first().cloned().unwrap_or_default();
        }
        json!({ "name": name, "in": "query", "required": false, "description": description, "schema": schema })
    };
    fields.iter().map(parameter).collect()
}

fn own_operation() -> Value {
    json!({
        "operationId": "getDescription",
        "summary": "This description.",
        "responses": {
            "200": {
                "description": "OpenAPI 3.1.",
                "content": { "application/json": { "schema": { "type": "object" } } },
            },
        },
        "security": [],
    })
}
