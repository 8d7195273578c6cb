//! JSON-RPC 2.0, one object a line: what a line asks for, and what is answered to it.
//!
//! Pure functions; any bytes give a call or a refusal. Requests are answered in the order in which
//! they came. Batches are refused, and so are notifications: whoever asks is told what became of
//! it.

use super::api::{BindingFilter, PAGE_MAX, PROTOCOL_VERSION, Request};
use super::reload::Job;
use crate::addr::{HomePrefix, MnId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::net::IpAddr;

/// The longest request, in bytes without its newline.
pub const LINE_MAX: usize = 16 * 1024;

/// The line was no JSON.
pub const PARSE_ERROR: i32 = -32700;
/// It was JSON, but no request.
pub const INVALID_REQUEST: i32 = -32600;
/// There is no such method.
pub const METHOD_NOT_FOUND: i32 = -32601;
/// The parameters are not those of the method.
pub const INVALID_PARAMS: i32 = -32602;
/// Understood, and refused by the anchor.
pub const REFUSED: i32 = -32000;
/// Too much is asked at once, or by too many: try again.
pub const BUSY: i32 = -32001;
/// The peer's user may not use this socket.
pub const FORBIDDEN: i32 = -32002;

/// A method with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// For the control core.
    Control(Request),
    /// The configuration in force, as the file that would give it.
    ConfigShow,
    /// What the configuration file would change, or that it be put in force.
    Config(Job),
    /// Another filter for the log, until the next start.
    LogSet {
        /// Like `log.filter` of the configuration.
        filter: String,
    },
    /// Who answers.
    Version,
}

/// A call and the id that its answer carries: a whole number or a string.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// As it came.
    pub id: Value,
    /// What is asked.
    pub call: Call,
}

/// An answer that says no.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// As it came; null if there was none to be read.
    pub id: Value,
    /// One of this module's codes.
    pub code: i32,
    /// A sentence that says what would be right.
    pub message: String,
}

impl Refusal {
    /// A refusal of the request with this id.
    pub fn new(id: Value, code: i32, message: impl Into<String>) -> Self {
        Self { id, code, message: message.into() }
    }
}

/// What the server says first, as the parameters of a notification `hello`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// `anchord`.
    pub program: String,
    /// [`PROTOCOL_VERSION`] of the server.
    pub protocol: u32,
    /// The server's release.
    pub version: String,
    /// The commit that it was built from.
    pub commit: String,
    /// `node.name` of its configuration.
    pub node: String,
}

impl Hello {
    /// Of this build.
    #[must_use]
    pub fn of(node: &str) -> Self {
        Self {
            program: "anchord".into(),
            protocol: PROTOCOL_VERSION,
            version: env!("CARGO_PKG_VERSION").into(),
            commit: env!("ANCHOR_COMMIT").into(),
            node: node.into(),
        }
    }

    /// As the first line.
    #[must_use]
    pub fn to_line(&self) -> Vec<u8> {
        line(&json!({ "jsonrpc": "2.0", "method": "hello", "params": self }))
    }
}

const METHODS: [&str; 21] = [
    "binding.show",
    "binding.del",
    "realm.del",
    "node.drain",
    "node.serve",
    "mag.show",
    "mag.add",
    "mag.del",
    "pool.show",
    "port.show",
    "worker.show",
    "drop.show",
    "stats.show",
    "neighbor.show",
    "customer.show",
    "policy.show",
    "config.show",
    "config.diff",
    "config.reload",
    "log.set",
    "version",
];

/// Reads a line, with or without its newline.
pub fn parse_line(bytes: &[u8]) -> Result<Incoming, Refusal> {
    let refuse = |code, message: String| Err(Refusal::new(Value::Null, code, message));
    let object = match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => object,
        Ok(Value::Array(_)) => {
            return refuse(INVALID_REQUEST, "batches are not taken: one request a line".into());
        }
        Ok(_) => return refuse(INVALID_REQUEST, "a request is a JSON object".into()),
        Err(e) => return refuse(PARSE_ERROR, format!("not JSON: {e}")),
    };
    parse_object(object)
}

fn parse_object(mut object: Map<String, Value>) -> Result<Incoming, Refusal> {
    let id = match object.remove("id") {
        Some(id @ Value::String(_)) => id,
        // A fraction would come back rounded; JSON-RPC 2.0 advises against it anyway.
        Some(Value::Number(id)) if !id.is_f64() => Value::Number(id),
        None => {
            let what = "notifications are not taken: give an id";
            return Err(Refusal::new(Value::Null, INVALID_REQUEST, what));
        }
        Some(_) => {
            let what = "the id must be a whole number or a string";
            return Err(Refusal::new(Value::Null, INVALID_REQUEST, what));
        }
    };
    let refuse = |code, message: String| Err(Refusal::new(id.clone(), code, message));
    if object.remove("jsonrpc") != Some(Value::from("2.0")) {
        return refuse(INVALID_REQUEST, "\"jsonrpc\" must be \"2.0\"".into());
    }
    let Some(Value::String(method)) = object.remove("method") else {
        return refuse(INVALID_REQUEST, "\"method\" must be there, a string".into());
    };
    let params = match object.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return refuse(INVALID_PARAMS, "\"params\" must be an object".into()),
    };
    if let Some(key) = object.keys().next() {
        return refuse(INVALID_REQUEST, format!("a request has no {key:?}"));
    }
    match parse_call(&method, params) {
        Ok(call) => Ok(Incoming { id, call }),
        Err((code, message)) => refuse(code, message),
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BindingShow {
    mn_id: Option<MnId>,
    mag: Option<IpAddr>,
    prefix: Option<HomePrefix>,
    customer: Option<String>,
    cursor: u64,
    limit: usize,
    counters: bool,
}

impl Default for BindingShow {
    fn default() -> Self {
        Self {
            mn_id: None,
            mag: None,
            prefix: None,
            customer: None,
            cursor: 0,
            limit: PAGE_MAX,
            counters: false,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BindingDel {
    mn_id: MnId,
    prefix: Option<HomePrefix>,
    customer: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RealmDel {
    realm: String,
    mag: Option<IpAddr>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeDrain {
    within_s: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MagAdd {
    address: IpAddr,
    name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MagDel {
    address: IpAddr,
    #[serde(default)]
    revoke: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogSet {
    filter: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

fn parse_call(method: &str, params: Map<String, Value>) -> Result<Call, (i32, String)> {
    let bare = |request| read::<Nothing>(method, params.clone()).map(|_| Call::Control(request));
    match method {
        "binding.show" => {
            let p: BindingShow = read(method, params)?;
            if !(1..=PAGE_MAX).contains(&p.limit) {
                let message = format!("binding.show: limit {} is not 1 to {PAGE_MAX}", p.limit);
                return Err((INVALID_PARAMS, message));
            }
            let BindingShow { mn_id, mag, prefix, customer, cursor, limit, counters } = p;
            let filter = BindingFilter { mn_id, mag, prefix, customer };
            Ok(Call::Control(Request::BindingShow { filter, cursor, limit, counters }))
        }
        "binding.del" => {
            let BindingDel { mn_id, prefix, customer } = read(method, params)?;
            Ok(Call::Control(Request::BindingDel { mn_id, prefix, customer }))
        }
        "realm.del" => {
            let RealmDel { realm, mag } = read(method, params)?;
            let nai = MnId::nai(&format!("@{realm}"));
            let nai = nai.filter(|id| id.realm() == Some(realm.as_bytes()));
            let wrong = || (INVALID_PARAMS, format!("realm.del: {realm:?} is no realm"));
            Ok(Call::Control(Request::RealmDel { realm: nai.ok_or_else(wrong)?, mag }))
        }
        "node.drain" => {
            let NodeDrain { within_s } = read(method, params)?;
            Ok(Call::Control(Request::NodeDrain { within_s }))
        }
        "mag.add" => {
            let MagAdd { address, name } = read(method, params)?;
            let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if name.is_empty() || name.len() > 63 || !name.chars().all(fits) {
                let message = "mag.add: a name has 1 to 63 of a-z A-Z 0-9 . _ -";
                return Err((INVALID_PARAMS, message.into()));
            }
            Ok(Call::Control(Request::MagAdd { address, name }))
        }
        "mag.del" => {
            let MagDel { address, revoke } = read(method, params)?;
            Ok(Call::Control(Request::MagDel { address, revoke }))
        }
        "node.serve" => bare(Request::NodeServe),
        "mag.show" => bare(Request::MagShow),
        "pool.show" => bare(Request::PoolShow),
        "port.show" => bare(Request::PortShow),
        "worker.show" => bare(Request::WorkerShow),
        "drop.show" => bare(Request::DropShow),
        "stats.show" => bare(Request::StatsShow),
        "neighbor.show" => bare(Request::NeighborShow),
        "customer.show" => bare(Request::CustomerShow),
        "policy.show" => bare(Request::PolicyShow),
        "config.show" => read::<Nothing>(method, params).map(|_| Call::ConfigShow),
        "config.diff" => read::<Nothing>(method, params).map(|_| Call::Config(Job::Diff)),
        "config.reload" => read::<Nothing>(method, params).map(|_| Call::Config(Job::Reload)),
        "log.set" => {
            let LogSet { filter } = read(method, params)?;
            Ok(Call::LogSet { filter })
        }
        "version" => read::<Nothing>(method, params).map(|_| Call::Version),
        _ => Err((METHOD_NOT_FOUND, unknown_method(method))),
    }
}

fn read<T: DeserializeOwned>(method: &str, params: Map<String, Value>) -> Result<T, (i32, String)> {
    serde_json::from_value(Value::Object(params))
        .map_err(|e| (INVALID_PARAMS, format!("{method}: {e}")))
}

fn unknown_method(method: &str) -> String {
    let shown: String = method.chars().take(40).collect();
    let near = METHODS.iter().map(|m| (strsim::damerau_levenshtein(&shown, m), m)).min();
    match near.filter(|(distance, _)| *distance <= 3) {
        Some((_, meant)) => format!("there is no method {shown:?}; did you mean {meant:?}?"),
        None => format!("there is no method {shown:?}; there is: {}", METHODS.join(", ")),
    }
}

impl Call {
    /// The request line of this call.
    #[must_use]
    pub fn to_line(&self, id: u64) -> Vec<u8> {
        let (method, params) = self.encode();
        line(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
    }

    fn encode(&self) -> (&'static str, Value) {
        let none = || json!({});
        match self.clone() {
            Self::ConfigShow => ("config.show", none()),
            Self::Config(Job::Diff) => ("config.diff", none()),
            Self::Config(Job::Reload) => ("config.reload", none()),
            Self::LogSet { filter } => ("log.set", json!(LogSet { filter })),
            Self::Version => ("version", none()),
            Self::Control(request) => match request {
                Request::BindingShow { filter, cursor, limit, counters } => {
                    let BindingFilter { mn_id, mag, prefix, customer } = filter;
                    let params =
                        BindingShow { mn_id, mag, prefix, customer, cursor, limit, counters };
                    ("binding.show", json!(params))
                }
                Request::BindingDel { mn_id, prefix, customer } => {
                    ("binding.del", json!(BindingDel { mn_id, prefix, customer }))
                }
                Request::RealmDel { realm, mag } => {
                    let realm = realm.realm().map(String::from_utf8_lossy).unwrap_or_default();
                    ("realm.del", json!(RealmDel { realm: realm.into(), mag }))
                }
                Request::NodeDrain { within_s } => ("node.drain", json!(NodeDrain { within_s })),
                Request::NodeServe => ("node.serve", none()),
                Request::MagAdd { address, name } => ("mag.add", json!(MagAdd { address, name })),
                Request::MagDel { address, revoke } => {
                    ("mag.del", json!(MagDel { address, revoke }))
                }
                Request::MagShow => ("mag.show", none()),
                Request::PoolShow => ("pool.show", none()),
                Request::PortShow => ("port.show", none()),
                Request::WorkerShow => ("worker.show", none()),
                Request::DropShow => ("drop.show", none()),
                Request::StatsShow => ("stats.show", none()),
                Request::NeighborShow => ("neighbor.show", none()),
                Request::CustomerShow => ("customer.show", none()),
                Request::PolicyShow => ("policy.show", none()),
            },
        }
    }
}

/// The line that answers with a result.
#[must_use]
pub fn result_line(id: &Value, result: &impl Serialize) -> Vec<u8> {
    // Written straight to bytes: a page of bindings is too long to be made a `Value` first.
    line(&Answer { jsonrpc: "2.0", id, result })
}

/// The line that answers with a refusal.
#[must_use]
pub fn refusal_line(refusal: &Refusal) -> Vec<u8> {
    let Refusal { id, code, message } = refusal;
    line(&json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }))
}

#[derive(Serialize)]
struct Answer<'a, R: Serialize> {
    jsonrpc: &'static str,
    id: &'a Value,
    result: &'a R,
}

fn line(value: &impl Serialize) -> Vec<u8> {
    // Fails only for maps whose keys are no strings, and there are none here.
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests;
