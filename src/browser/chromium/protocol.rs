//! What several parts of the driver read of the protocol.

use serde::Deserialize;

/// A tab.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TargetId {
    pub target_id: String,
}

/// An attachment to a tab.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionId {
    pub session_id: String,
}

/// A screenshot or screencast frame, in base64.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CapturedScreenshot {
    pub data: String,
    /// The number of the screencast, for a frame.
    #[serde(default)]
    pub session_id: i64,
}
