//! The REST API of strategy workers: how each instance fares. Errors are plain text; the server around it makes problems
//! (RFC 9457) of them. Amounts are decimals as strings.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use futures_util::future::{BoxFuture, join_all};
use nightdesk_shell::EventSender;
use nightdesk_units::InstanceId;

use crate::query::{Event, Query, View};

/// Asks a worker; `None` when it has gone.
type Ask = Box<dyn Fn() -> BoxFuture<'static, Option<View>> + Send + Sync>;
/// The workers by their instance.
type Workers = Arc<[(InstanceId, Ask)]>;
type Answer<T> = Result<Json<T>, (StatusCode, String)>;

/// The routes, from `/v1` on, for all the workers of this process.
pub fn router(workers: Vec<(InstanceId, EventSender<Event>)>) -> Router {
    let askers = workers.into_iter().map(|(instance, worker)| {
        let ask: Ask = Box::new(move || {
            let worker = worker.clone();
            Box::pin(async move {
                let (tx, rx) = async_channel::bounded(1);
                let reply = Box::new(move |view| drop(tx.try_send(view)));
                worker.send(Event::Query(Query::Status, reply)).await.then_some(())?;
                rx.recv().await.ok()
            })
        });
        (instance, ask)
    });
    routes(askers.collect())
}

fn routes(workers: Workers) -> Router {
    Router::new()
        .route("/v1/instances", get(instances))
        .route("/v1/instances/{instance}", get(instance))
        .with_state(workers)
}

/// How all instances fare.
async fn instances(State(workers): State<Workers>) -> Answer<Vec<View>> {
    let views = join_all(workers.iter().map(|(instance, ask)| asked(*instance, ask))).await;
    Ok(Json(views.into_iter().collect::<Result<_, _>>()?))
}

/// How one instance fares.
async fn instance(State(workers): State<Workers>, Path(name): Path<String>) -> Answer<View> {
    let found = workers.iter().find(|(instance, _)| instance.as_str() == name);
    let not_found = || (StatusCode::NOT_FOUND, format!("no strategy instance {name:?} runs here"));
    let (instance, ask) = found.ok_or_else(not_found)?;
    Ok(Json(asked(*instance, ask).await?))
}

async fn asked(instance: InstanceId, ask: &Ask) -> Result<View, (StatusCode, String)> {
    let gone = || {
        let detail = format!("worker {instance} does not answer: it has stopped or is stopping, and the log says why");
        (StatusCode::SERVICE_UNAVAILABLE, detail)
    };
    ask().await.ok_or_else(gone)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::sync::Mutex;
    use std::task::{Context, Poll};

    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use futures_util::task::noop_waker_ref;
    use nightdesk_shell::{Input, Service, Step, Turn};
    use nightdesk_units::Timestamp;
    use serde_json::{Value, json};
    use tower_service::Service as _;

    use super::*;
    use crate::{StrategyWorker, test_house};

    fn at_once<T>(future: impl Future<Output = T>) -> T {
        match Box::pin(future).as_mut().poll(&mut Context::from_waker(noop_waker_ref())) {
            Poll::Ready(done) => done,
            Poll::Pending => panic!("it waits"),
        }
    }

    fn worker(name: &str) -> (InstanceId, Ask) {
        let instance = name.parse().unwrap();
        let mut worker = StrategyWorker::new(crate::Config { instance, ..test_house::ma() });
        let turn = Turn { now: Timestamp(1), oldest_outbox: None };
        worker.handle(&turn, Input::Started, &mut Step::default());
        let worker = Mutex::new(worker);
        let ask: Ask = Box::new(move || {
            let told = Arc::new(Mutex::new(None));
            let into = Arc::clone(&told);
            let reply = Box::new(move |view| *into.lock().unwrap() = Some(view));
            let query = Input::Event(Event::Query(Query::Status, reply));
            worker.lock().unwrap().handle(&turn, query, &mut Step::default());
            Box::pin(async move { told.lock().unwrap().take() })
        });
        (instance, ask)
    }

    fn get(router: &Router, path: &str) -> (u16, Value) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = at_once(router.clone().call(request)).unwrap();
        let status = response.status().as_u16();
        let bytes = at_once(to_bytes(response.into_body(), usize::MAX)).unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    #[test]
    fn each_instance_says_how_it_fares() {
        let router = routes(Arc::new([worker("123"), worker("456")]));
        let (status, all) = get(&router, "/v1/instances");
        assert_eq!((status, all.as_array().unwrap().len()), (200, 2));
        assert_eq!(all[1], get(&router, "/v1/instances/456").1);
        assert_eq!((&all[1]["instance"], &all[1]["strategy"]), (&json!("456"), &json!("ma-crossover")));
        assert_eq!((&all[0]["position"], &all[0]["tally"]["decided"]), (&json!("0"), &json!(0)));
    }

    #[test]
    fn who_is_not_here_is_not_found_and_who_is_gone_is_not_available() {
        let gone: Ask = Box::new(|| Box::pin(std::future::ready(None)));
        let router = routes(Arc::new([worker("123"), ("456".parse().unwrap(), gone)]));
        assert_eq!(get(&router, "/v1/instances/789").0, 404);
        assert_eq!(get(&router, "/v1/instances/123").0, 200);
        for path in ["/v1/instances/456", "/v1/instances"] {
            let (status, said) = get(&router, path);
            assert_eq!(status, 503);
            assert!(said.as_str().unwrap().contains("worker 456"));
        }
    }
}
