//! What a compositor reported of one of its outputs.

use super::wire::Event;
use crate::config::Rotation;
use crate::supervisor::{Output, Size};

/// `wl_output`, by the numbers of its global and its objects.
#[derive(Debug, Default)]
pub(super) struct WlOutput {
    /// The global.
    pub global: u32,
    /// The object.
    pub object: u32,
    /// Its `zwlr_output_power_v1`, where it can be switched.
    pub power: Option<u32>,
    /// Whether it is on, as reported by that.
    pub on: Option<bool>,
    name: String,
    size: Option<Size>,
    transform: u32,
}

/// A head of `zwlr_output_manager_v1`: an output as it is set up.
#[derive(Debug)]
pub(super) struct Head {
    /// The object.
    pub object: u32,
    /// It shows something.
    pub enabled: bool,
}

/// Events of `wl_output`.
mod wl_output {
    pub(super) const GEOMETRY: u16 = 0;
    pub(super) const MODE: u16 = 1;
    pub(super) const NAME: u16 = 4;
    /// The flag of the mode that is used now.
    pub(super) const CURRENT: u32 = 1;
}

/// Events of `zwlr_output_head_v1`.
mod head {
    pub(super) const ENABLED: u16 = 4;
    pub(super) const FINISHED: u16 = 9;
}

impl WlOutput {
    /// An output of which nothing is known yet.
    pub(super) fn new(global: u32, object: u32) -> Self {
        Self {
            global,
            object,
            ..Self::default()
        }
    }

    /// Handles an event of it.
    pub(super) fn handle(&mut self, event: &Event) {
        let mut arguments = event.arguments();
        match event.opcode {
            wl_output::GEOMETRY => {
                for _ in 0..5 {
                    arguments.number();
                }
                let _maker_and_model = (arguments.text(), arguments.text());
                self.transform = arguments.number();
            }
            wl_output::MODE if arguments.number() & wl_output::CURRENT != 0 => {
                let (width, height) = (arguments.number(), arguments.number());
                self.size = Some(Size { width, height });
            }
            wl_output::NAME => self.name = arguments.text().to_owned(),
            _ => {}
        }
    }

    /// The size of what it shows, turned as it is.
    pub(super) fn size(&self) -> Option<Size> {
        let is_sideways = self.transform % 2 == 1;
        self.size
            .map(|size| if is_sideways { size.rotated() } else { size })
    }

    /// What the operator is shown of it.
    pub(super) fn shown(&self) -> Output {
        Output {
            name: self.name.clone(),
            rotation: rotation(self.transform),
            monitor: None,
        }
    }
}

impl Head {
    /// A head of which nothing is known yet.
    pub(super) fn new(object: u32) -> Self {
        Self {
            object,
            enabled: false,
        }
    }

    /// Handles an event of it. Returns false once it is gone.
    pub(super) fn handle(&mut self, event: &Event) -> bool {
        let mut arguments = event.arguments();
        match event.opcode {
            head::ENABLED => self.enabled = arguments.number() != 0,
            head::FINISHED => return false,
            _ => {}
        }
        true
    }
}

/// `wl_output.transform` counts quarters to the left; from 4 on the picture is in the mirror.
fn rotation(transform: u32) -> Option<Rotation> {
    Rotation::ALL
        .into_iter()
        .find(|rotation| self::transform(*rotation) == transform)
}

/// The transform that turns a picture clockwise by so much.
pub(super) fn transform(rotation: Rotation) -> u32 {
    match rotation {
        Rotation::None => 0,
        Rotation::Quarter => 3,
        Rotation::Half => 2,
        Rotation::ThreeQuarters => 1,
    }
}
