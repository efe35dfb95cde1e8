//! A message as bytes and properties, and back.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use nightdesk_wire::{Envelope, Queue, SCHEMA};

/// The message schema that the sender speaks.
const SCHEMA_HEADER: &str = "x-nightdesk-schema";
/// Why a message lies among the dead letters.
pub(crate) const REASON_HEADER: &str = "x-nightdesk-reason";
/// W3C trace context.
const TRACE_HEADER: &str = "traceparent";
/// AMQP's number for "write it to disk".
const PERSISTENT: u8 = 2;

/// Why a message that arrived cannot be handled, and never will be by this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Its sender speaks a newer schema.
    #[error("{what} is of schema {schema}, newer than {SCHEMA}, the newest this program speaks: update it first")]
    Newer { what: String, schema: u64 },
    /// It is no message of ours.
    #[error("not a message: {0}")]
    Unreadable(String),
    /// It is meant for somebody else.
    #[error("the message is addressed to queue {0}")]
    Misplaced(Queue),
}

impl Refused {
    /// The reason in one word, for the metric.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Newer { .. } => "newer_schema",
            Self::Unreadable(_) => "unreadable",
            Self::Misplaced(_) => "misplaced",
        }
    }
}

/// The message's bytes, and its properties: durable, with its name, its schema and the trace it belongs to.
pub(crate) fn encode(
    envelope: &Envelope,
    traceparent: Option<&str>,
) -> Result<(Vec<u8>, BasicProperties), serde_json::Error> {
    let mut headers = FieldTable::default();
    headers.insert(SCHEMA_HEADER.into(), AMQPValue::LongLongInt(i64::from(SCHEMA)));
    if let Some(traceparent) = traceparent {
        headers.insert(TRACE_HEADER.into(), AMQPValue::LongString(traceparent.into()));
    }
    let mut properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers);
    if let Some(id) = &envelope.id {
        // A name too long for the header is in the body all the same.
        if let Ok(name) = ShortString::try_new(format!("{}/{}", id.source, id.seq)) {
            properties = properties.with_message_id(name);
        }
    }
    Ok((serde_json::to_vec(envelope)?, properties))
}

/// The message that arrived in `queue`.
pub(crate) fn decode(queue: &Queue, body: &[u8], properties: &BasicProperties) -> Result<Envelope, Refused> {
    let schema = schema(properties)?;
    if schema > u64::from(SCHEMA) {
        return Err(Refused::Newer { what: name(body), schema });
    }
    let envelope: Envelope = serde_json::from_slice(body).map_err(|error| Refused::Unreadable(error.to_string()))?;
    if envelope.queue == *queue { Ok(envelope) } else { Err(Refused::Misplaced(envelope.queue)) }
}

/// The sender's schema; one that does not say so is of the first.
fn schema(properties: &BasicProperties) -> Result<u64, Refused> {
    let header = properties.headers().as_ref().and_then(|headers| headers.inner().get(SCHEMA_HEADER));
    let number = match header {
        None => return Ok(1),
        Some(AMQPValue::LongLongInt(n)) => u64::try_from(*n).ok(),
        Some(AMQPValue::LongInt(n)) => u64::try_from(*n).ok(),
        Some(AMQPValue::ShortInt(n)) => u64::try_from(*n).ok(),
        Some(AMQPValue::ShortShortInt(n)) => u64::try_from(*n).ok(),
        Some(AMQPValue::LongUInt(n)) => Some(u64::from(*n)),
        Some(_) => None,
    };
    number.ok_or_else(|| Refused::Unreadable(format!("header {SCHEMA_HEADER} is not a number")))
}

/// What a message of an unknown schema calls itself.
fn name(body: &[u8]) -> String {
    let value = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    let name = value.pointer("/message/type").and_then(serde_json::Value::as_str);
    // The text goes into a header and a log line: a stranger's may be of any length.
    name.map_or_else(
        || "a message".to_owned(),
        |name| format!("message `{}`", name.chars().take(40).collect::<String>()),
    )
}

#[cfg(test)]
mod tests {
    use nightdesk_bus::contract::message;

    use super::*;

    fn with_schema(schema: AMQPValue) -> BasicProperties {
        let mut headers = FieldTable::default();
        headers.insert(SCHEMA_HEADER.into(), schema);
        BasicProperties::default().with_headers(headers)
    }

    #[test]
    fn a_message_survives_the_way() {
        let sent = message(&Queue::CORE, "a", 7);
        let (body, properties) = encode(&sent, Some("00-1-2-01")).unwrap();
        assert_eq!(decode(&Queue::CORE, &body, &properties), Ok(sent));
        assert_eq!(properties.message_id().as_ref().map(|id| id.to_string()), Some("a/7".to_owned()));
        assert!(properties.headers().as_ref().unwrap().contains_key("traceparent"));
    }

    #[test]
    fn what_cannot_be_handled_says_why() {
        let check = |body: &[u8], schema: AMQPValue, expected: &str| {
            let refused = decode(&Queue::CORE, body, &with_schema(schema)).unwrap_err();
            assert_eq!(format!("{}: {refused}", refused.kind()), expected);
        };
        let one = AMQPValue::LongLongInt(1);
        check(b"junk", one.clone(), "unreadable: not a message: expected value at line 1 column 1");
        let (body, _) = encode(&message(&Queue::CAPITAL, "a", 1), None).unwrap();
        check(&body, one, "misplaced: the message is addressed to queue capital");
        check(&body, text("x"), "unreadable: not a message: header x-nightdesk-schema is not a number");
        let newer = "newer_schema: message `mode_effective` is of schema 2, newer than 1, the newest this program speaks: update it first";
        check(&body, AMQPValue::LongLongInt(2), newer);
        let newer =
            "newer_schema: a message is of schema 9, newer than 1, the newest this program speaks: update it first";
        check(&[255], AMQPValue::ShortInt(9), newer);
    }

    fn text(value: &str) -> AMQPValue {
        AMQPValue::LongString(value.into())
    }
}
