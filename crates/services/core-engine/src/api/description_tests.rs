//! The description says what the router does.

use std::collections::BTreeSet;

use super::super::{document, endpoints};
use super::*;

/// Every `$ref` below `value`.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(reference) if name == "$ref" => drop(found.insert(reference)),
                    _ => references(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() >= 10, "{found:?}");
    for reference in found {
        let place = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(place).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_and_every_path_parameter_is_described() {
    let document = document();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(names.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
            let described = operation["parameters"].as_array().into_iter().flatten();
            let in_path: Vec<&str> =
                described.filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap()).collect();
            let expected: Vec<&str> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            assert_eq!(in_path, expected, "{method} {path}");
            assert!(
                operation["responses"].as_object().unwrap().contains_key("401") != operation["security"].is_array()
            );
        }
    }
    assert_eq!(names.len(), endpoints().len() + 1);
}

#[test]
fn what_is_described_is_served() {
    let mut house = House::new();
    let document = document();
    assert_eq!((&document["openapi"], &document["servers"][0]["url"]), (&json!("3.1.0"), &json!("/api/core")));
    let paths = document["paths"].as_object().unwrap().iter();
    // The description itself is mounted apart from what needs a token.
    for (path, item) in paths.filter(|(path, _)| *path != "/v1/openapi.json") {
        let path = path.replace("{client_order_id}", "nd-1-x").replace("{instance}", "none").replace("{symbol}", "X");
        for method in item.as_object().unwrap().keys() {
            let response = house.send(&method.to_uppercase(), &format!("/api/core{path}"), Some("{}"), None);
            let status = response.status().as_u16().to_string();
            let described = &item[method]["responses"][&status];
            assert!(described.is_object(), "{method} {path} answers {status}, which is not described");
        }
    }
}

/// A small part of JSON Schema: types, required members, no unknown members, references.
fn check(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return check(document, document.pointer(&reference[1..]).unwrap(), value, place);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let null = |schema: &&Value| schema["type"] == "null";
        match (value.is_null(), choices.iter().find(null), choices.iter().find(|schema| !null(schema))) {
            (true, Some(_), _) => return,
            (_, _, Some(choice)) => return check(document, choice, value, place),
            _ => panic!("{place}: {value} is none of {choices:?}"),
        }
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types = &schema["type"];
    assert!(types == kind || types.as_array().is_some_and(|types| types.contains(&json!(kind))), "{place}: {types}");
    for (position, item) in value.as_array().into_iter().flatten().enumerate() {
        check(document, &schema["items"], item, &format!("{place}[{position}]"));
    }
    let Some(fields) = value.as_object() else { return };
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(fields.contains_key(required.as_str().unwrap()), "{place}: {required} is missing");
    }
    for (name, value) in fields {
        let described = schema["properties"].get(name).unwrap_or(&schema["additionalProperties"]);
        assert!(described.is_object(), "{place}: {name} is not described");
        check(document, described, value, &format!("{place}.{name}"));
    }
}

#[test]
fn answers_are_as_described() {
    let mut house = House::new();
    house.put(vec![order_row(0, Status::Open, START), fill_row(1, START.0)]);
    house.put(vec![Row { table: &BALANCES, values: vec!["USDT".into(), "1".into()] }]);
    let document = document();
    let gets = endpoints().into_iter().filter(|endpoint| endpoint.method == "get" && endpoint.id != "streamEvents");
    for endpoint in gets {
        let id = ClientOrderId::of("123".parse().unwrap(), intent(0).intent_id);
        let answer = house.get(&endpoint.path.replace("{client_order_id}", id.as_str()));
        let place =
            format!("/paths/{}/get/responses/200/content/application~1json/schema", endpoint.path.replace('/', "~1"));
        check(&document, document.pointer(&place).unwrap(), &answer, endpoint.path);
    }
    let (_, problem) = house.ask("POST", "/v1/mode/resume", Some(r#"{"version":7}"#));
    check(&document, &document["components"]["schemas"]["Problem"], &problem, "problem");
}
