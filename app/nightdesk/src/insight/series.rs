//! A series from a CSV file: whatever separates its columns, whatever it calls them.

use std::fmt;

use super::time;

/// The share of rows that may be out of order before a file counts as no time series: clocks are put back now and then.
const DISORDER_MAX: f64 = 0.01;
/// Oddities that are told one by one.
const TOLD: usize = 3;

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    /// The time as the file says it.
    pub(super) text: String,
    /// Microseconds since the epoch.
    pub(super) at: i64,
    /// The value as the file says it.
    pub(super) said: String,
    /// NaN where the file has none.
    pub(super) value: f64,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) points: Vec<Point>,
    /// What was odd and could be lived with; each names its line.
    pub(super) oddities: Vec<String>,
}

/// Why a file is no series.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadSeries {
    line: usize,
    problem: String,
}

impl fmt::Display for BadSeries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl std::error::Error for BadSeries {}

/// Where time and value stand.
struct Columns {
    separator: char,
    time: usize,
    value: usize,
}

impl Series {
    /// Reads `text`. The first line may name the columns; otherwise the first is the time and the second the value. An empty
    /// value, `NaN`, `NA`, `null` or `None` is a missing one.
    ///
    /// # Errors
    /// Names the first line that cannot be understood.
    pub(super) fn parse(text: &str) -> Result<Self, BadSeries> {
        let text = text.trim_start_matches('\u{feff}');
        let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()).peekable();
        let Some((_, first)) = lines.peek() else {
            return bad(1, "the file is empty: it needs a time and a value a line");
        };
        let (columns, named) = Columns::of(first);
        if named {
            lines.next();
        }
        let points = lines.map(|(number, line)| Ok((number, columns.point(number, line)?)));
        let points = points.collect::<Result<Vec<_>, _>>()?;
        if points.is_empty() {
            return bad(2, "there are no rows after the names of the columns");
        }
        let oddities = oddities(&points)?;
        Ok(Self { points: points.into_iter().map(|(_, point)| point).collect(), oddities })
    }

    /// Microseconds between two rows: the middle one of all distances.
    pub(super) fn interval(&self) -> i64 {
        let mut steps: Vec<i64> =
            self.points.windows(2).map(|pair| pair[1].at - pair[0].at).filter(|s| *s > 0).collect();
        steps.sort_unstable();
        steps.get(steps.len() / 2).copied().unwrap_or(1_000_000)
    }
}

/// Names rows that share their time with the one before or go back behind it.
fn oddities(points: &[(usize, Point)]) -> Result<Vec<String>, BadSeries> {
    let (mut told, mut same, mut back) = (Vec::new(), 0, Vec::new());
    let mut latest = i64::MIN;
    for (line, point) in points {
        if point.at < latest {
            back.push(*line);
            if back.len() <= TOLD {
                told.push(format!(
                    "line {line}: {} is before the time of an earlier line; it is not judged",
                    point.text
                ));
            }
        } else if point.at == latest {
            same += 1;
            if same <= TOLD {
                told.push(format!("line {line}: {} again; each row is judged as the next one", point.text));
            }
        }
        latest = latest.max(point.at);
    }
    if let Some(first) = back.first()
        && back.len() as f64 > DISORDER_MAX * points.len() as f64
    {
        let rows = if back.len() == 1 { "1 row goes".to_owned() } else { format!("{} rows go", back.len()) };
        return bad(*first, format!("{rows} back in time, of {}: sort the file by time first", points.len()));
    }
    for (count, what) in [(same, "have the time of the one before"), (back.len(), "go back in time")] {
        if count > TOLD {
            told.push(format!("{count} rows in all {what}"));
        }
    }
    Ok(told)
}

impl Columns {
    /// What the first line says, and whether it names columns.
    fn of(first: &str) -> (Self, bool) {
        let separator = [',', ';', '\t'].into_iter().find(|c| first.contains(*c)).unwrap_or(',');
        let fields = fields(first, separator);
        let named = fields.first().is_some_and(|field| time::parse(field).is_none())
            && !fields.iter().any(|field| time::parse(field).is_some());
        let find = |names: &[&str]| {
            let is = |field: &String| names.contains(&field.trim().to_ascii_lowercase().as_str());
            if named { fields.iter().position(is) } else { None }
        };
        let time = find(&["timestamp", "time", "datetime", "date", "ts", "open_time", "close_time"]).unwrap_or(0);
        let value = find(&["value", "y", "close", "metric"]).unwrap_or(usize::from(time == 0));
        (Self { separator, time, value }, named)
    }

    fn point(&self, number: usize, line: &str) -> Result<Point, BadSeries> {
        let fields = fields(line, self.separator);
        let field = |at: usize, what: &str| match fields.get(at) {
            Some(field) => Ok(field.trim().to_owned()),
            None => bad(
                number,
                format!("there is no {what}: {} column{}", fields.len(), if fields.len() == 1 { "" } else { "s" }),
            ),
        };
        let (text, said) = (field(self.time, "time")?, field(self.value, "value")?);
        let Some(at) = time::parse(&text) else {
            return bad(
                number,
                format!("{text:?} is no time: write it like 2024-08-01 10:00:00 or as seconds since 1970"),
            );
        };
        let missing = ["", "nan", "na", "n/a", "null", "none"].contains(&said.to_ascii_lowercase().as_str());
        let value = match (missing, said.parse::<f64>()) {
            (true, _) => f64::NAN,
            (false, Ok(value)) if value.is_finite() => value,
            (false, _) => {
                return bad(number, format!("{said:?} is no number; leave the value empty where it is missing"));
            }
        };
        Ok(Point { text, at, said, value })
    }
}

fn bad<T>(line: usize, problem: impl Into<String>) -> Result<T, BadSeries> {
    Err(BadSeries { line, problem: problem.into() })
}

/// The fields of a line; a quoted one may hold the separator, and a doubled quote in it is one quote.
fn fields(line: &str, separator: char) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.trim_end_matches('\r').chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            c if c == separator && !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<f64> {
        Series::parse(text).unwrap().points.iter().map(|point| point.value).collect()
    }

    fn refused(text: &str) -> String {
        Series::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn any_table_of_times_and_values_is_read() {
        let same = [
            "timestamp,value\n2024-08-01 00:00:00,1\n2024-08-01 00:05:00,2.5\n",
            "2024-08-01T00:00:00Z;1\r\n2024-08-01T00:05:00Z;2.5\r\n",
            "\u{feff}value\ttime\n1\t1722470400\n2.5\t1722470700\n",
            "name,time,value\n\"a,b\",\"2024-08-01 00:00\",1\n\n\"a \"\"b\"\"\",2024-08-01 00:05,2.5\n",
        ];
        for text in same {
            assert_eq!(values(text), [1.0, 2.5], "{text}");
            assert_eq!(Series::parse(text).unwrap().interval(), 300_000_000, "{text}");
        }
    }

    #[test]
    fn a_missing_value_is_a_gap() {
        let values = values("t,v\n1,5\n2,\n3,NaN\n4,null\n5,6\n");
        assert_eq!(values.iter().map(|value| value.is_nan()).collect::<Vec<_>>(), [false, true, true, true, false]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        assert!(refused("").starts_with("line 1: the file is empty"));
        assert!(refused("timestamp,value\n").starts_with("line 2: there are no rows"));
        assert!(refused("t,v\n1,5\n2,high\n").starts_with("line 3: \"high\" is no number"));
        assert!(refused("t,v\n1,5\nlater,6\n").starts_with("line 3: \"later\" is no time"));
        assert!(refused("t,v\n1,5\n2\n").starts_with("line 3: there is no value: 1 column"));
        assert_eq!(
            refused("t,v\n3,5\n1,6\n2,6\n"),
            "line 3: 2 rows go back in time, of 3: sort the file by time first"
        );
        assert!(refused("t,v\n1,inf\n").starts_with("line 2: \"inf\" is no number"));
    }

    #[test]
    fn repeated_times_and_a_few_steps_back_are_told_and_lived_with() {
        let mut text = "t,v\n".to_owned();
        (1..=200).for_each(|at| text += &format!("{at},1\n"));
        text += "200,1\n150,1\n201,1\n";
        let series = Series::parse(&text).unwrap();
        assert_eq!(series.points.len(), 203);
        assert_eq!(
            series.oddities,
            [
                "line 202: 200 again; each row is judged as the next one",
                "line 203: 150 is before the time of an earlier line; it is not judged",
            ]
        );
    }
}
