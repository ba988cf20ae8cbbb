//! Ring 2: the real binary with real children, files and sockets.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod access;
mod command_line;
mod compositor;
mod configuration;
mod death;
mod demo;
mod displays;
mod driver;
mod flood;
mod health;
mod hostile;
mod kiosk;
mod manager;
mod plugs;
mod prisoner;
mod processes;
mod proxy;
mod replacing;
mod scene;
mod schedule;
mod screen;
mod service;
mod stage;
mod steer;
mod swap;
mod upgrade;
mod xvfb;
