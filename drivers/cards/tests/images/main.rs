//! Every reader on images that the real tools made: long names, fragments, deleted and used again, giant folders, damage.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod damage;
mod exfat;
mod image;
mod kinds;
mod under;
