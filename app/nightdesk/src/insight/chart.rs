//! A series as a picture: SVG, written by hand, because a line, a band and a few dots need no library.

use super::time;

/// Pixels.
const WIDTH: f64 = 1_200.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 40.0;
/// The most points a line is drawn with: more than the picture has columns tells nothing more.
const POINTS: usize = 1_600;

/// A moment and a value.
pub(super) type Dot = (i64, f64);

/// What is drawn.
#[derive(Debug, Default)]
pub(super) struct Chart {
    pub(super) title: String,
    /// The series; NaN breaks the line.
    pub(super) line: Vec<Dot>,
    /// Where values were expected: moment, low, high.
    pub(super) band: Vec<(i64, f64, f64)>,
    /// Alarms with their reasons.
    pub(super) alarms: Vec<(i64, f64, &'static str)>,
    /// The forecast: moment, mean, low, high.
    pub(super) forecast: Vec<(i64, f64, f64, f64)>,
}

/// Where a moment and a value lie in the picture.
struct Frame {
    from: i64,
    to: i64,
    low: f64,
    high: f64,
}

impl Frame {
    fn x(&self, at: i64) -> f64 {
        let share = (at - self.from) as f64 / ((self.to - self.from).max(1)) as f64;
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value.clamp(self.low, self.high) - self.low) / (self.high - self.low);
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }
}

impl Chart {
    /// The picture as SVG.
    pub(super) fn svg(&self) -> String {
        let frame = self.frame();
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
             <text x=\"{LEFT}\" y=\"22\" font-size=\"15\" fill=\"#1d2733\">{}</text>\n",
            escaped(&self.title)
        );
        svg += &axes(&frame);
        svg += &legend(!self.forecast.is_empty());
        svg += &area(&frame, &thin(&self.band), "#9ec5e8", 0.45);
        let forecast: Vec<_> = self.forecast.iter().map(|(at, _, low, high)| (*at, *low, *high)).collect();
        svg += &area(&frame, &forecast, "#f2b880", 0.5);
        svg += &path(&frame, &thin(&self.line), "#1f5d99");
        svg += &path(&frame, &self.forecast.iter().map(|(at, mean, ..)| (*at, *mean)).collect::<Vec<_>>(), "#c8641b");
        for (at, value, reason) in &self.alarms {
            let (x, y) = (frame.x(*at), frame.y(*value));
            svg += &format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"#d0282e\" fill-opacity=\"0.85\"><title>{}, {}: {}</title></circle>\n",
                time::show(*at),
                super::number(*value),
                reason
            );
        }
        svg + "</svg>\n"
    }

    /// Holds every value and forecast; a band that is far wider than the series is cut off.
    fn frame(&self) -> Frame {
        let times = self.line.iter().map(|(at, _)| *at).chain(self.forecast.iter().map(|(at, ..)| *at));
        let (from, to) = times.fold((i64::MAX, i64::MIN), |(from, to), at| (from.min(at), to.max(at)));
        let values = self.line.iter().map(|(_, value)| *value);
        let values = values.chain(self.forecast.iter().flat_map(|(_, mean, low, high)| [*mean, *low, *high]));
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let room = if high > low { 0.06 * (high - low) } else { low.abs().max(1.0) * 0.1 };
        Frame { from: from.min(to), to: to.max(from), low: low - room, high: high + room }
    }
}

/// Every so many-th, but always the largest and the smallest of each group, so that no spike is lost.
trait Thin: Copy {
    fn height(&self) -> f64;
}

impl Thin for Dot {
    fn height(&self) -> f64 {
        self.1
    }
}

impl Thin for (i64, f64, f64) {
    fn height(&self) -> f64 {
        self.2
    }
}

fn thin<T: Thin>(all: &[T]) -> Vec<T> {
    if all.len() <= POINTS {
        return all.to_vec();
    }
    let mut kept = Vec::with_capacity(POINTS);
    for group in all.chunks(all.len().div_ceil(POINTS / 2)) {
        let by = |sign: f64| {
            let heights = group.iter().enumerate().filter(|(_, item)| item.height().is_finite());
            heights.max_by(|(_, a), (_, b)| (sign * a.height()).total_cmp(&(sign * b.height()))).map(|(at, _)| at)
        };
        let mut places: Vec<usize> = [by(-1.0), by(1.0)].into_iter().flatten().collect();
        places.sort_unstable();
        places.dedup();
        kept.extend(places.into_iter().map(|at| group[at]));
    }
    kept
}

fn path(frame: &Frame, dots: &[Dot], colour: &str) -> String {
    let (mut d, mut pen_up) = (String::new(), true);
    for (at, value) in dots {
        if value.is_finite() {
            let command = if pen_up { 'M' } else { 'L' };
            d += &format!("{command}{:.1} {:.1}", frame.x(*at), frame.y(*value));
        }
        pen_up = !value.is_finite();
    }
    format!("<path d=\"{d}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.3\" stroke-linejoin=\"round\"/>\n")
}

fn area(frame: &Frame, band: &[(i64, f64, f64)], colour: &str, opacity: f64) -> String {
    if band.is_empty() {
        return String::new();
    }
    let above = band.iter().map(|(at, _, high)| format!("{:.1},{:.1}", frame.x(*at), frame.y(*high)));
    let below = band.iter().rev().map(|(at, low, _)| format!("{:.1},{:.1}", frame.x(*at), frame.y(*low)));
    let points: Vec<String> = above.chain(below).collect();
    format!("<polygon points=\"{}\" fill=\"{colour}\" fill-opacity=\"{opacity}\"/>\n", points.join(" "))
}

fn axes(frame: &Frame) -> String {
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    let mut svg = String::new();
    for value in ticks(frame.low, frame.high) {
        let y = frame.y(value);
        svg += &format!(
            "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#e3e8ee\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#5a6775\">{}</text>\n",
            LEFT - 8.0,
            y + 4.0,
            super::number(value)
        );
    }
    for part in 0..=4 {
        let at = frame.from + (frame.to - frame.from) / 4 * part;
        let anchor = ["start", "middle", "middle", "middle", "end"][usize::try_from(part).unwrap_or(0)];
        let text = time::show(at).replace('T', " ").replace('Z', "");
        let (x, y) = (frame.x(at), bottom + 20.0);
        svg += &format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#5a6775\">{text}</text>\n");
    }
    svg + &format!("<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\" stroke=\"#9aa7b5\"/>\n")
}

fn legend(forecast: bool) -> String {
    let mut entries = vec![("#1f5d99", "value"), ("#9ec5e8", "expected"), ("#d0282e", "alarm")];
    if forecast {
        entries.push(("#c8641b", "forecast"));
    }
    let start = WIDTH - RIGHT - 95.0 * entries.len() as f64;
    let entry = |(place, (colour, word)): (usize, (&str, &str))| {
        let x = start + 95.0 * place as f64;
        format!(
            "<rect x=\"{x}\" y=\"12\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"22\" fill=\"#1d2733\">{word}</text>\n",
            x + 18.0
        )
    };
    entries.into_iter().enumerate().map(entry).collect()
}

/// About five round numbers between the two.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    (first..first + 12).map(|n| n as f64 * step).take_while(|value| *value <= high).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(-3.0, 97.0), [0.0, 20.0, 40.0, 60.0, 80.0]);
        assert_eq!(ticks(0.0, 0.05).len(), 6);
    }

    #[test]
    fn thinning_keeps_the_spike() {
        let line: Vec<Dot> = (0..100_000).map(|at| (at, if at == 54_321 { 9.0 } else { 1.0 })).collect();
        let thinned = thin(&line);
        assert!(thinned.len() <= POINTS && thinned.contains(&(54_321, 9.0)));
    }

    #[test]
    fn everything_is_in_the_picture() {
        let chart = Chart {
            title: "a < b".to_owned(),
            line: (0..50).map(|at| (at, if at == 20 { f64::NAN } else { at as f64 })).collect(),
            band: (0..50).map(|at| (at, 0.0, 60.0)).collect(),
            alarms: vec![(30, 30.0, "spike")],
            forecast: (50..60).map(|at| (at, 50.0, 40.0, 60.0)).collect(),
        };
        let svg = chart.svg();
        for part in ["a &lt; b", "<circle", "spike", "<polygon", "forecast"] {
            assert!(svg.contains(part), "{part} not in\n{svg}");
        }
        assert!(!svg.contains("NaN"));
    }
}
