//! Links between documents: each relative one must lead to a file of the repository, and to a heading if it names one.

use super::{Files, Problem};

/// Checks the links of the document `text` at `path`.
pub(crate) fn check(path: &str, text: &str, files: &Files) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (line, shown) in prose(text) {
        for target in targets(&shown) {
            problems.extend(dead(path, target, files).map(|message| Problem::new(path, line, message)));
        }
    }
    problems
}

/// The lines outside of code blocks, numbered, with their `code` blanked.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let fence = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        in_code ^= fence;
        if !in_code && !fence {
            let shown = line.split('`').enumerate().map(|(part, text)| if part % 2 == 0 { text } else { "code" });
            lines.push((index + 1, shown.collect()));
        }
    }
    lines
}

/// What the line links to: `[text](target)`, `[name]: target`, `src="target"`, `href="target"`.
fn targets(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    for (open, ends) in [("](", [')', ' ']), ("src=\"", ['"', '"']), ("href=\"", ['"', '"'])] {
        targets.extend(line.split(open).skip(1).filter_map(|rest| rest.split(ends).next()));
    }
    if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
        targets.extend(target.split_whitespace().next());
    }
    targets.into_iter().filter(|target| !target.is_empty() && !is_outside(target)).collect()
}

fn is_outside(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:") || target.starts_with("data:")
}

/// Why `target`, linked from `path`, leads nowhere.
fn dead(path: &str, target: &str, files: &Files) -> Option<String> {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let resolved = if file.is_empty() { path.to_owned() } else { resolve(path, file) };
    let Some(text) = files.get(&resolved) else {
        let folder = format!("{}/", resolved.trim_end_matches('/'));
        let is_folder =
            resolved.is_empty() || files.range(folder.clone()..).next().is_some_and(|(p, _)| p.starts_with(&folder));
        return (!is_folder).then(|| format!("dead link to `{target}`"));
    };
    let known =
        heading.is_empty() || !resolved.ends_with(".md") || anchors(text).iter().any(|anchor| anchor == heading);
    (!known).then(|| format!("dead link to `{target}`: no such heading"))
}

/// `target` as a path below the root, seen from the document at `path`.
fn resolve(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    if target.starts_with('/') {
        parts.clear();
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('#')) {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let slug: String = title.chars().filter_map(slug_letter).collect();
        let same = anchors.iter().filter(|anchor| **anchor == slug).count();
        anchors.push(if same == 0 { slug } else { format!("{slug}-{same}") });
    }
    anchors
}

fn slug_letter(letter: char) -> Option<char> {
    match letter {
        ' ' | '-' => Some('-'),
        '_' => Some('_'),
        letter => letter.is_alphanumeric().then_some(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::expect;
    use super::*;

    #[track_caller]
    fn links(text: &str, expected: &[&str]) {
        let mut files: Files =
            [("README.md", ""), ("docs/a/b.md", "# One two\n## It's `x_y`: done\n"), ("docs/p.svg", "")]
                .map(|(path, text)| (path.to_owned(), text.to_owned()))
                .into();
        files.insert("docs/here.md".into(), text.into());
        expect(&check("docs/here.md", text, &files), expected);
    }

    #[test]
    fn living_links_are_silent() {
        links(
            "[a](a/b.md) [b](../README.md) [c](./a/) [d](/docs/p.svg \"title\") <img src=\"p.svg\">\n[r]: a/b.md\n",
            &[],
        );
        links("[out](https://example.org/x.md) <mailto:a@b> [m](mailto:a@b)\n[..](..)\n", &[]);
    }

    #[test]
    fn dead_links_are_named_with_their_line() {
        links(
            "\n[a](b.md)\n[r]: gone.md\n",
            &["docs/here.md:2: dead link to `b.md`", "docs/here.md:3: dead link to `gone.md`"],
        );
        links(
            "![p](q.svg) [x](../docs/a/c)\n",
            &["docs/here.md:1: dead link to `q.svg`", "docs/here.md:1: dead link to `../docs/a/c`"],
        );
        links("[above](../../x.md)\n", &["docs/here.md:1: dead link to `../../x.md`"]);
    }

    #[test]
    fn headings_are_checked() {
        links("# Top\n[a](a/b.md#one-two) [b](a/b.md#its-x_y-done) [c](#top)\n", &[]);
        links("[a](a/b.md#three)\n", &["docs/here.md:1: dead link to `a/b.md#three`: no such heading"]);
    }

    #[test]
    fn code_has_no_links() {
        links("`[a](gone.md)`\n```\n[a](gone.md)\n```\n", &[]);
    }
}
