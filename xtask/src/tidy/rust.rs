//! Rust source, read just far enough: what is code, what is comment, what is test. It is a scanner, not a parser: code
//! that compiles is given, so it only has to find the ends of strings, comments and braces.

use std::ops::Range;

/// A source file split into its parts. Each part has the same lines and columns as the file.
#[derive(Debug)]
pub(crate) struct Rust {
    /// The code, with comments blanked and the insides of strings replaced by `_`.
    pub(crate) code: String,
    /// The comments alone.
    pub(crate) comments: String,
    /// The code without what only tests compile.
    pub(crate) product: String,
    /// The number of lines that are not tests: code, comments and blank ones.
    pub(crate) lines: usize,
}

/// A function: the line it starts in and how many lines of code its body has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) length: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Code,
    Comment,
    Inside,
}

impl Rust {
    /// Splits `text`.
    pub(crate) fn read(text: &str) -> Self {
        let bytes = text.as_bytes();
        let parts = parts(bytes);
        let keep = |part: Part, filler: u8| -> Vec<u8> {
            let pairs = bytes.iter().zip(&parts);
            pairs
                .map(|(byte, at)| keep_one(*byte, *at == part, if *at == Part::Inside { filler } else { b' ' }))
                .collect()
        };
        let code = String::from_utf8_lossy(&keep(Part::Code, b'_')).into_owned();
        let comments = String::from_utf8_lossy(&keep(Part::Comment, b' ')).into_owned();
        let tests = tests(&code);
        let mut product = code.clone().into_bytes();
        for range in &tests {
            product[range.clone()].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        let lines_in_tests: usize = tests.iter().map(|range| code[range.clone()].lines().count()).sum();
        let lines = text.lines().count().saturating_sub(lines_in_tests);
        Self { code, comments, product: String::from_utf8_lossy(&product).into_owned(), lines }
    }

    /// The functions outside of tests.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let code = &self.product;
        words(code).filter(|(_, word)| *word == "fn").filter_map(|(at, _)| function(code, at)).collect()
    }
}

/// The words of `code` with their positions.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let start = code.as_ptr() as usize;
    code.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - start, word))
}

/// The number of the line in which position `at` lies.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count()
}

fn keep_one(byte: u8, keep: bool, filler: u8) -> u8 {
    if byte == b'\n' || (keep && byte.is_ascii()) {
        byte
    } else if keep {
        // Outside of ASCII every byte becomes a letter of its own: columns stay, and nothing here reads them.
        b'_'
    } else {
        filler
    }
}

/// Which part each byte belongs to.
fn parts(text: &[u8]) -> Vec<Part> {
    let mut parts = vec![Part::Code; text.len()];
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let (part, end) = if rest.starts_with(b"//") {
            (Part::Comment, at + find(rest, b"\n").unwrap_or(rest.len()))
        } else if rest.starts_with(b"/*") {
            (Part::Comment, at + block_comment(rest))
        } else if rest[0] == b'"' {
            let hashes = raw_hashes(&text[..at]);
            (Part::Inside, at + hashes.map_or_else(|| string(rest), |n| raw_string(rest, n)))
        } else if rest[0] == b'\'' {
            (Part::Inside, at + character(rest))
        } else {
            (Part::Code, at + 1)
        };
        // The quotes themselves stay code, so that something is seen to stand there.
        let range = if part == Part::Inside { (at + 1).min(end)..end.saturating_sub(1).max(at + 1) } else { at..end };
        parts[range].fill(part);
        at = end;
    }
    parts
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn block_comment(text: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        if text[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The number of `#` if a raw string opens with the quote that follows `before`.
fn raw_hashes(before: &[u8]) -> Option<usize> {
    let hashes = before.iter().rev().take_while(|byte| **byte == b'#').count();
    let before = &before[..before.len() - hashes];
    let before = before.strip_suffix(b"r")?;
    let before = before.strip_suffix(b"b").or_else(|| before.strip_suffix(b"c")).unwrap_or(before);
    let in_word = before.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    (!in_word).then_some(hashes)
}

fn raw_string(text: &[u8], hashes: usize) -> usize {
    let end = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    find(&text[1..], &end).map_or(text.len(), |at| at + 2)
}

fn string(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

/// The length of a character literal, or 1 for the quote of a lifetime.
fn character(text: &[u8]) -> usize {
    if text.get(1) == Some(&b'\\') {
        return find(&text[3.min(text.len())..], b"'").map_or(text.len(), |at| at + 4);
    }
    let end = text.iter().take(6).skip(2).position(|byte| *byte == b'\'').map(|at| at + 3);
    // `'a'` is a character, but in `<'a, 'b>` the second quote is not the end of the first: one character lies between.
    match end {
        Some(end) if std::str::from_utf8(&text[1..end - 1]).is_ok_and(|inside| inside.chars().count() == 1) => end,
        _ => 1,
    }
}

/// The ranges of `code` that only tests compile.
fn tests(code: &str) -> Vec<Range<usize>> {
    const MARK: &str = "#[cfg(test)]";
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices(MARK) {
        if ranges.last().is_none_or(|range| range.end <= start) {
            let end = item_end(code, start + MARK.len());
            ranges.push(start..end);
        }
    }
    ranges
}

/// Where the item ends that starts at `from`: at its `;`, or at the brace that closes it.
fn item_end(code: &str, from: usize) -> usize {
    match open_brace(code, from) {
        Some(open) => close_brace(code, open) + 1,
        None => code[from..].find(';').map_or(code.len(), |at| from + at + 1),
    }
}

/// The brace that opens the body of the item at `from`, if a `;` does not end it first.
fn open_brace(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth <= 0 => return Some(at),
            b';' if depth <= 0 => return None,
            _ => {}
        }
    }
    None
}

/// The brace that closes the one at `open`.
fn close_brace(code: &str, open: usize) -> usize {
    let mut depth = 0_i32;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        depth += i32::from(byte == b'{') - i32::from(byte == b'}');
        if depth == 0 {
            return at;
        }
    }
    code.len() - 1
}

/// The function whose `fn` stands at `at`, unless that is a type (`fn(u8)`) or has no body.
fn function(code: &str, at: usize) -> Option<Function> {
    let rest = code[at + 2..].trim_start();
    let (_, name) = words(rest).next().filter(|(start, _)| *start == 0)?;
    let open = open_brace(code, at)?;
    let body = &code[open..close_brace(code, open)];
    let length = body.lines().skip(1).filter(|line| !line.trim().is_empty()).count();
    Some(Function { name: name.to_owned(), line: line_of(code, at), length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: &str, comments: &str) {
        let rust = Rust::read(text);
        assert_eq!((rust.code.trim_end(), rust.comments.trim()), (code, comments));
        assert_eq!(rust.code.len(), text.len());
    }

    #[test]
    fn comments_and_code_are_told_apart() {
        check("a(); // b\n", "a();", "// b");
        check("a /* b /* c */ d */ e", "a                   e", "/* b /* c */ d */");
        check("a(); //! doc \"quoted\nb", "a();                \nb", "//! doc \"quoted");
    }

    #[test]
    fn strings_hide_what_is_in_them() {
        check(r#"f("a // \" b", c)"#, r#"f("_________", c)"#, "");
        check(r##"f(r#"a " // b"#, br"\", c)"##, r##"f(r#"________"#, br"_", c)"##, "");
        check("f('\"', '\\'', '\\u{41}', b'x', 'é')", "f('_', '__', '______', b'_', '__')", "");
    }

    #[test]
    fn lifetimes_are_no_strings() {
        check("fn f<'a, 'b>(x: &'a str) -> &'static str", "fn f<'a, 'b>(x: &'a str) -> &'static str", "");
    }

    #[test]
    fn tests_are_no_product() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod more;\n";
        let rust = Rust::read(text);
        let names: Vec<_> = rust.functions().into_iter().map(|function| function.name).collect();
        assert_eq!(names, ["a", "c"]);
        assert_eq!(rust.lines, 2);
    }

    #[test]
    fn a_body_is_measured_in_lines_of_code() {
        let text =
            "fn long<T>(a: [u8; 2]) -> fn(u8)\nwhere\n    T: Copy,\n{\n    one();\n\n    // why\n    two(\"}\");\n}\n";
        assert_eq!(Rust::read(text).functions(), [Function { name: "long".into(), line: 1, length: 2 }]);
    }

    #[test]
    fn declarations_and_types_are_no_functions() {
        assert_eq!(Rust::read("trait T { fn a(&self); }\ntype F = fn(u8);\n").functions(), []);
    }
}
