//! The page on the screen: its health and its connection, and the commands that clients send to it.

pub(super) mod commands;
pub(super) mod connection;
pub(super) mod health;
pub(super) mod kiosk_page;
