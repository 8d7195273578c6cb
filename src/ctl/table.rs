//! Aligned columns of text.

use std::io::{self, Write};

/// A column: its title, and whether its cells are numbers (right-aligned).
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) number: bool,
}

/// A column of words.
pub(super) const fn text(title: &'static str) -> Column {
    Column { title, number: false }
}

/// A column of numbers.
pub(super) const fn number(title: &'static str) -> Column {
    Column { title, number: true }
}

/// Writes rows page by page. A column is as wide as its widest cell so far: pages may grow wider,
/// never narrower, and no row is held back.
pub(super) struct Table {
    columns: Vec<Column>,
    widths: Vec<usize>,
    /// Where lines are cut, in characters.
    cut_at: Option<usize>,
    titled: bool,
}

/// One line's cells, as many as there are columns.
pub(super) type Cells = Vec<String>;

impl Table {
    pub(super) fn new(columns: Vec<Column>, cut_at: Option<usize>) -> Self {
        let widths = columns.iter().map(|c| c.title.chars().count()).collect();
        Self { columns, widths, cut_at, titled: false }
    }

    /// Writes these rows, the titles before the first.
    pub(super) fn write(&mut self, rows: &[Cells], out: &mut dyn Write) -> io::Result<()> {
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        if !self.titled {
            self.titled = true;
            let titles: Cells = self.columns.iter().map(|c| c.title.to_owned()).collect();
            self.line(&titles, out)?;
        }
        rows.iter().try_for_each(|row| self.line(row, out))
    }

    fn line(&self, cells: &Cells, out: &mut dyn Write) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, column), width) in cells.iter().zip(&self.columns).zip(&self.widths) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            let (before, after) = if column.number { (&*padding, "") } else { ("", &*padding) };
            line.extend([before, cell, after]);
        }
        let line = line.trim_end();
        match self.cut_at {
            Some(cut) if line.chars().count() > cut => {
                // A sign that there is more, in the last column of the screen.
                let kept: String = line.chars().take(cut.saturating_sub(1)).collect();
                writeln!(out, "{kept}…")
            }
            _ => writeln!(out, "{line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(cut_at: Option<usize>, pages: &[&[[&str; 2]]]) -> String {
        let mut table = Table::new(vec![text("NAME"), number("N")], cut_at);
        let mut out = Vec::new();
        for page in pages {
            let rows: Vec<Cells> = page.iter().map(|r| r.map(str::to_owned).to_vec()).collect();
            table.write(&rows, &mut out).expect("a vector takes all");
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        assert_eq!(
            rendered(None, &[&[["a", "1"], ["bcdefg", "20"]]]),
            "\
NAME     N
a        1
bcdefg  20
"
        );
    }

    #[test]
    fn titles_come_once_and_later_pages_keep_the_width() {
        let text = rendered(None, &[&[["abcdef", "1"]], &[["a", "2"]], &[["abcdefghi", "3"]]]);
        assert_eq!(text, "NAME    N\nabcdef  1\na       2\nabcdefghi  3\n");
        assert_eq!(rendered(None, &[&[]]), "NAME  N\n");
    }

    #[test]
    fn line_that_is_too_long_for_the_screen_is_cut_and_shows_it() {
        assert_eq!(rendered(Some(8), &[&[["abcdef", "1"]]]), "NAME   …\nabcdef …\n");
        assert_eq!(rendered(Some(9), &[&[["abcdef", "1"]]]), "NAME    N\nabcdef  1\n");
    }
}
