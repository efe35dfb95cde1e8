//! One line in Google Cloud Logging's structured format.
//!
//! Field names: <https://cloud.google.com/logging/docs/structured-logging#special-payload-fields>.

use serde::Serialize;
use serde_json::Value;
use tracing::Level;

use super::layer::{Line, Origin};

/// Names the agent gives a meaning to; our own field of such a name is written with a prefix.
const RESERVED: [&str; 8] =
    ["severity", "time", "timestamp", "message", "serviceContext", "httpRequest", "labels", "@type"];

/// Asks Error Reporting to pick the line up.
const ERROR_EVENT: &str = "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent";

pub(super) fn line(line: &Line<'_>, origin: &Origin) -> String {
    let mut out = Object::new();
    out.put("severity", severity(*line.meta.level()));
    out.put("time", &line.at.to_string());
    out.put("message", &line.fields.message);
    let service = line.fields.get("service").and_then(Value::as_str).unwrap_or(origin.service);
    out.put("serviceContext", &serde_json::json!({ "service": service, "version": origin.version }));
    if *line.meta.level() == Level::ERROR {
        out.put("@type", ERROR_EVENT);
    }
    if let (Some(file), Some(at)) = (line.meta.file(), line.meta.line()) {
        let place = serde_json::json!({ "file": file, "line": at.to_string(), "function": line.meta.target() });
        out.put("logging.googleapis.com/sourceLocation", &place);
    }
    let mut labels = serde_json::Map::new();
    labels.insert("service".to_owned(), service.into());
    labels.extend(origin.labels.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
    out.put("logging.googleapis.com/labels", &labels);
    for (name, value) in &line.fields.list {
        match *name {
            "service" => {}
            "trace_id" => trace(&mut out, value, origin),
            "span_id" => out.put("logging.googleapis.com/spanId", value),
            "trace_sampled" => out.put("logging.googleapis.com/trace_sampled", value),
            name if RESERVED.contains(&name) => out.put(&format!("field.{name}"), value),
            name => out.put(name, value),
        }
    }
    out.end()
}

fn trace(out: &mut Object, id: &Value, origin: &Origin) {
    match (id.as_str(), &origin.project) {
        (Some(id), Some(project)) => {
            out.put("logging.googleapis.com/trace", &format!("projects/{project}/traces/{id}"));
        }
        _ => out.put("logging.googleapis.com/trace", id),
    }
}

const fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

/// Writes an object's members in the order given.
struct Object(Vec<u8>);

impl Object {
    fn new() -> Self {
        Self(Vec::with_capacity(512))
    }

    fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        // Writing text and JSON values into a vector cannot fail.
        let _ = serde_json::to_writer(&mut self.0, name);
        self.0.push(b':');
        let _ = serde_json::to_writer(&mut self.0, value);
    }

    fn end(mut self) -> String {
        self.0.extend_from_slice(b"}\n");
        String::from_utf8(self.0).unwrap_or_default()
    }
}
