//! A forecast of a file's series, with bounds.

use nightdesk_host::{Failure, Status, output};
use nightdesk_insight::crossing::{Limit, TimeToImpact, time_to_impact};
use nightdesk_insight::forecast::{Forecast, Forecaster, Settings};
use serde::Serialize;

use super::series::Series;
use super::{number, read, time};
use crate::cli::{ForecastArgs, Outlook};

/// How far a row may lie from the grid of steps, as a share of a step, before the distances between rows count for nothing.
const JITTER: f64 = 0.25;
/// Steps without a row that are filled with missing values; a longer pause is more than a gap.
const GAP_MAX: i64 = 10_000;

/// One step ahead.
#[derive(Debug, Serialize)]
struct Step {
    timestamp: String,
    mean: f64,
    low: f64,
    high: f64,
}

/// The forecast of a file.
#[derive(Debug, Serialize)]
struct Printed<'a> {
    file: &'a std::path::Path,
    rows: usize,
    step_s: f64,
    forecast: &'a Forecast,
    time_to_impact: Option<TimeToImpact>,
    steps: Vec<Step>,
}

/// Runs `insight forecast`.
pub(crate) fn run(args: &ForecastArgs) -> Result<(), Failure> {
    let series = read(&args.file)?;
    let forecast = forecast(&series, &args.outlook)?;
    let limits = [args.above.map(Limit::Above), args.below.map(Limit::Below)];
    let impact = limits.into_iter().flatten().find_map(|limit| time_to_impact(&forecast, limit));
    let steps: Vec<Step> = steps(&series, &forecast).collect();
    if args.json {
        let step_s = series.interval() as f64 / 1e6;
        let rows = series.points.len();
        return Ok(output::json(&Printed {
            file: &args.file,
            rows,
            step_s,
            forecast: &forecast,
            time_to_impact: impact,
            steps,
        })?);
    }
    let mut table = String::from("timestamp,mean,low,high\n");
    for Step { timestamp, mean, low, high } in &steps {
        table += &format!("{timestamp},{},{},{}\n", number(*mean), number(*low), number(*high));
    }
    output::to_stdout(&table)?;
    output::to_stderr(&said(args, &forecast, impact));
    Ok(())
}

/// What a person wants to know beside the numbers.
fn said(args: &ForecastArgs, forecast: &Forecast, impact: Option<TimeToImpact>) -> String {
    let trend = format!("{:?}", forecast.trend).to_lowercase();
    let models = forecast.models.iter().take(3);
    let models: Vec<String> = models.map(|share| format!("{} {:.0} %", share.model, share.weight * 100.0)).collect();
    let mut said = format!("trend {trend}; mostly {}\n", models.join(", "));
    if args.above.is_some() || args.below.is_some() {
        said += &match impact {
            None => format!("no limit is reached within {} steps\n", forecast.mean.len()),
            Some(TimeToImpact { expected, earliest, latest, confidence }) => {
                let step =
                    |step: Option<usize>| step.map_or("not within the horizon".to_owned(), |n| format!("step {n}"));
                format!(
                    "the limit is reached: expected {}, at the earliest step {earliest}, at the latest {}; confidence {:.0} %\n",
                    step(expected),
                    step(latest),
                    confidence * 100.0
                )
            }
        };
    }
    said
}

/// Fits and forecasts.
pub(super) fn forecast(series: &Series, outlook: &Outlook) -> Result<Forecast, Failure> {
    if !(0.0..100.0).contains(&outlook.level) || outlook.level == 0.0 {
        return Err(Failure::new(Status::Usage, "--level is a percentage between 0 and 100"));
    }
    let mut settings = Settings::new(outlook.season.clone(), outlook.horizon);
    settings.level = outlook.level / 100.0;
    let values = by_step(series);
    let failed = |error| Failure::new(Status::BadConfig, error);
    let fitted = Forecaster::fit(&values, settings).map_err(failed)?;
    fitted.forecast(outlook.horizon).map_err(failed)
}

/// The values one by step: rows that are missing in a regular series are missing values, repeated times and small steps back
/// are dropped, and where the distances between rows follow no grid each row is a step.
fn by_step(series: &Series) -> Vec<f64> {
    let interval = series.interval().max(1);
    let mut values = Vec::with_capacity(series.points.len());
    let mut irregular = 0;
    let mut last: Option<i64> = None;
    for point in &series.points {
        let steps = last.map_or(1, |last| {
            let distance = (point.at - last) as f64 / interval as f64;
            irregular += usize::from((distance - distance.round()).abs() > JITTER);
            distance.round() as i64
        });
        if steps <= 0 {
            continue;
        }
        values.extend((1..steps.min(GAP_MAX)).map(|_| f64::NAN));
        values.push(point.value);
        last = Some(point.at);
    }
    if irregular * 10 > series.points.len() {
        output::to_stderr("the rows are not evenly spaced: each counts as one step\n");
        return series.points.iter().map(|point| point.value).collect();
    }
    values
}

fn steps<'a>(series: &Series, forecast: &'a Forecast) -> impl Iterator<Item = Step> + 'a {
    let (last, interval) = (series.points.iter().map(|point| point.at).max().unwrap_or(0), series.interval());
    let bounds = forecast.low.iter().zip(&forecast.high);
    (1..).zip(forecast.mean.iter().zip(bounds)).map(move |(step, (mean, (low, high)))| {
        let timestamp = time::show(last + step * interval);
        Step { timestamp, mean: *mean, low: *low, high: *high }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(times: impl Iterator<Item = i64>) -> Series {
        let rows: Vec<String> = times.map(|at| format!("{at},{}", at % 7)).collect();
        Series::parse(&rows.join("\n")).unwrap()
    }

    #[test]
    fn missing_rows_of_a_regular_series_are_missing_values() {
        let values = by_step(&series([60, 120, 180, 360, 420, 480, 541].into_iter()));
        assert_eq!(
            values.iter().map(|value| value.is_nan()).collect::<Vec<_>>(),
            [false, false, false, true, true, false, false, false, false]
        );
    }

    #[test]
    fn rows_without_a_grid_are_steps() {
        let times = (1..60).map(|n| n * n * 7);
        assert_eq!(by_step(&series(times)).len(), 59);
    }

    #[test]
    fn a_daily_pattern_is_continued() {
        let rows: Vec<String> = (0..24 * 20).map(|hour| format!("{},{}", hour * 3_600, 10 + hour % 24)).collect();
        let series = Series::parse(&rows.join("\n")).unwrap();
        let outlook = Outlook { horizon: 24, season: vec![24], level: 95.0 };
        let forecast = forecast(&series, &outlook).unwrap();
        assert!(forecast.mean.iter().enumerate().all(|(hour, mean)| (mean - 10.0 - hour as f64).abs() < 0.5));
        assert_eq!(steps(&series, &forecast).next().unwrap().timestamp, "1970-01-21T00:00:00Z");
    }
}
