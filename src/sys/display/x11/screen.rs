//! Reads what shows the screen of an X server, and turns it (the RandR extension, 1.3 and newer).

use super::X;
use crate::config::Rotation;
use crate::supervisor::{Failure, Output, Screen, Size};
use crate::sys::display::edid;
use x11rb_protocol::protocol::randr::{
    Connection as Plug, GetCrtcInfoReply, GetCrtcInfoRequest, GetOutputInfoReply,
    GetOutputInfoRequest, GetOutputPropertyRequest, GetScreenResourcesCurrentReply,
    GetScreenResourcesCurrentRequest, NotifyMask, QueryVersionRequest, Rotation as Way,
    SelectInputRequest, SetConfig, SetCrtcConfigRequest, SetScreenSizeRequest,
};
use x11rb_protocol::protocol::xproto::{
    GetGeometryRequest, GrabServerRequest, UngrabServerRequest,
};

/// Outputs that are looked at: more than any graphics card has.
const OUTPUTS_MAX: usize = 16;

/// What is read of a monitor's own words, in units of four bytes: the first block.
const EDID_WORDS: u32 = 32;

/// Millimetres of a pixel where a server wants to know them: 96 dots an inch, as everywhere.
const MILLIMETRES: f64 = 25.4 / 96.0;

/// An output that shows the screen, and by which circuit.
struct Lit {
    output: Output,
    number: u32,
    crtc: u32,
    circuit: GetCrtcInfoReply,
}

impl X {
    /// Subscribes to every change; without RandR 1.3 a screen has a size and nothing else.
    pub(super) async fn select_randr(&mut self) -> Result<(), Failure> {
        let Some(randr) = self.randr else {
            return Ok(());
        };
        let version = QueryVersionRequest {
            major_version: 1,
            minor_version: 3,
        };
        let version = self.connection.ask(randr.major, version).await?;
        if (version.major_version, version.minor_version) < (1, 3) {
            self.randr = None;
            return Ok(());
        }
        let enable = NotifyMask::SCREEN_CHANGE
            | NotifyMask::CRTC_CHANGE
            | NotifyMask::OUTPUT_CHANGE
            | NotifyMask::OUTPUT_PROPERTY;
        let window = self.connection.root();
        let request = SelectInputRequest { window, enable };
        self.connection.send(randr.major, request).await
    }

    /// What there is now.
    pub(super) async fn read_screen(&mut self) -> Result<Screen, Failure> {
        let root = self.connection.root();
        let mut lit = Vec::new();
        if let Some(resources) = self.resources().await? {
            lit = self.lit(&resources).await?;
        }
        let geometry = GetGeometryRequest { drawable: root };
        let geometry = self.connection.ask(0, geometry).await?;
        Ok(Screen {
            size: Size {
                width: geometry.width.into(),
                height: geometry.height.into(),
            },
            outputs: lit.into_iter().map(|lit| lit.output).collect(),
        })
    }

    async fn resources(&mut self) -> Result<Option<GetScreenResourcesCurrentReply>, Failure> {
        let Some(randr) = self.randr else {
            return Ok(None);
        };
        let window = self.connection.root();
        let request = GetScreenResourcesCurrentRequest { window };
        Ok(Some(self.connection.ask(randr.major, request).await?))
    }

    async fn lit(
        &mut self,
        resources: &GetScreenResourcesCurrentReply,
    ) -> Result<Vec<Lit>, Failure> {
        let Some(randr) = self.randr else {
            return Ok(Vec::new());
        };
        let mut lit = Vec::new();
        for number in resources.outputs.iter().take(OUTPUTS_MAX) {
            let config_timestamp = resources.config_timestamp;
            let request = GetOutputInfoRequest {
                output: *number,
                config_timestamp,
            };
            let info = self.connection.ask(randr.major, request).await?;
            if info.crtc == 0 || info.connection == Plug::DISCONNECTED {
                continue;
            }
            let request = GetCrtcInfoRequest {
                crtc: info.crtc,
                config_timestamp,
            };
            let circuit = self.connection.ask(randr.major, request).await?;
            lit.push(Lit {
                output: self.output(*number, &info, &circuit).await?,
                number: *number,
                crtc: info.crtc,
                circuit,
            });
        }
        Ok(lit)
    }

    async fn output(
        &mut self,
        number: u32,
        info: &GetOutputInfoReply,
        circuit: &GetCrtcInfoReply,
    ) -> Result<Output, Failure> {
        let major = self.randr.map_or(0, |randr| randr.major);
        let request = GetOutputPropertyRequest {
            output: number,
            property: self.edid,
            type_: 0,
            long_offset: 0,
            long_length: EDID_WORDS,
            delete: false,
            pending: false,
        };
        let words = self.connection.ask(major, request).await?;
        Ok(Output {
            name: String::from_utf8_lossy(&info.name).into_owned(),
            rotation: rotation(circuit.rotation),
            monitor: edid::parse(&words.data),
        })
    }

    /// Turns the screen, where one output shows it.
    pub(super) async fn set_rotation(&mut self, wanted: Rotation) -> Result<(), Failure> {
        let display = self.connection.display().clone();
        let cannot = |why: &str| Failure::system(format!("cannot turn {display}: {why}"));
        let (Some(randr), Some(resources)) = (self.randr, self.resources().await?) else {
            return Err(cannot("its X server has no RandR 1.3"));
        };
        let lit = self.lit(&resources).await?;
        let [lit] = lit.as_slice() else {
            return Err(cannot(
                "not one output shows it; turn several in the X server's own configuration",
            ));
        };
        if !lit.circuit.rotations.contains(way(wanted)) {
            return Err(cannot("its X server, or the driver, cannot turn a picture"));
        }
        let mode = resources
            .modes
            .iter()
            .find(|mode| mode.id == lit.circuit.mode);
        let Some(mode) = mode else {
            return Err(cannot("its mode is not among its modes"));
        };
        let plain = Size {
            width: mode.width.into(),
            height: mode.height.into(),
        };
        let size = if wanted.is_sideways() {
            plain.rotated()
        } else {
            plain
        };
        let set = |mode, outputs: &'static [u32], rotation| SetCrtcConfigRequest {
            crtc: lit.crtc,
            timestamp: 0,
            config_timestamp: resources.config_timestamp,
            x: 0,
            y: 0,
            mode,
            rotation,
            outputs: outputs.into(),
        };
        let shown = |rotation| SetCrtcConfigRequest {
            outputs: vec![lit.number].into(),
            ..set(mode.id, &[], rotation)
        };
        let resize = |size: Size| SetScreenSizeRequest {
            window: self.connection.root(),
            width: size.width as u16,
            height: size.height as u16,
            mm_width: (f64::from(size.width) * MILLIMETRES) as u32,
            mm_height: (f64::from(size.height) * MILLIMETRES) as u32,
        };
        let (resize, shown) = (resize(size), shown(way(wanted)));
        // A screen must not become smaller than what shows it, so its CRTC is switched off meanwhile. The grab keeps other
        // clients from seeing the steps. All five requests are one write: even if the daemon dies after it, and however
        // long the server takes, it switches the CRTC on again and releases the grab.
        let dark = set(0, &[], Way::ROTATE0);
        let connection = &mut self.connection;
        connection.queue_void(0, GrabServerRequest);
        let dark = connection.queue(randr.major, dark);
        connection.queue_void(randr.major, resize);
        let shown = connection.queue(randr.major, shown);
        connection.queue_void(0, UngrabServerRequest);
        connection.flush().await?;
        let put_out = connection.answer(dark).await;
        let result = connection.answer(shown).await;
        put_out?;
        match result?.status {
            SetConfig::SUCCESS => Ok(()),
            _ => Err(cannot("its X server refuses")),
        }
    }
}

/// RandR counts the other way round: its 90 degrees are to the left.
fn way(rotation: Rotation) -> Way {
    match rotation {
        Rotation::None => Way::ROTATE0,
        Rotation::Quarter => Way::ROTATE270,
        Rotation::Half => Way::ROTATE180,
        Rotation::ThreeQuarters => Way::ROTATE90,
    }
}

/// One of the four ways; nothing for a picture in the mirror.
fn rotation(found: Way) -> Option<Rotation> {
    Rotation::ALL
        .into_iter()
        .find(|rotation| way(*rotation) == found)
}
