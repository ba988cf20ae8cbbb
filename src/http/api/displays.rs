//! `/api/displays`: all displays that exist or are configured, their screens and processes; and the power switch.

use super::json::Context;
use crate::config::{Display, Id, Rotation};
use crate::http::context::Api;
use crate::http::error::{Error, ErrorKind};
use crate::http::reply::{ApiRequest, Reply};
use crate::http::wall_time::Wallclock;
use crate::supervisor::{
    Backend, Command, DisplayStatus, Monitor, Output, PowerStatus, RotationStatus, Size, Snapshot,
};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};
use std::rc::Rc;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct List<'a> {
    displays: DisplaysView<'a>,
    connectors: ConnectorsView<'a>,
}

/// `GET /api/displays`
pub async fn list(api: &Rc<Api>, _request: ApiRequest<'_>) -> Result<Reply, Error> {
    let status = api.feed.current();
    let list = List {
        displays: DisplaysView {
            shown: &status.displays,
            context: Context::of(api),
        },
        connectors: ConnectorsView(&status),
    };
    Ok(Reply::json(200, &list))
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct PowerSwitch {
    on: bool,
}

/// `POST /api/displays/{id}/power`, `{"on": true}`
pub async fn switch_power(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let display = name(request.id)?;
    let PowerSwitch { on } = request.body()?;
    let command = Command::SwitchPower {
        display: display.clone(),
        on,
    };
    api.commands.send(command).await?;
    let status = api.feed.current();
    let shown = status
        .displays
        .iter()
        .find(|shown| shown.display == display);
    match shown {
        Some(shown) => Ok(Reply::json(202, &view(shown, Context::of(api)))),
        // It was disconnected in the meantime.
        None => Err(no_such_display(request.id)),
    }
}

/// The display in a path.
fn name(text: &str) -> Result<Display, Error> {
    text.parse().map_err(|_| no_such_display(text))
}

fn no_such_display(text: &str) -> Error {
    Error::new(
        ErrorKind::NoSuchDisplay,
        format!("there is no display {text}"),
    )
}

/// All displays.
#[derive(Debug)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(with = "Vec<DisplayView<'a>>")
)]
pub struct DisplaysView<'a> {
    /// The displays.
    pub shown: &'a [DisplayStatus],
    /// The context for showing them.
    pub context: Context<'a>,
}

impl Serialize for DisplaysView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let views = self.shown.iter().map(|shown| view(shown, self.context));
        serializer.collect_seq(views)
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct DisplayView<'a> {
    name: &'a Display,
    #[cfg_attr(test, schemars(extend("enum" = ["x", "wayland"])))]
    kind: &'static str,
    connected: bool,
    /// The whole screen, as rotated.
    resolution: Option<Size>,
    /// The output that shows the display, if there is exactly one.
    output: Option<&'a str>,
    outputs: Vec<OutputView<'a>>,
    /// The connector of the output, if known.
    connector: Option<&'a str>,
    monitor: Option<&'a Monitor>,
    rotation: RotationView<'a>,
    power: PowerView<'a>,
    process: Option<&'a Id>,
    wanted_by: &'a [Id],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OutputView<'a> {
    name: &'a str,
    rotation: Option<Rotation>,
    monitor: Option<&'a Monitor>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RotationView<'a> {
    requested: Option<Rotation>,
    actual: Option<Rotation>,
    problem: Option<&'a str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PowerView<'a> {
    #[cfg_attr(test, schemars(extend("enum" = ["on", "off"])))]
    requested: Option<&'static str>,
    #[cfg_attr(test, schemars(extend("enum" = ["on", "off"])))]
    actual: Option<&'static str>,
    backend: Option<Backend>,
    since: Option<Wallclock>,
    problem: Option<&'a str>,
}

fn view<'a>(shown: &'a DisplayStatus, context: Context<'_>) -> DisplayView<'a> {
    let screen = shown.screen.screen.as_deref();
    let outputs = screen.map_or(&[][..], |screen| &screen.outputs);
    let output = screen.and_then(|screen| screen.output());
    DisplayView {
        name: &shown.display,
        kind: match shown.display {
            Display::X(_) => "x",
            Display::Wayland(_) => "wayland",
        },
        connected: shown.connected,
        // Without an output the size means nothing.
        resolution: screen
            .filter(|_| !outputs.is_empty())
            .map(|screen| screen.size),
        output: output.map(|output| output.name.as_str()),
        outputs: outputs.iter().map(OutputView::of).collect(),
        connector: shown.screen.connector.as_deref(),
        monitor: output.and_then(|output| output.monitor.as_ref()),
        rotation: RotationView::of(&shown.screen.rotation),
        power: PowerView::of(&shown.screen.power, context),
        process: shown.holder.as_ref(),
        wanted_by: &shown.wanted_by,
    }
}

impl<'a> OutputView<'a> {
    fn of(output: &'a Output) -> Self {
        Self {
            name: &output.name,
            rotation: output.rotation,
            monitor: output.monitor.as_ref(),
        }
    }
}

impl<'a> RotationView<'a> {
    fn of(status: &'a RotationStatus) -> Self {
        Self {
            requested: status.requested,
            actual: status.actual,
            problem: status.problem.as_deref(),
        }
    }
}

impl<'a> PowerView<'a> {
    fn of(status: &'a PowerStatus, context: Context<'_>) -> Self {
        let name = |on| if on { "on" } else { "off" };
        Self {
            requested: status.requested.map(name),
            actual: status.actual.map(name),
            backend: status.backend,
            since: status.since.map(|since| context.boot().at(since)),
            problem: status.problem.as_deref(),
        }
    }
}

/// The connectors of the machine, each with the display that uses it.
#[derive(Debug)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(with = "Vec<ConnectorView<'a>>")
)]
pub struct ConnectorsView<'a>(pub &'a Snapshot);

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ConnectorView<'a> {
    name: &'a str,
    connected: bool,
    lit: Option<bool>,
    preferred: Option<Size>,
    monitor: Option<&'a Monitor>,
    display: Option<&'a Display>,
}

impl Serialize for ConnectorsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let connectors = &self.0.connectors;
        let mut seq = serializer.serialize_seq(Some(connectors.len()))?;
        for connector in connectors.iter() {
            let uses =
                |shown: &&DisplayStatus| shown.screen.connector.as_ref() == Some(&connector.name);
            let display = self.0.displays.iter().find(uses);
            seq.serialize_element(&ConnectorView {
                name: &connector.name,
                connected: connector.connected,
                lit: connector.lit,
                preferred: connector.preferred,
                monitor: connector.monitor.as_ref(),
                display: display.map(|shown| &shown.display),
            })?;
        }
        seq.end()
    }
}
