//! Server-sent events: what has become durable, as it does, and how things stand, every second.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;

use axum::extract::{Query, State};
use axum::response::sse::{Event, Sse};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, Stream};
use futures_util::{FutureExt, select_biased};
use nightdesk_store::Row;
use nightdesk_units::Micros;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::endpoint::{Endpoint, Good, described};
use super::feed::News;
use super::model::Status;
use super::{Api, Problem, convert};
use crate::tables::{FILLS, MODES, ORDERS};

/// Between two views.
const VIEW_EVERY: Micros = Micros::from_secs(1);

pub(super) fn endpoint() -> Endpoint {
    let good = Good {
        status: 200,
        says: "An endless stream. `status` (a Status) comes at once and then every second; `order` (an Order), `fill` (a \
               Fill) and `mode` (a Mode) come when they have become durable; `lagged` says that some were left out \
               because the reader was too slow: read the lists again.",
        media_type: "text/event-stream",
        schema: Some(described::<String>),
    };
    Endpoint::get::<String, _, _>("/v1/events", "streamEvents", "Changes as they happen (server-sent events).", events)
        .with_query::<EventsQuery>()
        .answers(good)
}

/// Which events.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    /// Only these kinds, separated by commas: `status`, `order`, `fill`, `mode`. All unless told.
    #[schemars(extend("pattern" = "^(status|order|fill|mode)(,(status|order|fill|mode))*$"))]
    types: Option<String>,
}

/// What a reader wants to hear of.
#[derive(Debug, Clone, Copy)]
struct Wants {
    status: bool,
    order: bool,
    fill: bool,
    mode: bool,
}

impl Wants {
    fn read(types: Option<&str>) -> Result<Self, Problem> {
        let Some(types) = types else { return Ok(Self { status: true, order: true, fill: true, mode: true }) };
        let mut wants = Self { status: false, order: false, fill: false, mode: false };
        for word in types.split(',') {
            match word {
                "status" => wants.status = true,
                "order" => wants.order = true,
                "fill" => wants.fill = true,
                "mode" => wants.mode = true,
                other => {
                    let detail = format!("no type {other:?}: use status, order, fill, mode");
                    return Err(Problem::bad_request(detail));
                }
            }
        }
        Ok(wants)
    }
}

async fn events(
    State(api): State<Api>,
    Query(query): Query<EventsQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let wants = Wants::read(query.types.as_deref())?;
    let news = api.feed.listen().ok_or_else(|| Problem::crowded("too many readers of events; try again later"))?;
    let view = Some(api.clone().told_view());
    let reader = Reader { api, wants, news, view, tick: None, ready: VecDeque::new() };
    Ok(Sse::new(stream::unfold(reader, Reader::next)))
}

type Told = BoxFuture<'static, Result<Status, Problem>>;

/// One reader's stream.
struct Reader {
    api: Api,
    wants: Wants,
    news: async_channel::Receiver<News>,
    /// The view that was asked for.
    view: Option<Told>,
    tick: Option<BoxFuture<'static, ()>>,
    ready: VecDeque<Event>,
}

/// What happens next.
enum Next {
    News(News),
    Lagged,
    View(Result<Status, Problem>),
    Tick,
}

impl Reader {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((Ok(event), self));
            }
            match self.wait().await {
                Next::News(rows) => rows.iter().for_each(|row| self.tell(row)),
                Next::Lagged => {
                    // None is free any more when others came meanwhile: the reader asks again then.
                    self.news = self.api.feed.listen()?;
                    self.ready.push_back(Event::default().event("lagged").data("{}"));
                }
                Next::View(Ok(status)) => {
                    self.view = None;
                    if self.wants.status {
                        self.push("status", &status);
                    } else {
                        // Even who wants nothing regular must notice a dead line.
                        self.ready.push_back(Event::default().comment(""));
                    }
                }
                // The engine has stopped: so does the stream.
                Next::View(Err(_)) => return None,
                Next::Tick => {
                    self.tick = None;
                    if self.view.is_none() {
                        self.view = Some(self.api.clone().told_view());
                    } else {
                        self.ready.push_back(Event::default().comment("core-engine takes its time"));
                    }
                }
            }
        }
    }

    async fn wait(&mut self) -> Next {
        let clock = &self.api.clock;
        let tick = self.tick.get_or_insert_with(|| clock.sleep_until("core-engine api", clock.now() + VIEW_EVERY));
        let view = async {
            match &mut self.view {
                Some(view) => view.await,
                None => pending().await,
            }
        };
        select_biased! {
            view = view.fuse() => Next::View(view),
            () = tick.fuse() => Next::Tick,
            news = self.news.recv().fuse() => news.map_or(Next::Lagged, Next::News),
        }
    }

    fn tell(&mut self, row: &Row) {
        let (table, values) = (row.table.name, &row.values);
        if table == ORDERS.name && self.wants.order {
            convert::order(values).iter().for_each(|order| self.push("order", order));
        } else if table == FILLS.name && self.wants.fill {
            convert::fill(values).iter().for_each(|fill| self.push("fill", fill));
        } else if table == MODES.name && self.wants.mode {
            convert::mode(values).iter().for_each(|mode| self.push("mode", mode));
        }
    }

    fn push<T: Serialize>(&mut self, kind: &str, value: &T) {
        match Event::default().event(kind).json_data(value) {
            Ok(event) => self.ready.push_back(event),
            // Our own shapes are plain data with text keys, which always have a JSON form.
            Err(error) => tracing::error!(%error, kind, "an event could not be written as JSON"),
        }
    }
}

impl Api {
    fn told_view(self) -> Told {
        Box::pin(async move { self.view().await.map(Into::into) })
    }
}
