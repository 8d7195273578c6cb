//! Lists: asked for, page by page where there may be many, and shown.

use super::Failure;
use super::table::{Cells, Column, Table};
use super::view;
use crate::admin::api::{
    BindingFilter, BindingRow, CustomerRow, DropRow, MagRow, NeighborRow, PAGE_MAX, Page,
    PolicyRow, PoolRow, PortRow, Request, StatRow, WorkerRow,
};
use crate::admin::client::Client;
use crate::admin::protocol::Call;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Write};

/// What can be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum List {
    Bindings { filter: BindingFilter, limit: Option<u64>, counters: bool },
    Mags,
    Pools,
    Ports,
    Workers,
    Drops { all: bool },
    Stats,
    Neighbors,
    Customers,
    Policies,
}

impl List {
    /// The same, for a screen of so many lines.
    pub(super) fn at_most(&self, lines: usize) -> Self {
        let lines = u64::try_from(lines.max(1)).unwrap_or(u64::MAX);
        match self.clone() {
            Self::Bindings { filter, limit, counters } => {
                let limit = Some(limit.map_or(lines, |l| l.min(lines)));
                Self::Bindings { filter, limit, counters }
            }
            other => other,
        }
    }

    /// Asks for it and writes it.
    pub(super) fn show(
        &self,
        client: &mut Client,
        out: &mut dyn Write,
        json: bool,
        cut_at: Option<usize>,
    ) -> Result<(), Failure> {
        let mut whole = Whole { client, out, json, cut_at };
        match self {
            Self::Bindings { filter, limit, counters } => whole.bindings(filter, *limit, *counters),
            Self::Mags => whole.rows::<MagRow>(Request::MagShow, view::mag_columns(), view::mag),
            Self::Pools => {
                whole.rows::<PoolRow>(Request::PoolShow, view::pool_columns(), view::pool)
            }
            Self::Customers => whole.rows::<CustomerRow>(
                Request::CustomerShow,
                view::customer_columns(),
                view::customer,
            ),
            Self::Policies => {
                whole.rows::<PolicyRow>(Request::PolicyShow, view::policy_columns(), view::policy)
            }
            Self::Ports => {
                whole.rows::<PortRow>(Request::PortShow, view::port_columns(), view::port)
            }
            Self::Workers => {
                whole.rows::<WorkerRow>(Request::WorkerShow, view::worker_columns(), view::worker)
            }
            Self::Drops { all } => {
                let shown = |row: &DropRow| (*all || row.packets > 0).then(|| view::drop(row));
                whole.some::<DropRow>(Request::DropShow, view::drop_columns(), shown)
            }
            Self::Stats => {
                whole.rows::<StatRow>(Request::StatsShow, view::stat_columns(), view::stat)
            }
            Self::Neighbors => whole.rows::<NeighborRow>(
                Request::NeighborShow,
                view::neighbor_columns(),
                view::neighbor,
            ),
        }
    }
}

struct Whole<'w> {
    client: &'w mut Client,
    out: &'w mut dyn Write,
    json: bool,
    cut_at: Option<usize>,
}

impl Whole<'_> {
    fn rows<T: DeserializeOwned + Serialize>(
        &mut self,
        request: Request,
        columns: Vec<Column>,
        cells: fn(&T) -> Cells,
    ) -> Result<(), Failure> {
        self.some(request, columns, |row| Some(cells(row)))
    }

    /// A list that comes in one answer; programs get the rows also for which there are no cells.
    fn some<T: DeserializeOwned + Serialize>(
        &mut self,
        request: Request,
        columns: Vec<Column>,
        cells: impl Fn(&T) -> Option<Cells>,
    ) -> Result<(), Failure> {
        let rows: Vec<T> = self.client.call(&Call::Control(request))?;
        if self.json {
            serde_json::to_writer(&mut *self.out, &rows).map_err(io::Error::from)?;
            return Ok(writeln!(self.out)?);
        }
        let lines: Vec<Cells> = rows.iter().filter_map(cells).collect();
        Ok(Table::new(columns, self.cut_at).write(&lines, self.out)?)
    }

    /// Page by page: no more than one is held, here or there.
    fn bindings(
        &mut self,
        filter: &BindingFilter,
        limit: Option<u64>,
        counters: bool,
    ) -> Result<(), Failure> {
        let mut left = limit.unwrap_or(u64::MAX);
        let mut cursor = 0;
        let mut table = Table::new(view::binding_columns(counters), self.cut_at);
        let mut first = true;
        loop {
            let limit = usize::try_from(left).unwrap_or(PAGE_MAX).min(PAGE_MAX);
            let filter = filter.clone();
            let request = Request::BindingShow { filter, cursor, limit, counters };
            let page: Page<BindingRow> = self.client.call(&Call::Control(request))?;
            left = left.saturating_sub(u64::try_from(page.rows.len()).unwrap_or(u64::MAX));
            if self.json {
                self.json_items(&page.rows, &mut first)?;
            } else {
                let lines: Vec<Cells> =
                    page.rows.iter().flat_map(|row| view::binding(row, counters)).collect();
                table.write(&lines, self.out)?;
            }
            match page.next.filter(|_| left > 0) {
                Some(next) => cursor = next,
                None => break,
            }
        }
        if self.json {
            writeln!(self.out, "{}]", if first { "[" } else { "" })?;
        }
        Ok(())
    }

    /// Items of one array that is written over several pages.
    fn json_items(&mut self, rows: &[BindingRow], first: &mut bool) -> Result<(), Failure> {
        for row in rows {
            write!(self.out, "{}", if *first { "[" } else { "," })?;
            serde_json::to_writer(&mut *self.out, row).map_err(io::Error::from)?;
            *first = false;
        }
        Ok(())
    }
}
