//! What a measured process said: lines of `key=value`, the generator's and our own.

/// The lines that matter.
pub(crate) struct Output {
    queues: Vec<Line>,
    turns: Vec<Line>,
    bench: Vec<Line>,
}

/// `key=value` after `key=value`.
pub(crate) struct Line(Vec<(String, String)>);

/// Cycles a packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    /// Of the middle window.
    pub(crate) cycles: f64,
    /// Of the best window.
    pub(crate) least: f64,
    /// Of the worst window.
    pub(crate) greatest: f64,
}

impl Output {
    /// Finds the lines in a program's standard output.
    pub(crate) fn new(text: &str) -> Self {
        let of = |mark: &str| {
            // testpmd and l3fwd write something before it in the same line.
            let lines = text.lines().filter_map(|line| line.split_once(mark));
            lines.map(|(_, rest)| Line::new(rest)).collect()
        };
        Self { queues: of("pgen: "), turns: of("pgen-turns: "), bench: of("bench: ") }
    }

    /// Whether all that the device gave came back as it must.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.queues.is_empty() {
            return Err("the device said nothing".into());
        }
        let sum = |key| self.queues.iter().map(|line| line.number(key)).sum::<Result<f64, _>>();
        if sum("wrong")? > 0.0 || sum("sent")? < sum("received")? {
            let lines: Vec<_> = self.queues.iter().map(Line::to_string).collect();
            return Err(format!("not what must come out: {}", lines.join("; ")));
        }
        Ok(())
    }

    /// Of each queue, if what came out is right.
    pub(crate) fn figures(&self) -> Result<Vec<Figure>, String> {
        self.check()?;
        self.queues.iter().map(Figure::of).collect()
    }

    /// Of the one queue.
    pub(crate) fn figure(&self) -> Result<Figure, String> {
        self.figures()?.pop().ok_or_else(|| "no queue".into())
    }

    /// How often a turn took how many cycles, in rising order, and the longest one.
    pub(crate) fn turns(&self) -> Result<(Vec<(u64, u64)>, u64), String> {
        let line = self.turns.first().ok_or("no turns")?;
        let whole = |text: &str| text.parse::<u64>().map_err(|_| line.to_string());
        let bins = line.0.iter().filter(|(key, _)| key.starts_with(|c: char| c.is_ascii_digit()));
        let bins = bins.map(|(k, v)| Ok((whole(k)?, whole(v)?))).collect::<Result<_, String>>();
        let greatest = line.get("greatest").ok_or("no greatest")?;
        Ok((bins?, whole(greatest)?))
    }

    /// Our own lines.
    pub(crate) fn bench(&self) -> &[Line] {
        &self.bench
    }

    /// A number of the first of our own lines that has it.
    pub(crate) fn number(&self, key: &str) -> Result<f64, String> {
        let line = self.bench.iter().find(|line| line.get(key).is_some());
        line.ok_or_else(|| format!("no {key}"))?.number(key)
    }
}

impl Line {
    fn new(text: &str) -> Self {
        let pairs = text.split_whitespace().filter_map(|word| word.split_once('='));
        Self(pairs.map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// A value.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find_map(|(k, value)| (k == key).then_some(value.as_str()))
    }

    /// A value that is a number.
    pub(crate) fn number(&self, key: &str) -> Result<f64, String> {
        let value = self.get(key).and_then(|value| value.parse().ok());
        value.ok_or_else(|| format!("no {key} in: {self}"))
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|(key, value)| write!(f, "{key}={value} "))
    }
}

impl Figure {
    fn of(line: &Line) -> Result<Self, String> {
        if line.number("windows")? < WINDOWS_MIN {
            return Err(format!("too short: {line}"));
        }
        let [cycles, least, greatest] = ["app", "least", "greatest"].map(|key| line.number(key));
        Ok(Self { cycles: cycles?, least: least?, greatest: greatest? })
    }
}

/// Fewer have no middle worth the name.
const WINDOWS_MIN: f64 = 10.0;
