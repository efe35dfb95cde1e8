//! One thing the API can do: its route and its description in one value.

use axum::extract::FromRequestParts;
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::routing::{MethodRouter, delete, get, post};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{Api, Problem};

/// Describes a type.
pub(super) type Describe = fn(&mut SchemaGenerator) -> Schema;

/// What an endpoint answers when all is well.
#[derive(Clone, Copy)]
pub(super) struct Good {
    pub(super) status: u16,
    pub(super) says: &'static str,
    pub(super) media_type: &'static str,
    pub(super) schema: Option<Describe>,
}

/// One thing the API can do.
pub(super) struct Endpoint {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// Its name in generated clients.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: Option<Describe>,
    pub(super) body: Option<Describe>,
    pub(super) good: Good,
    pub(super) problems: Vec<u16>,
    handler: MethodRouter<Api>,
}

impl Endpoint {
    pub(super) fn get<T: JsonSchema, H: Handler<A, Api>, A: 'static>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self {
        let good = Good { schema: Some(described::<T>), ..Good::with_nothing(200, "As asked.") };
        Self::new("get", path, id, summary, good, get(handler))
    }

    pub(super) fn post<T: JsonSchema, H: Handler<A, Api>, A: 'static>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self {
        let good = Good { schema: Some(described::<T>), ..Good::with_nothing(200, "Done and durable.") };
        Self::new("post", path, id, summary, good, post(handler))
    }

    pub(super) fn delete<H: Handler<A, Api>, A: 'static>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self {
        Self::new("delete", path, id, summary, Good::with_nothing(204, "Done and durable."), delete(handler))
    }

    fn new(
        method: &'static str,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        good: Good,
        handler: MethodRouter<Api>,
    ) -> Self {
        let mut problems = vec![401, 503];
        if path.contains('{') || method == "post" {
            problems.push(400);
        }
        Self { method, path, id, summary, query: None, body: None, good, problems, handler }
    }

    /// It takes these query parameters.
    pub(super) fn with_query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(T::json_schema);
        self.may_fail(&[400])
    }

    /// It takes this body.
    pub(super) fn with_body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(described::<T>);
        self.may_fail(&[400, 413, 415, 422])
    }

    /// It answers otherwise when all is well.
    pub(super) fn answers(mut self, good: Good) -> Self {
        self.good = good;
        self
    }

    /// It may fail in these ways too.
    pub(super) fn may_fail(mut self, statuses: &[u16]) -> Self {
        self.problems.extend(statuses);
        self
    }

    pub(super) fn into_route(self) -> (&'static str, MethodRouter<Api>) {
        (self.path, self.handler)
    }
}

impl Good {
    pub(super) const fn with_nothing(status: u16, says: &'static str) -> Self {
        Self { status, says, media_type: "application/json", schema: None }
    }
}

pub(super) fn described<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Who asks: the header `X-Nightdesk-Actor`, or `api`. It goes into the journal; it proves nothing.
pub(super) struct Actor(pub(super) String);

impl Actor {
    /// The header.
    pub(super) const HEADER: &'static str = "x-nightdesk-actor";
}

impl<S: Sync> FromRequestParts<S> for Actor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(Self::HEADER) else { return Ok(Self("api".to_owned())) };
        let name = value.to_str().map(str::trim).unwrap_or_default();
        if name.is_empty() || name.len() > 64 || name.contains('\t') {
            return Err(Problem::bad_request("the header X-Nightdesk-Actor takes 1 to 64 printable ASCII characters"));
        }
        Ok(Self(name.to_owned()))
    }
}
