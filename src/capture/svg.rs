//! What all pictures share: text that is safe in XML, and colours for light and dark pages.

use alloc::{format, string::String, vec::Vec};

/// Text as it may stand in XML.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML 1.0, section 2.2: no other control characters.
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A whole picture. The colours are plain; a page in dark mode swaps them.
pub(super) fn document(width: i64, height: i64, title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n{body}</svg>\n"
    )
}

const STYLE: &str = "\
text{font-family:ui-sans-serif,system-ui,'Segoe UI','Helvetica Neue','DejaVu Sans',sans-serif;\
font-size:13px;fill:#1b2430}
.page{fill:#ffffff}
.title{font-size:16px;font-weight:600}
.name{font-weight:600}
.mono{font-family:ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;\
font-size:12px}
.muted{fill:#66707f}
.halo{stroke:#ffffff;stroke-width:4px;stroke-linejoin:round;paint-order:stroke}
.small{font-size:11px}
.end{text-anchor:end}
.mid{text-anchor:middle}
.time{font-size:11px;fill:#66707f;text-anchor:end}
.line{stroke:#8a94a3;stroke-width:2;fill:none}
.rule{stroke:#8a94a3;stroke-width:1;fill:none}
.curve{stroke:#4a5462;stroke-width:1.6;fill:none}
.tip{fill:#4a5462}
.state{fill:#f2f5f9;stroke:#4a5462;stroke-width:1.6}
.now{fill:#ffe9b0;stroke:#b35900;stroke-width:3}
.data{stroke:#1d5fbf;stroke-width:2;fill:none}
.data-t{fill:#1d5fbf}
.again{stroke:#b35900;stroke-width:2;fill:none}
.again-t{fill:#b35900}
.took{stroke:#b35900;stroke-width:3;fill:none}
.ack{stroke:#2b7a45;stroke-width:2;fill:none}
.ack-t{fill:#2b7a45}
.bad{stroke:#c4232b;stroke-width:2.4;fill:none}
.bad-t{fill:#c4232b;font-weight:600}
.up-t{fill:#2b7a45;font-weight:600}
.timer{stroke:#a07d1c;stroke-width:3;fill:none}
.dash{stroke-dasharray:6 5}
@media (prefers-color-scheme:dark){
text{fill:#e3e8ef}
.page{fill:#14181f}
.muted,.time{fill:#98a3b3}
.halo{stroke:#14181f}
.line,.rule{stroke:#6f7b8c}
.curve{stroke:#b3bdca}
.tip{fill:#b3bdca}
.state{fill:#212833;stroke:#b3bdca}
.now{fill:#4a3800;stroke:#ffb454}
.data{stroke:#6fb1ff}
.data-t{fill:#6fb1ff}
.again{stroke:#ffb454}
.again-t{fill:#ffb454}
.took{stroke:#ffb454}
.ack{stroke:#6fd08c}
.ack-t{fill:#6fd08c}
.bad{stroke:#ff7b80}
.bad-t{fill:#ff7b80}
.up-t{fill:#6fd08c}
.timer{stroke:#d9b44a}
}
";

/// Breaks a text at spaces into lines of so many characters; a word that is longer is cut. What goes
/// on is indented, so that two notes can be told apart.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word: String = word.chars().take(width).collect();
        let used = line.chars().count();
        if used > 0 && used + 1 + word.chars().count() > width {
            lines.push(core::mem::take(&mut line));
            word = format!(" {word}").chars().take(width).collect();
        } else if used > 0 {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.trim().is_empty() {
        lines.push(line);
    }
    lines
}

/// The point of an arrow at (`x`, `y`) that comes along (`dx`, `dy`).
pub(super) fn tip(class: &str, (x, y): (i64, i64), (dx, dy): (i64, i64)) -> String {
    let length = length(dx, dy).max(1);
    let along = |by: i64| (x - dx * by / length, y - dy * by / length);
    let (bx, by) = along(11);
    let (ox, oy) = (-dy * 5 / length, dx * 5 / length);
    format!(
        "<polygon class=\"{class}\" points=\"{x},{y} {},{} {},{}\"/>\n",
        bx + ox,
        by + oy,
        bx - ox,
        by - oy
    )
}

/// The length of a vector, rounded down.
pub(super) fn length(dx: i64, dy: i64) -> i64 {
    let square = dx.saturating_mul(dx).saturating_add(dy.saturating_mul(dy));
    square.isqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_break_out() {
        assert_eq!(escape("a<b & \"c\"\u{1}>"), "a&lt;b &amp; &quot;c&quot;\u{fffd}&gt;");
    }

    #[test]
    fn every_colour_has_a_dark_counterpart() {
        let (light, dark) = STYLE.split_once("@media").unwrap();
        for line in light.lines().filter(|line| line.contains('#')) {
            let class = line.split('{').next().unwrap();
            if class.starts_with("text") {
                continue;
            }
            assert!(dark.contains(class), "{class}");
        }
    }
}
