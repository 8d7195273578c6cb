//! `anchorctl`: talks to the admin socket of `anchord`.
fn main() {}
